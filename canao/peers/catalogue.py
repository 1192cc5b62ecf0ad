"""Who is measured: a row a peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from canao.errors import CanaoError

RUNNERS = Path(__file__).with_name("runners")


@dataclass(frozen=True)
class Peer:
    """A way to run a model: an environment, a script, and what tells it apart."""

    name: str
    title: str
    script: Path
    """Converts and serves; one of those in `runners/`."""
    environment: str | None
    """The name of its environment; None for the one that canao runs in."""
    packages: tuple[str, ...]
    """Packages whose versions are reported."""
    route: str
    """How the model gets there, and how the peer is told its number of threads."""
    converts: bool = True
    """Whether the script has a step of conversion, done in a process of its own."""
    any_shape: bool = False
    """Whether one conversion, or one load, serves every batch and sequence."""
    for_threads: bool = False
    """Whether each number of threads has a conversion of its own."""
    cached: bool = True
    """Whether a conversion is kept from one session to the next."""
    options: Mapping[str, object] = field(default_factory=dict[str, object])


def _canao(name: str, title: str, fusion: bool | str, tune: str = "default") -> Peer:
    # Not kept: what canao makes changes with canao, which has a cache of its own.
    return Peer(
        name,
        title,
        RUNNERS / "canao_runner.py",
        None,
        ("canao", "torch", "torch-mlir", "xdsl"),
        f'canao.compile(threads=N, fusion={fusion!r}, tune="{tune}"), saved and loaded',
        for_threads=True,
        cached=False,
        options={"fusion": fusion, "tune": tune},
    )


def _vectors(name: str, title: str, vectors: str) -> Peer:
    """A model of canao on narrower registers than the processor has."""
    peer = _canao(name, title, True)
    return replace(
        peer,
        route=f'canao.compile(target=Target.host("{vectors}"), threads=N, tune="default"), saved '
        "and loaded",
        options={**peer.options, "vectors": vectors},
    )


def _any_length(name: str, title: str) -> Peer:
    """One compiled model for every batch up to 8 and every length up to 512."""
    peer = _canao(name, title, True, "off")
    return replace(
        peer,
        route="canao.compile(dynamic_shapes=AutoShapes(batch=8, sequence=512), threads=N, "
        'tune="off"), saved and loaded',
        any_shape=True,
        options={**peer.options, "any_length": True},
    )


def _opencl(name: str, title: str, fusion: bool) -> Peer:
    peer = _canao(name, title, fusion)
    return replace(
        peer,
        packages=(*peer.packages, "pyopencl"),
        route=f'canao.compile(target=Target.opencl(), fusion={fusion!r}, tune="default"), saved '
        "and loaded; PoCL with N threads",
        options={**peer.options, "opencl": True, "device": None},
    )


def on_device(peer: Peer, device: str | None) -> Peer:
    """A peer that uses OpenCL, on a device by its number, kind or name."""
    return replace(peer, options={**peer.options, "device": device})


_PEERS = (
    _canao("canao", "canao", True),
    _canao("canao-fast", "canao fast", "fast"),
    _canao("canao-unfused", "canao unfused", False),
    _canao("canao-untuned", "canao untuned", True, "off"),
    _vectors("canao-avx2", "canao AVX2", "avx2"),
    _any_length("canao-any-length", "canao any length"),
    _opencl("canao-opencl", "canao OpenCL", True),
    _opencl("canao-opencl-unfused", "canao OpenCL unfused", False),
    Peer(
        "litert",
        "LiteRT",
        RUNNERS / "litert_runner.py",
        "litert",
        ("ai-edge-litert", "litert-torch", "torch", "transformers"),
        "litert-torch (torch.export) to .tflite; Interpreter(num_threads=N) with XNNPACK",
    ),
    Peer(
        "onnxruntime",
        "ONNX Runtime",
        RUNNERS / "onnxruntime_runner.py",
        "onnxruntime",
        ("onnxruntime", "onnx", "torch", "transformers"),
        "TorchScript exporter, eager attention, dynamic axes; transformers optimizer; "
        "intra_op_num_threads=N",
        any_shape=True,
    ),
    Peer(
        "openvino",
        "OpenVINO",
        RUNNERS / "openvino_runner.py",
        "openvino",
        ("openvino", "torch", "transformers"),
        "convert_model to IR, static shapes; f32, latency hint, INFERENCE_NUM_THREADS=N",
        any_shape=True,
    ),
    Peer(
        "openvino-any-length",
        "OpenVINO any length",
        RUNNERS / "openvino_runner.py",
        "openvino",
        ("openvino", "torch", "transformers"),
        "convert_model to IR, dynamic batch and sequence; f32, latency hint, "
        "INFERENCE_NUM_THREADS=N",
        any_shape=True,
        options={"any_length": True},
    ),
    Peer(
        "pytorch",
        "PyTorch eager",
        RUNNERS / "pytorch_runner.py",
        "pytorch",
        ("torch", "transformers"),
        "SDPA attention, inference mode; torch.set_num_threads(N)",
        converts=False,
    ),
    Peer(
        "inductor",
        "PyTorch compile",
        RUNNERS / "pytorch_runner.py",
        "pytorch",
        ("torch", "transformers"),
        "torch.compile (inductor, frozen weights), SDPA attention; torch.set_num_threads(N)",
        converts=False,
        options={"compile": True},
    ),
    Peer(
        "inductor-any-length",
        "PyTorch compile any length",
        RUNNERS / "pytorch_runner.py",
        "pytorch",
        ("torch", "transformers"),
        "torch.compile(dynamic=True) (inductor, frozen weights), SDPA attention; "
        "torch.set_num_threads(N)",
        converts=False,
        any_shape=True,
        options={"compile": True, "any_length": True},
    ),
    Peer(
        "executorch",
        "ExecuTorch",
        RUNNERS / "executorch_runner.py",
        "executorch",
        ("executorch", "torch", "transformers"),
        "torch.export, XNNPACK partitioner; threads by the private _unsafe_reset_threadpool(N)",
    ),
    Peer(
        "iree",
        "IREE",
        RUNNERS / "iree_runner.py",
        "iree",
        ("iree-base-compiler", "iree-base-runtime", "iree-turbine", "torch", "transformers"),
        "iree-turbine, llvm-cpu for the host at -O3; local-task with task_topology_group_count=N",
    ),
    Peer(
        "tvm",
        "TVM",
        RUNNERS / "tvm_runner.py",
        "tvm",
        ("apache-tvm", "torch", "transformers"),
        "torch.export to Relax, not tuned; TVM_NUM_THREADS=N",
    ),
)
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in _PEERS}
"""By name; in the order of the tables."""

ENVIRONMENTS = tuple(dict.fromkeys(p.environment for p in _PEERS if p.environment))
"""The names of all environments."""


def environment_names(names: Sequence[str]) -> list[str]:
    """The environments of these peers or environments; an error that lists them if unknown."""
    chosen: list[str] = []
    for name in names:
        owner = PEERS.get(name)
        found = name if name in ENVIRONMENTS else owner.environment if owner else None
        if found is None:
            raise CanaoError(
                f"there is no environment '{name}' to install; "
                f"choose from {', '.join(ENVIRONMENTS)}"
            )
        chosen.append(found)
    return list(dict.fromkeys(chosen))


_ON_REQUEST = (
    "canao-fast",
    "canao-unfused",
    "canao-untuned",
    "canao-avx2",
    "canao-any-length",
    "canao-opencl",
    "canao-opencl-unfused",
    "openvino-any-length",
    "inductor-any-length",
)
DEFAULT_PEERS = tuple(name for name in PEERS if name not in _ON_REQUEST)


def find_peers(names: Sequence[str]) -> list[Peer]:
    """The peers of these names; an error that lists all if one is not known."""
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise CanaoError(f"there is no peer '{unknown[0]}'; choose from {', '.join(PEERS)}")
    return [PEERS[name] for name in dict.fromkeys(names)]
