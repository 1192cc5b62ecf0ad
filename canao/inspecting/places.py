"""Which module of a model each operator belongs to, as the names of its weights tell."""

from __future__ import annotations

from collections.abc import Sequence

from canao.lowering.block_labels import Path, common_path


def module_paths(own: Sequence[Path], reads: Sequence[Sequence[int]]) -> list[Path]:
    """A path for each operator; empty where none is known.

    `own` has those that weights give, and `reads` the numbers of the operators that each one reads,
    all before it. An operator without weights belongs to the module that holds both the last
    operator it reads and the first that reads it; behind the last weight, to the module around
    the one that it reads. What no weight has reached yet is at the top.
    """
    before: list[Path] = []
    first_user: dict[int, int] = {}
    for n, path in enumerate(own):
        known = (before[m] for m in sorted(reads[n], reverse=True) if before[m])
        before.append(path or next(known, ()))
        for m in reads[n]:
            first_user.setdefault(m, n)
    after: list[Path] = list(own)
    for n in reversed(range(len(own))):
        if not own[n] and n in first_user:
            after[n] = after[first_user[n]]
    return [path or _between(before[n], after[n]) for n, path in enumerate(own)]


def _between(before: Path, after: Path) -> Path:
    return common_path([before, after]) if after else before[:-1]
