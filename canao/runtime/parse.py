"""Parsing the IR that belongs to a program."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.func import Func
from xdsl.parser import Parser

from canao.dialects.canao import Canao


def parse_module(text: str) -> ModuleOp:
    """A module of the canao dialect from its text."""
    context = Context()
    for dialect in (Builtin, Func, Canao):
        context.load_dialect(dialect)
    return Parser(context, text).parse_module()
