"""Parsing the IR that belongs to a program."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.func import Func

from canao.dialects.canao import Canao
from canao.dialects.mlir_parser import MlirParser


def parse_module(text: str) -> ModuleOp:
    """A module of the canao dialect from its text."""
    context = Context()
    for dialect in (Builtin, Func, Canao):
        context.load_dialect(dialect)
    return MlirParser(context, text).parse_module()
