"""What an OpenCL device reaches at best, measured: what kernels are compared with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from canao.building.cache import Cache, digest
from canao.machine.device_record import OpenCLDevice
from canao.machine.opencl_device import DeviceKind
from canao.machine.opencl_devices import pyopencl
from canao.measuring.peak import Peaks
from canao.runtime.opencl.session import Session, explained

_CHAINS, _STEPS = 10, 20_000
"""Multiply-adds that do not wait for each other, and how often each is repeated."""
_ITEMS = {DeviceKind.cpu: 4, DeviceKind.gpu: 1024}
"""Work-items for each compute unit."""
_GROUP = {DeviceKind.cpu: 1, DeviceKind.gpu: 64}
_STREAM_BYTES = 128 << 20
_ROUNDS = 7
_PROBE = """\
__kernel void peak(__global float *out, const float a, const float b) {{
  const float{lanes} x = a, y = b;
  {starts}
  for (int i = 0; i < {steps}; ++i) {{
    {adds}
  }}
  vstore{lanes}({total}, get_global_id(0), out);
}}

__kernel void stream(__global const float *in, __global float *out, const ulong share) {{
  const ulong items = get_global_size(0), first = get_global_id(0);
  float{lanes} total = 0.0f;
  for (ulong i = 0; i < share; ++i) total += vload{lanes}({place}, in);
  vstore{lanes}(total, first, out);
}}
"""
_PLACES = {DeviceKind.cpu: "first * share + i", DeviceKind.gpu: "i * items + first"}
"""Neighbours in memory are read one after another by a core, and at once by the lanes of a GPU."""


def device_peaks(device: OpenCLDevice, cache: Cache) -> Peaks:
    """GFLOP/s of multiply-adds and GB/s of reading memory in order.

    Other work on the machine can only lower what is measured, so the highest
    rates ever seen here are kept in the cache and returned.
    """
    key = digest("device peaks", *device.identity, _PROBE)
    known = _parsed(cache.note(key))
    found = _measure(device)
    best = Peaks(max(found.gflops, known.gflops), max(found.bandwidth, known.bandwidth))
    if best != known:
        cache.set_note(key, json.dumps([best.gflops, best.bandwidth]))
    return best


def _parsed(note: str | None) -> Peaks:
    try:
        gflops, bandwidth = json.loads(note or "")
        return Peaks(float(gflops), float(bandwidth))
    except (ValueError, TypeError):
        return Peaks()


def _measure(device: OpenCLDevice) -> Peaks:
    cl, lanes = pyopencl(), device.model.unit.lanes_f32
    names = [f"c{n}" for n in range(_CHAINS)]
    source = _PROBE.format(
        lanes=lanes,
        steps=_STEPS,
        starts=f"float{lanes} " + ", ".join(f"{name} = {n}" for n, name in enumerate(names)) + ";",
        adds=" ".join(f"{name} = x * {name} + y;" for name in names),
        total=" + ".join(names),
        place=_PLACES[device.kind],
    )
    session = Session(device)
    program = session.build(source)
    items = _ITEMS[device.kind] * device.units
    group = _GROUP[device.kind]
    size = min(_STREAM_BYTES, device.most_bytes // 2)
    share = size // (4 * lanes * items)
    with explained(device, "measure its peak"):
        flags = cl.mem_flags.READ_WRITE
        data = cl.Buffer(session.context, flags, size)
        cl.enqueue_fill_buffer(session.timed_queue, data, np.float32(1), 0, size)
        out = cl.Buffer(session.context, flags, 4 * lanes * items)
        peak, stream = cl.Kernel(program, "peak"), cl.Kernel(program, "stream")
        peak.set_args(out, np.float32(1.0), np.float32(0.5))
        stream.set_args(data, out, np.uint64(share))

        def launch(kernel: Any) -> Callable[[], Any]:
            return lambda: cl.enqueue_nd_range_kernel(
                session.timed_queue, kernel, (items,), (group,)
            )

        operations = 2.0 * _CHAINS * lanes * _STEPS * items
        moved = 4.0 * lanes * items * share
        return Peaks(operations / _best(launch(peak)) / 1e9, moved / _best(launch(stream)) / 1e9)


def _best(launch: Callable[[], Any]) -> float:
    """Seconds of the fastest of some launches."""
    times: list[float] = []
    for _ in range(_ROUNDS):
        event = launch()
        event.wait()
        times.append(1e-9 * (event.profile.end - event.profile.start))
    return max(min(times), 1e-9)
