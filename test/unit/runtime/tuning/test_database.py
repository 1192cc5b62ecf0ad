from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from canao.building.cache import Cache, digest
from canao.errors import CacheError, InputFileError
from canao.lowering.schedules.schedule import Packed, Schedule, StageSchedule
from canao.tuning.database import (
    FILE_NAME,
    Database,
    Measurement,
    Outcome,
    Record,
    TuningKey,
    lowering_digest,
)
from canao.tuning.tuning_file import parse_schedule, read_records, write_records

KEY = TuningKey(
    digest("layer"), "x86_64-linux-gnu", "cpu", "avx2 fma", 2, "float32", "gcc 12", digest("code")
)
MODULE = """builtin.module {
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
    func.return %x : tensor<4x8xf32>
  }
}"""


def _schedule(tile: int) -> Schedule:
    return Schedule((4,), (StageSchedule((0, 1), (tile, 16), 1),), (Packed(1, 16),))


def _measured(tile: int, ms: float | None = 1.0, outcome: Outcome = Outcome.ok) -> Measurement:
    schedule = _schedule(tile)
    return Measurement(
        schedule.to_json(),
        schedule.name,
        outcome,
        ms,
        27 if ms else 0,
        digest(str(tile)),
        "" if ms else "SIGSEGV",
        "2026-01-02T03:04:05+00:00",
    )


def _fill(database: Database, key: TuningKey = KEY) -> Record:
    database.add_layer(key, "add -> 4x8", MODULE)
    for measurement in (_measured(1), _measured(2, 0.5), _measured(3, None, Outcome.crashed)):
        database.put(key, measurement)
    database.finish(key, _schedule(2).to_json(), "default")
    record = database.find(key)
    assert record is not None
    return record


@pytest.fixture
def database(cache: Cache) -> Iterator[Database]:
    with closing(Database(cache)) as opened:
        yield opened


def test_what_is_put_is_found(database: Database, cache: Cache) -> None:
    record = _fill(database)
    assert [m.outcome for m in record.measurements] == [Outcome.ok, Outcome.ok, Outcome.crashed]
    assert record.best == _measured(2, 0.5)
    assert (record.searched, record.ops, record.module) == ("default", "add -> 4x8", MODULE)
    with closing(Database(cache)) as again:
        assert again.records() == (record,)
    assert database.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("field", [name for name in asdict(KEY) if name != "threads"])
def test_every_part_of_the_key_counts(database: Database, field: str) -> None:
    _fill(database)
    assert database.find(replace(KEY, **{field: digest("other")})) is None
    assert database.find(replace(KEY, threads=3)) is None


def test_a_second_measurement_replaces_the_first(database: Database) -> None:
    _fill(database)
    database.put(KEY, _measured(2, 0.25))
    record = database.find(KEY)
    assert record is not None
    assert record.best == _measured(2, 0.25)
    assert len(record.measurements) == 3


def test_changes_count_winners_that_were_replaced(database: Database) -> None:
    _fill(database)
    assert database.changes() == 0
    database.finish(KEY, _schedule(2).to_json(), "full")
    assert database.changes() == 0
    database.finish(KEY, _schedule(1).to_json(), "full")
    assert database.changes() == 1
    database.remove([KEY])
    assert database.changes() == 2
    assert database.records() == ()


def test_the_lowering_is_hashed() -> None:
    assert len(lowering_digest()) == 64


_OLDER = (
    "CREATE TABLE layers (id INTEGER PRIMARY KEY, layer TEXT NOT NULL, triple TEXT NOT NULL, "
    "cpu TEXT NOT NULL, features TEXT NOT NULL, threads INTEGER NOT NULL, dtype TEXT NOT NULL, "
    "toolchain TEXT NOT NULL, lowering TEXT NOT NULL, ops TEXT NOT NULL, module TEXT NOT NULL, "
    "searched TEXT NOT NULL, winner TEXT NOT NULL, "
    "UNIQUE (layer, triple, cpu, features, threads, dtype, toolchain, lowering))",
    "CREATE TABLE measurements (layer_id INTEGER NOT NULL REFERENCES layers (id) ON DELETE CASCADE,"
    " schedule TEXT NOT NULL, name TEXT NOT NULL, outcome TEXT NOT NULL, ms REAL, "
    "runs INTEGER NOT NULL, binary TEXT NOT NULL, reason TEXT NOT NULL, measured_at TEXT NOT NULL,"
    " PRIMARY KEY (layer_id, schedule))",
    "CREATE TABLE changes (count INTEGER NOT NULL)",
    "INSERT INTO changes VALUES (7)",
)
"""The first layout; the second has what a measurement may be wrong by too."""


@pytest.mark.parametrize("version", [1, 2])
def test_a_database_of_an_older_layout_is_taken_over(cache: Cache, version: int) -> None:
    with closing(sqlite3.connect(cache.root / FILE_NAME)) as connection, connection:
        for statement in _OLDER:
            connection.execute(statement)
        if version == 2:
            added = "ADD COLUMN error_ms REAL NOT NULL DEFAULT 0"
            connection.execute(f"ALTER TABLE measurements {added}")
        connection.execute(f"PRAGMA user_version = {version}")
        older = [v for name, v in asdict(KEY).items() if name not in ("device", "unit")]
        winner = _schedule(2).to_json()
        layer = (5, *older, "add -> 4x8", MODULE, "default", winner)
        connection.execute(f"INSERT INTO layers VALUES ({', '.join('?' * len(layer))})", layer)
        for found in (_measured(1), _measured(2, 0.5)):
            values = (5, *asdict(found).values())
            row = values if version == 2 else values[:-1]
            connection.execute(
                f"INSERT INTO measurements VALUES ({', '.join('?' * len(row))})", row
            )
    with closing(Database(cache)) as database:
        (record,) = database.records()
        assert record.key == KEY
        assert record.measurements == (_measured(1), _measured(2, 0.5))
        assert record.best == _measured(2, 0.5)
        assert database.changes() == 7
        database.put(KEY, replace(_measured(1), error=0.25))
    with closing(Database(cache)) as database:
        (record,) = database.records()
        assert max(m.error for m in record.measurements) == 0.25
        database.remove([KEY])
        kept = "SELECT count(*) FROM measurements"
        with closing(sqlite3.connect(database.path)) as connection:
            assert connection.execute(kept).fetchone() == (0,)


def test_another_layout_is_an_error(cache: Cache) -> None:
    with closing(Database(cache)) as database:
        path = database.path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CacheError, match="layout 99 of another version"):
        Database(cache)


def test_a_damaged_file_is_an_error(cache: Cache) -> None:
    (cache.root / "tuning.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(CacheError, match=r"tuning\.sqlite cannot be used"):
        Database(cache)


_WRITER = """
import sys
from unit.runtime.tuning.test_database import KEY, MODULE, _measured
from dataclasses import replace
from canao.building.cache import Cache
from canao.tuning.database import Database

database = Database(Cache(sys.argv[1]))
database.add_layer(KEY, "shared", MODULE)
own = replace(KEY, cpu=sys.argv[2])
database.add_layer(own, "own", MODULE)
for tile in range(1, 60):
    database.put(KEY, _measured(tile))
    database.put(own, _measured(tile))
    database.finish(KEY, _measured(tile).schedule, "default")
"""


def test_two_processes_write_one_database(tmp_path: Path) -> None:
    roots = f"{Path(__file__).parents[4]}:{Path(__file__).parents[3]}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), name], env={"PYTHONPATH": roots}
        )
        for name in ("one", "two")
    ]
    assert [process.wait() for process in processes] == [0, 0]
    with closing(Database(Cache(tmp_path))) as database:
        records = database.records()
    assert sorted(r.ops for r in records) == ["own", "own", "shared"]
    assert all(len(r.measurements) == 59 for r in records)


# ----------------------------------------------------------------------- files


def test_a_file_brings_everything_back(database: Database, tmp_path: Path) -> None:
    record = _fill(database)
    write_records(tmp_path / "file.json", database.records())
    assert read_records(tmp_path / "file.json") == (record,)
    with closing(Database(Cache(tmp_path / "other"))) as other:
        other.add_layer(KEY, "older", MODULE)
        other.put(KEY, _measured(7))
        other.merge(read_records(tmp_path / "file.json"))
        assert other.records() == (record,)
        assert other.changes() == 1


Change = Callable[[dict[str, Any]], object]


def _first(content: dict[str, Any]) -> dict[str, Any]:
    return content["records"][0]


def _measurement(content: dict[str, Any]) -> dict[str, Any]:
    return _first(content)["measurements"][0]


_SPOILED: dict[str, tuple[Change, str]] = {
    "format": (lambda c: c.update(format="other"), "its format is not"),
    "version": (lambda c: c.update(version=1), "its version is 1"),
    "no records": (lambda c: c.pop("records"), "records is not a list"),
    "missing field": (lambda c: _first(c).pop("module"), "must be an object with the fields"),
    "more fields": (lambda c: _first(c).update(extra=1), "must be an object with the fields"),
    "hash": (lambda c: _first(c)["key"].update(layer="../x"), "key.layer is not a hash"),
    "threads": (lambda c: _first(c)["key"].update(threads=True), "key.threads"),
    "module": (lambda c: _first(c).update(module="rm -rf"), "module is not a module"),
    "searched": (lambda c: _first(c).update(searched="half"), "searched is 'half'"),
    "no winner": (lambda c: _first(c).update(winner=""), "do not agree"),
    "winner": (lambda c: _first(c).update(winner="{}"), "winner was not measured"),
    "outcome": (lambda c: _measurement(c).update(outcome="fine"), "outcome is 'fine'"),
    "cost": (lambda c: _measurement(c).update(cost=None), "cost does not fit"),
    "negative": (lambda c: _measurement(c).update(cost=-1.0), "cost does not fit"),
    "infinite": (lambda c: _measurement(c).update(cost=float("inf")), "cost does not fit"),
    "runs": (lambda c: _measurement(c).update(runs=1.5), "runs is not a count"),
    "error": (lambda c: _measurement(c).update(error=-1), "error is not a cost"),
    "unit": (lambda c: _first(c)["key"].update(unit="s"), "key.unit is 's'"),
    "schedule": (lambda c: _measurement(c).update(schedule="[]"), "is not a schedule"),
    "name": (lambda c: _measurement(c).update(name="best"), "name is not that of its schedule"),
    "binary": (lambda c: _measurement(c).update(binary="x"), "binary is not a hash"),
    "time": (lambda c: _measurement(c).update(measured_at="noon"), "measured_at is not a time"),
    "twice": (
        lambda c: _first(c)["measurements"].append(dict(_measurement(c))),
        "a schedule twice",
    ),
    "two records": (lambda c: c["records"].append(_first(c)), "two records of one layer"),
}


@pytest.mark.parametrize("name", _SPOILED)
def test_a_bad_file_is_one_clear_error(database: Database, tmp_path: Path, name: str) -> None:
    _fill(database)
    path = tmp_path / "file.json"
    write_records(path, database.records())
    content: dict[str, Any] = json.loads(path.read_text())
    spoil, message = _SPOILED[name]
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputFileError) as raised:
        read_records(path)
    assert message in str(raised.value)
    assert "nothing was imported" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", "[" * 100000])
def test_a_file_that_is_no_json_object(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(InputFileError):
        read_records(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot be read"):
        read_records(tmp_path / "none.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputFileError, match="cannot be written"):
        write_records(tmp_path / "file" / "file.json", ())


@pytest.mark.parametrize(
    "change",
    [
        {"band": [-1]},
        {"band": [1.0]},
        {"band": ["1"]},
        {"band": "12"},
        {"other": 1},
        {"stages": [{}]},
        {"packed": [{"input": 0}]},
    ],
    ids=str,
)
def test_what_is_no_schedule(change: dict[str, Any]) -> None:
    good = json.loads(_schedule(1).to_json())
    assert parse_schedule(json.dumps(good)) == _schedule(1)
    with pytest.raises(ValueError, match="not a schedule"):
        parse_schedule(json.dumps({**good, **change}))
