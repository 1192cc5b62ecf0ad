"""Models that write, kept compiled in the cache: tracing one anew takes longer than all else.

A kept one belongs to the contents of its files, the options, the compiler, the processor, and the
versions of all that trace and compile it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from canao.building.cache import Cache, digest, hash_of_file
from canao.building.programs import program_key
from canao.compiling.options import Options, StorageOptions, checked_options
from canao.errors import CanaoError
from canao.generation.causal_model import CanaoModelForCausalLM
from canao.huggingface.adapters import is_adapter
from canao.huggingface.pretrained import load_tokenizer
from canao.tuning.database import Database

_PACKAGES = ("gguf", "tokenizers", "torch", "torch-mlir", "transformers", "xdsl")


class Writer(NamedTuple):
    """A compiled model and the tokenizer of its files, None where they have none."""

    model: CanaoModelForCausalLM
    tokenizer: Any


def kept_writer(
    name: str | Path,
    chosen: Mapping[str, object],
    options: StorageOptions,
    compile: Callable[[], Writer],
) -> Writer:
    """What `compile` makes of the files of a name, made once for what is `chosen` besides options.

    A name of the hub, an adapter, and code for another machine or a GPU are compiled each time.
    """
    checked = _checked(options)
    target = checked.target
    if not Path(name).exists() or is_adapter(name) or target.is_foreign or target.device:
        return compile()
    key = _key(Path(name), chosen, checked)
    with checked.cache.lock(key):
        known = _read(checked.cache, key, checked.threads)
        if known is not None:
            return known
        made = compile()
        # Schedules that measuring replaced meanwhile belong to the next one.
        if key == _key(Path(name), chosen, checked):
            _store(checked.cache, key, made)
    return made


def _checked(options: StorageOptions) -> Options:
    return checked_options(
        options.get("target", "c"),
        options.get("threads"),
        options.get("fusion", True),
        options.get("tune", "default"),
        options.get("dtype", "float32"),
        options.get("cache_dir"),
    )


def _key(path: Path, chosen: Mapping[str, object], options: Options) -> str:
    """The hash of all that decides what is compiled."""
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
    contents = [part for file in files for part in (file.name, hash_of_file(file))]
    given = {
        **chosen,
        "threads": options.threads,
        "fusion": options.fusion,
        "tune": options.tune,
        "dtype": options.dtype,
        "winners": _replaced(options),
        "packages": _versions(),
    }
    return program_key(digest("writer", *contents), given, options.target, options.compiler)


@cache
def _versions() -> tuple[str, ...]:
    found: list[str] = []
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return tuple(found)


def _replaced(options: Options) -> int:
    """How often a better schedule was found for any layer, where schedules are measured."""
    if options.tune == "off":
        return 0
    with closing(Database(options.cache)) as database:
        return database.changes()


def _read(cache: Cache, key: str, threads: int | None) -> Writer | None:
    entry = cache.find(key)
    if entry is None:
        return None
    # Whatever one that was kept cannot be used for, compiling it again is the answer.
    with suppress(CanaoError):
        model = CanaoModelForCausalLM.from_pretrained(entry.path, threads=threads)
        return Writer(model, load_tokenizer(entry.path))
    return None


def _store(cache: Cache, key: str, writer: Writer) -> None:
    # A disk that is too full to keep it is no reason not to use it.
    with suppress(CanaoError, OSError), cache.scratch() as room:
        made = room / "made"
        writer.model.save_pretrained(made)
        if writer.tokenizer is not None:
            writer.tokenizer.save_pretrained(made)
        files = [path for path in made.rglob("*") if path.is_file()]
        cache.store(key, {str(path.relative_to(made)): path for path in files}, {})
