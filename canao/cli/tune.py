"""What `canao tune` does besides tuning a model."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from canao.building.cache import Cache
from canao.building.toolchain import compiler_for
from canao.cli.progress import shown_progress
from canao.compiled_model import CompiledModel
from canao.devices.device import cost_text
from canao.machine.target import Target
from canao.tuning.database import Database, Record
from canao.tuning.tuning_file import read_records, write_records


@dataclass(frozen=True)
class Request:
    """The arguments of an action."""

    file: Path | None
    cache_dir: Path | None
    repair: bool
    as_json: bool
    out: Console
    device: str | None = None
    """What measures winners again; this machine if None."""

    @property
    def cache(self) -> Cache:
        """The cache whose database is meant."""
        return Cache(self.cache_dir or os.environ.get("CANAO_CACHE_DIR"))

    @contextmanager
    def database(self) -> Generator[Database]:
        """The database, open."""
        with closing(Database(self.cache)) as database:
            yield database

    def say(self, text: str, **values: object) -> None:
        """Print a line, or the values as JSON."""
        if self.as_json:
            typer.echo(json.dumps(values))
        else:
            self.out.print(text, soft_wrap=True)


def show(request: Request) -> None:
    """List the layers with their winners."""
    with request.database() as database:
        records, path = database.records(), database.path
    if request.as_json:
        typer.echo(json.dumps({"database": str(path), "records": [asdict(r) for r in records]}))
        return
    table = Table("layer", "ops", "winner", box=None, padding=(0, 1))
    for heading in ("cost", "tried", "threads"):
        table.add_column(heading, justify="right")
    table.add_column("searched")
    table.add_column("device")
    for record in records:
        table.add_row(
            record.key.layer[:8],
            record.ops,
            record.best.name if record.best else "none yet",
            cost_text(record.best and record.best.cost, record.key.unit),
            _counts(record),
            str(record.key.threads),
            record.searched or "not to the end",
            record.key.device or "this machine",
        )
    request.out.print(table)
    request.out.print(f"{len(records)} layers in {path}", soft_wrap=True)


def _counts(record: Record) -> str:
    """How many schedules came to which end."""
    counts = Counter(str(m.outcome) for m in record.measurements)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def export_file(request: Request) -> None:
    """Write all records to a file."""
    assert request.file is not None
    with request.database() as database:
        records = database.records()
    write_records(request.file, records)
    request.say(
        f"wrote {len(records)} layers to {request.file}",
        file=str(request.file),
        records=len(records),
    )


def import_file(request: Request) -> None:
    """Read the records of a file, in place of those of the same layers."""
    assert request.file is not None
    records = read_records(request.file)
    with request.database() as database:
        before = {record.key for record in database.records()}
        database.merge(records)
    replaced = sum(record.key in before for record in records)
    request.say(
        f"imported {len(records)} layers from {request.file}, {replaced} in place of others",
        file=str(request.file),
        records=len(records),
        replaced=replaced,
    )


def validate(request: Request) -> None:
    """Build and measure the winners again; the status is 1 if one does not hold."""
    from canao.devices.fit import target_for
    from canao.devices.specs import open_device
    from canao.tuning.tuner import Tuner
    from canao.tuning.validate import Standing
    from canao.tuning.validate import validate as judge_all

    device = open_device(request.device, request.cache) if request.device else None
    target = Target.host() if device is None else target_for(device)
    compiler = compiler_for(target, os.environ.get("CC"))
    bad = (Standing.drifted, Standing.failed)
    with (
        shown_progress(
            "measuring winners again", "measured winners again", quiet=request.as_json
        ) as progress,
        closing(Tuner(compiler, target, request.cache, device=device)) as tuner,
    ):
        verdicts = judge_all(tuner, progress)
        fallen = [v.record.key for v in verdicts if v.standing in bad]
        old = [v.record.key for v in verdicts if v.standing is Standing.stale]
        if request.repair:
            tuner.database.remove([*fallen, *old])
    if request.as_json:
        rows = [
            {"layer": v.record.key.layer, "standing": v.standing, "detail": v.detail}
            for v in verdicts
        ]
        typer.echo(json.dumps(rows))
    else:
        table = Table("layer", "ops", "standing", "detail", box=None, padding=(0, 1))
        for v in verdicts:
            table.add_row(v.record.key.layer[:8], v.record.ops, v.standing, v.detail)
        request.out.print(table)
    if fallen and not request.repair:
        typer.echo(
            f"canao: {len(fallen)} winners do not hold; forget them with --repair, they are "
            "measured again when they are needed",
            err=True,
        )
        raise typer.Exit(1)


def print_kernels(compiled: CompiledModel, as_json: bool, out: Console) -> None:
    """The kernels of a tuned model with their schedules."""
    kernels = compiled.program.kernels
    seconds = compiled.compile_seconds.get("tuning", 0.0)
    if as_json:
        rows = [
            {"name": k.name, "ops": k.ops, "variant": k.variant, "variants_tried": k.variants_tried}
            for k in kernels
        ]
        typer.echo(json.dumps({"seconds": seconds, "kernels": rows}))
        return
    table = Table("kernel", "ops", "variant", "tried", box=None, padding=(0, 1))
    for kernel in kernels:
        ops = " ".join(name.removeprefix("canao.") for name in dict.fromkeys(kernel.ops))
        table.add_row(kernel.name, ops, kernel.variant, str(len(kernel.variants_tried)))
    out.print(table)
    out.print(f"tuned in {seconds:.1f} s")


ACTIONS: dict[str, Callable[[Request], None]] = {
    "show": show,
    "export": export_file,
    "import": import_file,
    "validate": validate,
}
WITH_FILE = ("export", "import")
