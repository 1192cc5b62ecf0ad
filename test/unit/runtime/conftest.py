"""A program as lowering would make it, written by hand: y = x * w + 2 * b, rows reversed,
and s = sum of ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from canao.building.cache import Cache
from canao.building.support import support_text
from canao.building.toolchain import Compiler, find_compiler
from canao.machine.target import Target
from canao.program import Counts, KernelSpec, Program, TensorSpec

ROWS, COLUMNS = 33, 16

_UNIT = """
#include <math.h>

typedef struct {
  canao_pool *pool;
} unit;

typedef struct {
  unit *unit;
  const float *x, *w, *b;
  const long long *ids;
  float *y, *scratch;
  long long *sum;
} call;

static void scale(void *ctx, int tid, long row) {
  call *c = (call *)ctx;
  (void)tid;
  for (int i = 0; i < COLUMNS; ++i)
    c->scratch[row * COLUMNS + i] = c->x[row * COLUMNS + i] * c->w[i];
}

static void shift(void *ctx, int tid, long row) {
  call *c = (call *)ctx;
  (void)tid;
  for (int i = 0; i < COLUMNS; ++i)
    c->y[row * COLUMNS + i] = c->scratch[(ROWS - 1 - row) * COLUMNS + i] + c->b[i];
  if (row) return;
  *c->sum = 0;
  for (int i = 0; i < 4; ++i) *c->sum += c->ids[i];
}

static const canao_step steps[] = {{scale, ROWS, 0}, {shift, ROWS, 0}};

int canao_open(int threads, void **handle) {
  unit *u = (unit *)calloc(1, sizeof(unit));
  if (!u) return ENOMEM;
  int error = canao_pool_create(threads, steps, 2, NULL, &u->pool);
  if (error) free(u);
  else *handle = u;
  return error;
}

int canao_run(void *handle, const void *const *inputs, const void *const *weights,
              void *const *outputs, void *arena) {
  HOOK
  call c = {(unit *)handle, (const float *)inputs[0], (const float *)weights[0],
            (const float *)weights[1], (const long long *)inputs[1], (float *)outputs[0],
            (float *)arena, (long long *)outputs[1]};
  canao_pool_run(c.unit->pool, &c);
  return 0;
}

int canao_profile(void *handle, const void *const *inputs, const void *const *weights,
                  void *const *outputs, void *arena, double *seconds) {
  long long start = canao_nanoseconds();
  int status = canao_run(handle, inputs, weights, outputs, arena);
  seconds[0] = seconds[1] = (double)(canao_nanoseconds() - start) * 0.5e-9;
  return status;
}

const char *canao_message(int status) { return status == 1 ? "x must not be empty" : 0; }

void canao_close(void *handle) {
  canao_pool_destroy(((unit *)handle)->pool);
  free(handle);
}
"""

PREPARE = """
func.func @prepare() -> (tensor<16xf32>, tensor<16xf32>) {
  %w = canao.weight "w" : tensor<16xf32>
  %b = canao.weight "b" : tensor<16xf32>
  %sum = canao.add %b, %b : (tensor<16xf32>, tensor<16xf32>) -> tensor<16xf32>
  func.return %w, %sum : tensor<16xf32>, tensor<16xf32>
}
"""


def affine_program(hook: str = "", threads: int = 2) -> Program:
    """The program; `hook` is C that runs first in each call."""
    sizes = f"#define ROWS {ROWS}\n#define COLUMNS {COLUMNS}\n"
    size = ROWS * COLUMNS
    kernels = (
        KernelSpec("scale", ("mul",), size, 8 * size, 1, "rows"),
        KernelSpec("shift", ("add", "reverse"), size, 8 * size, 1, "rows", ("rows", "columns")),
    )
    return Program(
        source=support_text("pool.h") + sizes + _UNIT.replace("HOOK", hook),
        inputs=(TensorSpec("x", "float32", (ROWS, COLUMNS)), TensorSpec("ids", "int64", (4,))),
        outputs=(TensorSpec("y", "float32", (ROWS, COLUMNS)), TensorSpec("s", "int64", (1,))),
        weights=(TensorSpec("w", "float32", (16,)), TensorSpec("b2", "float32", (16,))),
        prepare=PREPARE,
        arena_bytes=4 * size,
        kernels=kernels,
        calls=(0, 1),
        counts=Counts(3, 2, 3, 2),
        threads=threads,
    )


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(scope="session")
def compiler() -> Compiler:
    return find_compiler()


@pytest.fixture(scope="session")
def host() -> Target:
    return Target.host()


@pytest.fixture(scope="session")
def make_program() -> Callable[..., Program]:
    return affine_program


@pytest.fixture(scope="session")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that tells Debian's loader of PoCL's library, which pyopencl has."""
    import pyopencl

    (library,) = (Path(pyopencl.__file__).parent / ".libs").glob("libpocl*.so")
    directory = tmp_path_factory.mktemp("vendors")
    (directory / "pocl.icd").write_text(f"{library}\n")
    return directory
