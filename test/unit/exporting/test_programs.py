"""Exported programs of small models: built by each compiler, checked, refused, embedded."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from torch.export import Dim
from unit.exporting.exported_models import (
    COMPILERS,
    STRICT,
    Mixed,
    library,
    make,
    mixed_inputs,
    run,
)

import canao

OUTPUTS = ("o0", "o1", "o2", "o3")
FILES = ("ids", "mask", "bias", *OUTPUTS)


@pytest.fixture(scope="module", params=["fixed", "varying"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program, built with the flags of compiled models; beside it inputs and wanted outputs."""
    dims = {0: Dim("batch", min=1, max=3), 1: Dim("rows", min=2, max=20)}
    shapes = None if request.param == "fixed" else (dims, dims, None)
    inputs = mixed_inputs()
    compiled = canao.compile(Mixed(), inputs, tune="off", threads=2, dynamic_shapes=shapes)
    path = compiled.export(tmp_path_factory.mktemp(request.param) / "program")
    for name, tensor in zip(FILES, inputs, strict=False):
        tensor.numpy().tofile(path / name)
    for name, tensor in zip(OUTPUTS, compiled(*inputs), strict=True):
        tensor.numpy().tofile(path / f"wanted-{name}")
    make(path)
    return path


def _arguments(path: Path) -> list[str]:
    varies = bool(json.loads((path / "metadata.json").read_text())["sizes"])
    return [*(["--size", "batch=2", "--size", "rows=9"] if varies else []), *FILES]


def test_the_same_bits_as_compiled(exported: Path) -> None:
    for threads in (1, 2):
        done = run(exported, *_arguments(exported), "--threads", threads, "--time", 2)
        assert (done.returncode, done.stderr) == (0, "")
        for name in OUTPUTS:
            found, wanted = exported / name, exported / f"wanted-{name}"
            assert found.read_bytes() == wanted.read_bytes()
            found.unlink()


@pytest.mark.parametrize("standard", ["c11", "gnu11"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_compiler_warns(exported: Path, compiler: str, standard: str, tmp_path: Path) -> None:
    for name in ("model.c", "main.c", "kernels.c"):
        command = [*COMPILERS[compiler].split(), *STRICT.split(), f"-std={standard}", "-O0"]
        command += ["-Wno-psabi", "-c", str(exported / name), "-o", str(tmp_path / "o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_no_state_outside_of_instances(exported: Path, tmp_path: Path) -> None:
    readelf = shutil.which("readelf")
    assert readelf
    for name in ("model.c", "kernels.c"):
        made = tmp_path / "o"
        command = ["gcc", "-O1", "-c", str(exported / name), "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True)
        listed = subprocess.run(
            [readelf, "-SW", str(made)], check=True, capture_output=True, text=True
        ).stdout
        sizes = {
            words[0]: int(words[4], 16)
            for line in listed.splitlines()
            if len(words := line.partition("]")[2].split()) > 5 and words[0][0] == "."
        }
        assert (sizes[".data"], sizes[".bss"]) == (0, 0)


CXX = """
#include <cstdio>
#include <vector>
#include "model.h"
int main(int, char **arguments) {
  other_model_status status;
  other_model *model = other_model_open(arguments[1], 1, 0, &status);
  if (!model) return std::puts(other_model_text(status)), 1;
  std::vector<std::vector<char>> rooms;
  const int64_t sizes[] = {2, 9};
  const void *inputs[OTHER_MODEL_INPUTS];
  void *outputs[OTHER_MODEL_OUTPUTS];
  for (int i = 0; i < OTHER_MODEL_INPUTS; ++i)
    rooms.emplace_back(other_model_input_bytes(i, sizes) + 1), inputs[i] = rooms.back().data();
  for (int i = 0; i < OTHER_MODEL_OUTPUTS; ++i)
    rooms.emplace_back(other_model_output_bytes(i, sizes) + 1), outputs[i] = rooms.back().data();
  status = other_model_run(model, inputs, sizes, outputs);
  std::printf("%s\\n", other_model_text(status));
  other_model_close(model);
  return status;
}
"""


def test_called_from_cxx_under_another_name(tmp_path: Path) -> None:
    path = canao.compile(Mixed(), mixed_inputs(), tune="off", threads=1).export(
        tmp_path, name="other"
    )
    (path / "caller.cc").write_text(CXX)
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    for file in ("model", "kernels"):
        command = ["gcc", "-O1", "-c", f"{file}.c", "-o", f"{file}.o"]
        subprocess.run(command, cwd=path, check=True, capture_output=True)
    command = ["g++", *strict, "caller.cc", "model.o", "kernels.o", "-lm", "-pthread", "-o", "c"]
    subprocess.run(command, cwd=path, check=True)
    done = subprocess.run(["./c", "weights.bin"], cwd=path, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"nothing is wrong\n")
    symbols = subprocess.run(
        ["nm", "-g", "--defined-only", "model.o", "kernels.o"],
        cwd=path, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names = [line.split()[2] for line in symbols.splitlines() if len(line.split()) == 3]
    assert names
    assert all(name.startswith("other_model_") for name in names)


@pytest.mark.parametrize("name", ["", "1st", "a-b", "a b", "ä", 'x"', "x" * 61])
def test_names_that_c_does_not_take(name: str, tmp_path: Path) -> None:
    compiled = canao.compile(lambda x: x + 1, mixed_inputs()[2:], tune="off", threads=1)
    with pytest.raises(canao.CanaoError, match="cannot begin the names"):
        compiled.export(tmp_path / "program", name=name)
    assert not (tmp_path / "program").exists()


def test_weights_are_checked(exported: Path) -> None:
    whole = (exported / "weights.bin").read_bytes()
    about = json.loads((exported / "metadata.json").read_text())["weights_file"]
    assert about["bytes"] == len(whole)
    assert about["crc32"] == f"{zlib.crc32(whole[64:]):08x}"
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 16
    other = bytearray(whole)
    other[40] ^= 1
    version = bytearray(whole)
    version[8] += 1
    cases: list[tuple[bytes | bytearray, str]] = [
        (b"", "no file of weights"),
        (whole[:7], "no file of weights"),
        (whole[:40], "cut off"),
        (whole[:64], "cut off"),
        (whole[:-1], "cut off"),
        (whole + b"x", "cut off or too long"),
        (bytes(len(whole)), "no file of weights"),
        (version, "no file of weights that this program reads"),
        (other, "another model or export"),
        (damaged, "checksum is wrong"),
    ]
    bad = exported / "bad.bin"
    for data, message in cases:
        bad.write_bytes(data)
        done = run(exported, *_arguments(exported), "--weights", bad)
        assert done.returncode == 1, message
        assert message in done.stderr
    assert run(exported, *_arguments(exported), "--weights", bad, "--no-checksum").returncode == 0
    for missing, message in (("none.bin", "No such file"), (".", "no file of weights")):
        done = run(exported, *_arguments(exported), "--weights", missing)
        assert (done.returncode, message in done.stderr) == (1, True)


def test_too_little_memory_is_said(exported: Path) -> None:
    """From too little for the loader up to enough: it runs or says why, and never crashes."""
    seen = set[str]()
    for kilobytes in range(2500, 26000, 500):

        def limit(most: int = kilobytes * 1024) -> None:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

        done = subprocess.run(
            [str(exported / "model"), *_arguments(exported), "--threads", "2"],
            cwd=exported, capture_output=True, text=True, check=False, preexec_fn=limit,
        )  # fmt: skip
        assert done.returncode in (0, 1, 127), (kilobytes, done.returncode, done.stderr)
        assert (done.returncode == 0) == (not done.stderr)
        seen.add(done.stderr.rpartition(": ")[2].strip() if done.returncode == 1 else "ran")
    assert "ran" in seen
    assert {"there is not enough memory", "the system starts no more threads"} & seen


def test_another_processor_is_refused(exported: Path) -> None:
    qemu = shutil.which("qemu-x86_64")
    assert qemu, "qemu-user is needed to run as another processor"
    subprocess.run(["make", "-s", "-B", "CFLAGS=-O1 -march=x86-64-v3"], cwd=exported, check=True)
    done = run(exported, *_arguments(exported), runner=(qemu, "-cpu", "Nehalem"))
    assert done.returncode == 1
    assert "the processor lacks movbe: the program was compiled for another one" in done.stderr
    make_native = ["make", "-s", "-B"]
    subprocess.run(make_native, cwd=exported, check=True)


def test_run_from_another_place(exported: Path, tmp_path: Path) -> None:
    """The weights are found beside the program, through a link and by the search path too."""
    (tmp_path / "link").symlink_to(exported / "model")
    arguments = [str(exported / a) if a in FILES else a for a in _arguments(exported)]
    done = subprocess.run([str(tmp_path / "link"), *arguments], cwd=tmp_path, check=False)
    assert done.returncode == 0
    done = subprocess.run(
        ["model", *arguments], cwd=tmp_path, check=False, env={"PATH": str(exported)}
    )
    assert done.returncode == 0


def test_cmake(exported: Path, tmp_path: Path) -> None:
    cmake = shutil.which("cmake")
    assert cmake, "cmake is needed to build an exported program with it"
    flags = "-Wall -Wextra -Werror -pedantic"
    configure = [cmake, "-S", str(exported), "-B", str(tmp_path), f"-DCMAKE_C_FLAGS={flags}"]
    subprocess.run(configure, check=True, capture_output=True)
    subprocess.run([cmake, "--build", str(tmp_path)], check=True, capture_output=True)
    arguments = [str(exported / a) if a in FILES else a for a in _arguments(exported)]
    subprocess.run([str(tmp_path / "model"), *arguments], check=True)
    for name in OUTPUTS:
        assert (exported / name).read_bytes() == (exported / f"wanted-{name}").read_bytes()


def test_the_file_of_weights_lies_as_the_metadata_says(exported: Path) -> None:
    data = json.loads((exported / "metadata.json").read_text())
    assert data["weights"]
    assert all(weight["offset"] % 64 == 0 for weight in data["weights"])
    assert {"name", "ops", "variant", "calls"} <= data["kernels"][0].keys()
    assert np.fromfile(exported / "weights.bin", np.uint8)[:8].tobytes() == b"CANAOW\x1a\n"
    assert library(exported).is_file()
