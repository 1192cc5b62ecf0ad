"""`canao-opt`: reads MLIR, runs passes, prints MLIR or C.

A thin layer over xDSL's driver: it registers canao's dialects, passes and
targets, and turns what users can get wrong into one message each.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from io import BytesIO
from typing import IO

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass, PassPipelineCallbackType
from xdsl.utils.arg_spec import parse_pipeline
from xdsl.utils.exceptions import (
    ArgSpecParseError,
    DiagnosticException,
    ParseError,
    UnregisteredConstructException,
)
from xdsl.xdsl_opt_main import xDSLOptMain

from canao.dialects.mlir_parser import MlirParser
from canao.errors import CanaoError, InputFileError
from canao.frontend.mlir_text import check_text, shortened
from canao.tools.context import TorchContext
from canao.tools.registry import get_all_dialects, get_all_passes, get_all_targets

PROGRAM = "canao-opt"
_FAILED, _WRONG_USE = 1, 2
_LONGEST_LINE = 400
"""Characters of a source line that a message repeats."""


class CanaoOptMain(xDSLOptMain):
    """xDSL's driver with the dialects, passes and targets of canao."""

    version_format = "canao-opt (xDSL {xdsl_version})"

    def register_all_dialects(self) -> None:
        self.ctx = TorchContext()
        for name, dialect in get_all_dialects().items():
            self.ctx.register_dialect(name, dialect)

    def register_all_frontends(self) -> None:
        def parse(io: IO[bytes]) -> ModuleOp:
            text, name = io.read().decode(), self.get_input_name()
            return MlirParser(self.ctx, text, name).parse_module(not self.args.no_implicit_module)

        self.available_frontends["mlir"] = parse

    def parse_chunk(
        self, chunk: IO[bytes], file_extension: str, start_offset: int = 0
    ) -> ModuleOp | None:
        data = chunk.read()
        check_text(data.decode(), self.get_input_name(), start_offset)
        return super().parse_chunk(BytesIO(data), file_extension, start_offset)

    def register_all_passes(self) -> None:
        for name, make in get_all_passes().items():
            self.register_pass(name, make)

    def register_all_targets(self) -> None:
        self.available_targets.update(get_all_targets())

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        super().register_all_arguments(arg_parser)
        arg_parser.prog = PROGRAM
        arg_parser.add_argument(
            "--print-ir-after-all",
            action="store_true",
            help="print the IR on standard error as read and after each pass",
        )


def _unknown_pass(args: Sequence[str] | None) -> str | None:
    """What is wrong with the first unknown name given to `--passes`, if any is."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-p", "--passes", default="")
    pipeline: str = parser.parse_known_args(args)[0].passes
    known = get_all_passes()
    name = next((s.name for s in parse_pipeline(pipeline) if s.name not in known), None)
    if name is None:
        return None
    nearest = get_close_matches(name, known, n=1, cutoff=0.6)
    advice = f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(known)}"
    return f"no pass is called '{name}'; {advice}"


def _printing(callback: PassPipelineCallbackType | None) -> PassPipelineCallbackType:
    """`callback`, after the stage has been printed on standard error."""

    def print_stage(done: ModulePass | None, module: ModuleOp, coming: ModulePass | None) -> None:
        stage = f"after {done}" if done else "as read"
        print(f"// ----- IR {stage} -----\n{module}\n", file=sys.stderr)
        if callback is not None:
            callback(done, module, coming)

    return print_stage


def _explain(error: Exception) -> str:
    """One message for an error, starting with the place where there is one."""
    if isinstance(error, ParseError):
        return f"{error.span.get_location()}: error: {shortened(error.msg)}\n{_shown(error)}"
    if isinstance(error, OSError):
        return f"{PROGRAM}: error: cannot open '{error.filename}': {error.strerror}"
    if isinstance(error, RecursionError | MemoryError):
        return f"{PROGRAM}: error: the module is nested too deep or too large for this machine"
    if isinstance(error, InputFileError):
        # The place that it begins with is as long as the path of the file is.
        place, mark, what = str(error).partition(": ")
        return f"{PROGRAM}: error: {place}{mark}{shortened(what)}"
    return f"{PROGRAM}: error: {shortened(str(error))}"


def _shown(error: ParseError) -> str:
    """The source line with a mark below the place; nothing for a line too long to read."""
    text = str(error)
    return text if max(map(len, text.splitlines()), default=0) <= _LONGEST_LINE else ""


def main(args: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status: 0, 1 (it failed) or 2 (wrong use)."""
    try:
        tool = CanaoOptMain("Runs passes of the canao compiler on MLIR", args)
    except (ArgSpecParseError, ValueError) as error:
        # A pass that does not exist, or an option that a pass lacks or has of another type.
        unknown = _unknown_pass(args) if isinstance(error, ValueError) else None
        print(f"{PROGRAM}: error: {unknown or error}", file=sys.stderr)
        return _WRONG_USE
    tool.args.frontend = tool.args.frontend or "mlir"  # whatever the name of the file
    if tool.args.input_file == "-":
        tool.args.input_file = None
    if tool.args.print_ir_after_all:
        tool.pipeline = replace(tool.pipeline, callback=_printing(tool.pipeline.callback))
    try:
        tool.run()
    except BrokenPipeError:
        # whoever read the output has gone: nothing is left to tell, not even when closing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except (
        CanaoError,
        DiagnosticException,
        MemoryError,
        OSError,
        ParseError,
        RecursionError,
        UnicodeDecodeError,
        UnregisteredConstructException,
    ) as error:
        print(_explain(error), file=sys.stderr)
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
