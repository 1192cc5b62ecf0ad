"""What C and OpenCL exports have in common: `model.h`, the functions behind it, and `main.c`."""

from __future__ import annotations

from collections.abc import Sequence

from canao.exporting.header import exporting_text

SYSTEM = """\
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* what C leaves to the system: threads, clocks, mapped files */
#endif"""
"""What a file begins with, so that it compiles as strict C11 too."""

_INCLUDES = """\
#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
"""
_FUNCTIONS = ("open", "run", "message", "close", "profile")
"""Of the kernels' interface; `bert_model_kernels_open` in a program with several models."""

KERNELS = "\n".join(f"#define canao_{name} canao_model_kernels_{name}" for name in _FUNCTIONS)
"""Gives the kernels' interface names of this export."""

_DECLARED = """\
/* What kernels.c has. */
int canao_open(int threads, void **handle);
int canao_run(void *handle, const void *const *inputs, const void *const *weights,
              void *const *outputs, void *arena);
const char *canao_message(int status);
void canao_close(void *handle);
"""


def model_text(
    tables: Sequence[str], *, processor: Sequence[str], kernels: Sequence[str], parts: Sequence[str]
) -> str:
    """`model.c`: tables, how the processor is asked, what runs kernels, and some parts."""
    return "\n".join(
        [
            "/* Made by canao: what stands behind the functions of model.h. */",
            SYSTEM,
            _INCLUDES,
            *tables,
            "",
            *processor,
            "",
            *kernels,
            "",
            *map(exporting_text, ("checksum.c", "weights.c", "instance.c", *parts)),
        ]
    )


def from_c() -> list[str]:
    """For `model.c`: the functions of `kernels.c`."""
    return [KERNELS, _DECLARED]


def main_text(name: str) -> str:
    """A program around the model."""
    text = exporting_text(name)
    for part in ("command", "beside", "refuse"):
        text = text.replace(f"/* @{part} */", exporting_text(f"{part}.c").strip())
    return text
