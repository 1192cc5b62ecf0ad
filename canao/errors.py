"""Errors that canao raises.

Every message says what was wrong, where, and what to do about it. All of them
derive from `CanaoError`, so one `except` clause covers the whole package.
"""

from __future__ import annotations


class CanaoError(Exception):
    """Base class of every error that canao raises on purpose."""


class UnsupportedOpError(CanaoError):
    """A model uses an operator that has no conversion to the canao dialect."""

    def __init__(self, op: str, location: str = "", hint: str = "") -> None:
        self.op = op
        self.location = location
        where = f" at {location}" if location else ""
        self.hint = hint or "rewrite the model without it, or ask for support"
        super().__init__(f"operator '{op}'{where} is not supported; {self.hint}")


class UnsupportedModelError(CanaoError):
    """A model does what canao cannot compile: it mutates state, has dynamic shapes, and so on."""


class UndecidedError(CanaoError):
    """A question about shapes whose answer depends on a dimension known when the model runs."""


class ShapeMismatchError(CanaoError):
    """An input has another shape, dtype or count than the model was compiled for."""


class ToolchainError(CanaoError):
    """No usable compiler was found, or it refused the emitted code."""


class CacheError(CanaoError):
    """The build cache cannot be read or written."""


class VerificationError(CanaoError):
    """A module or a schedule broke a rule that it must keep."""


class IllegalScheduleError(VerificationError):
    """A schedule would run a statement before one that it depends on."""


class MissingExtraError(CanaoError):
    """An optional part of canao was asked for and is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs a part that is not installed; run: pip install 'canao[{extra}]'"
        )


class ExecutionError(CanaoError):
    """Compiled code crashed, hung, or ended with an error."""


class HungError(ExecutionError):
    """Compiled code did not end in time and was stopped."""


class FailedCheckError(ExecutionError):
    """A check in compiled code failed: an index out of range, an integer division by zero."""


class InputFileError(CanaoError):
    """A file given by the user is missing, malformed or of another kind."""


class PeerError(CanaoError):
    """A peer of the benchmarks is not installed, failed, or gave no answer in time."""


class DeviceError(CanaoError):
    """A device is missing, cannot be reached, is too small for a model, or was lost."""


class SearchError(CanaoError):
    """A search cannot start or go on: its study, storage or task does not fit what was asked."""


class CandidateError(CanaoError):
    """One architecture failed to compile, crashed, hung or took all memory; the search goes on."""


class DivergedError(CanaoError):
    """The loss of a training is no finite number any more."""
