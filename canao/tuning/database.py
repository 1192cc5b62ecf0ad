"""The tuning database: what was measured for which layer on which machine.

One SQLite file in the cache directory. A record stands for a distinct layer on
one processor of one device, with one number of threads, one C compiler and one state of the
lowering: another one of these is another record, so that a measurement is
never taken for what it is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any

from canao.building.cache import Cache, digest
from canao.errors import CacheError
from canao.package import ROOT

SCHEMA_VERSION = 3
FILE_NAME = "tuning.sqlite"

_BUSY_SECONDS = 60.0
_LOWERING = ("dialects", "lowering", "machine", "polyhedral", "transforms")
"""The packages that decide what C a layer becomes under a schedule."""


class Outcome(StrEnum):
    """How measuring a schedule ended."""

    ok = "ok"
    slow = "too slow"
    """Stopped early: a few runs showed that it would not win."""
    duplicate = "duplicate"
    """The same machine code as another schedule, whose time it has."""
    crashed = "crashed"
    timeout = "timeout"
    wrong = "wrong"
    """Not what the cost model's choice computes."""
    illegal = "illegal"
    """Refused by the proof of legality, the emitter or the C compiler."""


@dataclass(frozen=True)
class TuningKey:
    """What a measurement holds for."""

    layer: str
    """SHA-256 of the layer's text."""
    triple: str
    cpu: str
    features: str
    threads: int
    dtype: str
    toolchain: str
    lowering: str
    """Hash of the lowering's own code: another one may emit other loops."""
    device: str = ""
    """The text of the device on which it was measured; empty for this process's machine."""
    unit: str = "ms"
    """What costs are counted in: "ms" or "instructions"."""


@dataclass(frozen=True)
class Measurement:
    """One schedule of a layer and how it did."""

    schedule: str
    """`Schedule.to_json`."""
    name: str
    outcome: Outcome
    cost: float | None = None
    """Median of one call, in the unit of the record's key."""
    runs: int = 0
    binary: str = ""
    """SHA-256 of the library."""
    reason: str = ""
    measured_at: str = ""
    """When, in UTC, as ISO 8601 has it."""
    error: float = 0.0
    """The standard error of `cost`."""


@dataclass(frozen=True)
class Record:
    """A layer, its measurements and, once the search has ended, its winner."""

    key: TuningKey
    ops: str
    """The operations of the layer, for people."""
    module: str
    """The layer as a module of its own, to build it again."""
    searched: str
    """How far it was searched: "" (not to the end), "default" or "full"."""
    winner: str
    """The winning schedule as JSON; "" before the search has ended."""
    measurements: tuple[Measurement, ...]

    @property
    def best(self) -> Measurement | None:
        """The measurement of the winner."""
        return next((m for m in self.measurements if m.schedule == self.winner), None)


@cache
def lowering_digest() -> str:
    """The hash of the code that turns a layer and a schedule into C."""
    paths = sorted(
        path
        for package in _LOWERING
        for pattern in ("*.py", "*.h", "*.cl")
        for path in (ROOT / package).rglob(pattern)
    )
    parts: list[str | bytes] = []
    for path in paths:
        parts += [path.relative_to(ROOT).as_posix(), path.read_bytes()]
    return digest(*parts)


_KEY = tuple(field.name for field in fields(TuningKey))
_MEASURED = tuple(field.name for field in fields(Measurement))

_LAYERS = """(
        id INTEGER PRIMARY KEY,
        layer TEXT NOT NULL, triple TEXT NOT NULL, cpu TEXT NOT NULL, features TEXT NOT NULL,
        threads INTEGER NOT NULL, dtype TEXT NOT NULL, toolchain TEXT NOT NULL,
        lowering TEXT NOT NULL, device TEXT NOT NULL, unit TEXT NOT NULL,
        ops TEXT NOT NULL, module TEXT NOT NULL, searched TEXT NOT NULL, winner TEXT NOT NULL,
        UNIQUE (layer, triple, cpu, features, threads, dtype, toolchain, lowering, device, unit)
    )"""
_SCHEMA = (
    f"CREATE TABLE layers {_LAYERS}",
    """CREATE TABLE measurements (
        layer_id INTEGER NOT NULL REFERENCES layers (id) ON DELETE CASCADE,
        schedule TEXT NOT NULL, name TEXT NOT NULL, outcome TEXT NOT NULL, cost REAL,
        runs INTEGER NOT NULL, binary TEXT NOT NULL, reason TEXT NOT NULL,
        measured_at TEXT NOT NULL, error REAL NOT NULL,
        PRIMARY KEY (layer_id, schedule)
    )""",
    "CREATE TABLE changes (count INTEGER NOT NULL)",
    "INSERT INTO changes VALUES (0)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
# By the version that a file has, what makes it one of the next.
_MIGRATIONS = {
    1: ("ALTER TABLE measurements ADD COLUMN error_ms REAL NOT NULL DEFAULT 0",),
    2: (
        "ALTER TABLE measurements RENAME COLUMN ms TO cost",
        "ALTER TABLE measurements RENAME COLUMN error_ms TO error",
        # What makes a row unique cannot be changed in place.
        f"CREATE TABLE layers_anew {_LAYERS}",
        "INSERT INTO layers_anew SELECT id, layer, triple, cpu, features, threads, dtype, "
        "toolchain, lowering, '', 'ms', ops, module, searched, winner FROM layers",
        "DROP TABLE layers",
        "ALTER TABLE layers_anew RENAME TO layers",
    ),
}
# The names of columns are those of the dataclasses above: no text from outside.
_WHERE = " AND ".join(f"{name} = ?" for name in _KEY)
_INSERT_LAYER = (
    f"INSERT INTO layers ({', '.join(_KEY)}, ops, module, searched, winner) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(_KEY))}, ?, ?, '', '') ON CONFLICT DO NOTHING"
)
_PUT_MEASUREMENT = (
    f"INSERT OR REPLACE INTO measurements (layer_id, {', '.join(_MEASURED)}) "  # noqa: S608
    f"SELECT id, {', '.join('?' * len(_MEASURED))} FROM layers WHERE {_WHERE}"
)
_SELECT_LAYERS = f"SELECT id, {', '.join(_KEY)}, ops, module, searched, winner FROM layers"  # noqa: S608
_SELECT_MEASUREMENTS = (
    f"SELECT {', '.join(_MEASURED)} FROM measurements WHERE layer_id = ? ORDER BY rowid"  # noqa: S608
)


class Database:
    """The database of a cache; safe to use from several processes at once."""

    def __init__(self, cache: Cache) -> None:
        self.path = cache.root / FILE_NAME
        # Two processes that switch a new file to WAL at once would see it locked.
        with cache.lock("tuning"), self._explained():
            self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None
            )
            self.path.chmod(0o600)
            self._prepare()

    def _prepare(self) -> None:
        run = self._connection.execute
        (version,) = run("PRAGMA user_version").fetchone()
        if version not in (0, *_MIGRATIONS, SCHEMA_VERSION):
            raise CacheError(
                f"the tuning database {self.path} has the layout {version} of another version of "
                f"canao, this one reads {SCHEMA_VERSION}; remove it or pass another cache_dir"
            )
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        if version == 0:
            with self._transaction():
                for statement in _SCHEMA:
                    run(statement)
        elif version < SCHEMA_VERSION:
            with self._transaction():
                for step in range(version, SCHEMA_VERSION):
                    for statement in _MIGRATIONS[step]:
                        run(statement)
                run(f"PRAGMA user_version = {SCHEMA_VERSION}")
        # Not before: a table that is made anew would take its measurements along.
        run("PRAGMA foreign_keys = ON")

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CacheError(
                f"the tuning database {self.path} cannot be used ({error}); "
                "remove it, pass another cache_dir, or compile with tune='off'"
            ) from error

    @contextmanager
    def _transaction(self) -> Generator[None]:
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def changes(self) -> int:
        """How often a winner was replaced: programs made before are out of date."""
        with self._explained():
            (count,) = self._connection.execute("SELECT count FROM changes").fetchone()
        return count

    # ------------------------------------------------------------------ reading

    def find(self, key: TuningKey) -> Record | None:
        """The record of a key."""
        with self._explained():
            rows = self._connection.execute(f"{_SELECT_LAYERS} WHERE {_WHERE}", astuple(key))
            found = self._records(rows.fetchall())
        return found[0] if found else None

    def records(self) -> tuple[Record, ...]:
        """All records, in the order in which they were made."""
        with self._explained():
            return self._records(self._connection.execute(f"{_SELECT_LAYERS} ORDER BY id"))

    def _records(self, rows: Sequence[tuple[Any, ...]] | sqlite3.Cursor) -> tuple[Record, ...]:
        found: list[Record] = []
        for number, *values in rows:
            key = TuningKey(*values[: len(_KEY)])
            measured = self._connection.execute(_SELECT_MEASUREMENTS, (number,)).fetchall()
            ops, module, searched, winner = values[len(_KEY) :]
            found.append(
                Record(key, ops, module, searched, winner, tuple(map(_measurement, measured)))
            )
        return tuple(found)

    # ------------------------------------------------------------------ writing

    def add_layer(self, key: TuningKey, ops: str, module: str) -> None:
        """Make the record of a layer unless it is there."""
        with self._explained():
            self._connection.execute(_INSERT_LAYER, (*astuple(key), ops, module))

    def put(self, key: TuningKey, measurement: Measurement) -> None:
        """Add a measurement to a record, in place of an older one of the same schedule."""
        with self._explained():
            self._connection.execute(
                _PUT_MEASUREMENT, (*asdict(measurement).values(), *astuple(key))
            )

    def finish(self, key: TuningKey, winner: str, searched: str) -> None:
        """Note the winner of a layer that was searched to the end."""
        with self._transaction():
            self._set_winner(key, winner, searched)

    def _set_winner(self, key: TuningKey, winner: str, searched: str) -> None:
        run = self._connection.execute
        before = run(f"SELECT winner FROM layers WHERE {_WHERE}", astuple(key)).fetchone()  # noqa: S608
        run(
            f"UPDATE layers SET winner = ?, searched = ? WHERE {_WHERE}",  # noqa: S608
            (winner, searched, *astuple(key)),
        )
        if before and before[0] not in ("", winner):
            run("UPDATE changes SET count = count + 1")

    def remove(self, keys: Sequence[TuningKey]) -> None:
        """Forget layers: they are measured again when they are met again."""
        with self._transaction():
            for key in keys:
                self._connection.execute(f"DELETE FROM layers WHERE {_WHERE}", astuple(key))  # noqa: S608
            self._connection.execute("UPDATE changes SET count = count + 1")

    def merge(self, records: Sequence[Record]) -> None:
        """Put records in place of those with the same keys: all of them or, on an error, none."""
        with self._transaction():
            for record in records:
                self._connection.execute(f"DELETE FROM layers WHERE {_WHERE}", astuple(record.key))  # noqa: S608
                self._connection.execute(
                    _INSERT_LAYER, (*astuple(record.key), record.ops, record.module)
                )
                for measurement in record.measurements:
                    self._connection.execute(
                        _PUT_MEASUREMENT, (*asdict(measurement).values(), *astuple(record.key))
                    )
                self._set_winner(record.key, record.winner, record.searched)
            self._connection.execute("UPDATE changes SET count = count + 1")


def _measurement(row: tuple[Any, ...]) -> Measurement:
    values: dict[str, Any] = dict(zip(_MEASURED, row, strict=True))
    values["outcome"] = Outcome(values["outcome"])
    return Measurement(**values)
