"""`canao demo`."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from canao.cli.console import console
from canao.cli.options import CacheDir, Threads, Tune
from canao.cli.models import TuneChoice
from canao.cli.progress import shown_progress
from canao.errors import MissingExtraError

_out = console()
