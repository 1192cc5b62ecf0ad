"""Tuning records as a JSON file: written, read, and checked field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

from canao.devices.device import INSTRUCTIONS, MILLISECONDS
from canao.errors import InputFileError
from canao.files import replace_text
from canao.lowering.schedules.schedule import Schedule
from canao.tuning.database import Measurement, Outcome, Record, TuningKey

_FORMAT, _VERSION = "canao tuning", 3
_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 1 << 28
_UNITS = (MILLISECONDS, INSTRUCTIONS)
_SEARCHED = ("", "default", "full")
_MEASURED = (Outcome.ok, Outcome.slow, Outcome.duplicate)


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write records to a file, replacing it in one step."""
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "records": [asdict(record) for record in records],
    }
    replace_text(path, json.dumps(content, indent=1) + "\n")


def read_records(path: Path) -> tuple[Record, ...]:
    """The records of a file; `InputFileError` if anything in it is not as it must be."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputFileError(f"{path} is too large for a tuning file; name another one")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or error
        raise InputFileError(f"{path} cannot be read ({reason}); name another file") from error
    except (ValueError, RecursionError) as error:
        raise _malformed(path, f"it is not JSON: {error}") from error
    try:
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT!r}")
        if content.get("version") != _VERSION:
            raise ValueError(f"its version is {content.get('version')!r}, not {_VERSION}")
        rows = _list(content.get("records"), "records")
        records = tuple(_record(row, f"records[{n}]") for n, row in enumerate(rows))
    except ValueError as error:
        raise _malformed(path, str(error)) from error
    if len({record.key for record in records}) != len(records):
        raise _malformed(path, "it has two records of one layer")
    return records


def _malformed(path: Path, what: str) -> InputFileError:
    return InputFileError(
        f"{path} is not a sound tuning file: {what}; nothing was imported, export it again"
    )


def _record(row: Any, where: str) -> Record:
    values = _object(row, Record, where)
    key = _key(values["key"], f"{where}.key")
    measurements = tuple(
        _measurement(m, f"{where}.measurements[{n}]")
        for n, m in enumerate(_list(values["measurements"], f"{where}.measurements"))
    )
    record = Record(
        key=key,
        ops=_text(values["ops"], f"{where}.ops"),
        module=_module(values["module"], f"{where}.module"),
        searched=_text(values["searched"], f"{where}.searched"),
        winner=_text(values["winner"], f"{where}.winner"),
        measurements=measurements,
    )
    if record.searched not in _SEARCHED:
        raise ValueError(f"{where}.searched is {record.searched!r}")
    if len({m.schedule for m in measurements}) != len(measurements):
        raise ValueError(f"{where}.measurements has a schedule twice")
    if bool(record.winner) != bool(record.searched):
        raise ValueError(f"{where}.winner and {where}.searched do not agree")
    if record.winner and (record.best is None or record.best.outcome is not Outcome.ok):
        raise ValueError(f"{where}.winner was not measured")
    return record


def _key(row: Any, where: str) -> TuningKey:
    values = _object(row, TuningKey, where)
    threads = values.pop("threads")
    if type(threads) is not int or threads < 1:
        raise ValueError(f"{where}.threads is not a number of threads")
    texts = {name: _text(value, f"{where}.{name}") for name, value in values.items()}
    for name in ("layer", "lowering"):
        if not _HEXADECIMAL.fullmatch(texts[name]):
            raise ValueError(f"{where}.{name} is not a hash")
    if texts["unit"] not in _UNITS:
        raise ValueError(f"{where}.unit is {texts['unit']!r}")
    return TuningKey(threads=threads, **texts)


def _measurement(row: Any, where: str) -> Measurement:
    values = _object(row, Measurement, where)
    outcome, cost, runs = values["outcome"], values["cost"], values["runs"]
    if outcome not in set(Outcome):
        raise ValueError(f"{where}.outcome is {outcome!r}")
    measured = type(cost) in (int, float) and isfinite(cost) and cost > 0
    if measured != (Outcome(outcome) in _MEASURED) or not (measured or cost is None):
        raise ValueError(f"{where}.cost does not fit its outcome")
    error = values["error"]
    if type(error) not in (int, float) or not isfinite(error) or error < 0:
        raise ValueError(f"{where}.error is not a cost")
    if type(runs) is not int or runs < 0:
        raise ValueError(f"{where}.runs is not a count")
    schedule = parse_schedule(_text(values["schedule"], f"{where}.schedule"), f"{where}.schedule")
    found = Measurement(
        schedule=schedule.to_json(),
        name=schedule.name,
        outcome=Outcome(outcome),
        cost=cost,
        runs=runs,
        binary=_text(values["binary"], f"{where}.binary"),
        reason=_text(values["reason"], f"{where}.reason"),
        measured_at=_text(values["measured_at"], f"{where}.measured_at"),
        error=error,
    )
    if values["name"] != schedule.name:
        raise ValueError(f"{where}.name is not that of its schedule")
    if found.binary and not _HEXADECIMAL.fullmatch(found.binary):
        raise ValueError(f"{where}.binary is not a hash")
    try:
        datetime.fromisoformat(found.measured_at)
    except ValueError:
        raise ValueError(f"{where}.measured_at is not a time") from None
    return found


def parse_schedule(text: str, where: str = "schedule") -> Schedule:
    """A schedule from its JSON text; `ValueError` for anything but what `to_json` writes."""
    try:
        schedule = Schedule.from_json(text)
        same = json.loads(text) == json.loads(schedule.to_json())
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{where} is not a schedule ({type(error).__name__}: {error})") from None
    if not same or not _made_of_numbers(json.loads(text)):
        raise ValueError(f"{where} is not a schedule")
    return schedule


def _made_of_numbers(value: Any) -> bool:
    """Whether the leaves are truth values, whole numbers that are not negative, or None."""
    if isinstance(value, dict):
        return all(map(_made_of_numbers, value.values()))
    if isinstance(value, list):
        return all(map(_made_of_numbers, value))
    return value is None or isinstance(value, bool) or (isinstance(value, int) and value >= 0)


def _module(value: Any, where: str) -> str:
    from canao.runtime.parse import parse_module

    text = _text(value, where)
    try:
        parse_module(text).verify()
    except Exception as error:
        # xDSL has no common class for what parsing and verifying raise.
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{where} is not a module of the canao dialect ({first})") from None
    return text


def _object(value: Any, kind: type[Any], where: str) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    if not isinstance(value, dict) or set(value) != names:
        raise ValueError(f"{where} must be an object with the fields {', '.join(sorted(names))}")
    return dict(value)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where} is not a list")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where} is not a text")
    return value
