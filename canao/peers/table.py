"""A comparison as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from canao.peers.comparison import Comparison, Row

VECTOR_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "asimd", "sve")


_SHARES = (
    "*Of peak* counts the operations of products alone, as a part of the measured peak, *of pace* "
    "as a part of the median rate of multiply-adds alone that the machine gave between the turns "
    "of the same rounds. The *quiet* columns count only the runs before and after which all cores "
    "ran nothing else: a core that another machine uses too issues half as many instructions."
)


def comparison_markdown(comparison: Comparison) -> str:
    """Medians of all peers at a glance, then a table for each model, then versions and routes."""
    sections = [
        "# canao and its peers",
        f"{conditions(comparison)} {_SHARES}",
        *_overviews(comparison),
        *_details(comparison),
        "## Versions and routes",
        _versions(comparison),
    ]
    return "\n\n".join(sections) + "\n"


def conditions(comparison: Comparison, *, one_shape: bool = True) -> str:
    """What the times depend on, in sentences; the shape only where it is that of all times."""
    shape = f"Batch {comparison.batch}, sequence {comparison.sequence}, " if one_shape else ""
    flags = " ".join(flag for flag in VECTOR_FLAGS if flag in comparison.cpu_flags)
    peaks = ", ".join(
        f"{peak:.1f} GFLOP/s with {count(threads, 'thread')}"
        for threads, peak in comparison.peak_gflops.items()
    )
    pinned = "Processes are pinned to as many cores as threads. " if comparison.pinned else ""
    return (
        f"{shape}{comparison.dtype}. "
        f"{comparison.cpu}, {count(comparison.cores, 'core')}: {flags}; {comparison.compiler}. "
        f"Measured peak of multiply-adds: {peaks}. {pinned}\n"
        f"Every peer has a process; {count(comparison.rounds, 'round')}, in each of which every "
        f"peer takes a turn of {count(comparison.burst, 'run')} after 20 ms of rest and one run "
        "that does not count; slow ones run less often. "
        "Ratios are of medians within these rounds."
    )


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 thread", "2 threads"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; numbers stand right, the first column left."""
    lines = [_line(headings), _line([":--", *(["--:"] * (len(headings) - 1))])]
    return "\n".join(lines + [_line(row) for row in rows])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def number(value: float | None, form: str) -> str:
    """A number in that format; a dash if there is none."""
    return "-" if value is None else format(value, form)


def _overviews(comparison: Comparison) -> list[str]:
    """For each number of threads the medians of all peers, the fastest in bold."""
    titles = {row.peer: row.title for row in comparison.rows}
    parts: list[str] = []
    for threads in comparison.peak_gflops:
        lines: list[list[str]] = []
        for work in comparison.workloads:
            found = [comparison.row(work.model, threads, peer) for peer in titles]
            medians = [row.median_ms if row else None for row in found]
            best = min((m for m in medians if m is not None), default=None)
            cells = [number(m, ".2f") for m in medians]
            marked = [
                f"**{cell}**" if m is not None and m == best else cell
                for m, cell in zip(medians, cells, strict=True)
            ]
            lines.append([work.model, *marked])
        parts.append(f"## Median milliseconds, {count(threads, 'thread')}")
        parts.append(markdown_table(["model", *titles.values()], lines))
        parts += _quiet_overview(comparison, threads, titles)
    return parts


def _quiet_overview(comparison: Comparison, threads: int, titles: Mapping[str, str]) -> list[str]:
    """Medians of the runs on quiet cores, if there are any."""
    lines: list[list[str]] = []
    for work in comparison.workloads:
        found = [comparison.row(work.model, threads, peer) for peer in titles]
        cells = [number(row.quiet_ms if row else None, ".2f") for row in found]
        lines.append([work.model, *cells])
    if all(cell == "-" for line in lines for cell in line[1:]):
        return []
    heading = f"## Median milliseconds on quiet cores, {count(threads, 'thread')}"
    return [heading, markdown_table(["model", *titles.values()], lines)]


_HEADINGS = (
    "peer",
    "threads",
    "runs",
    "median ms",
    "min ms",
    "of peak",
    "of pace",
    "time / canao's",
    "quiet runs",
    "quiet ms",
    "quiet of pace",
    "quiet time / canao's",
    "largest difference",
)


def _details(comparison: Comparison) -> list[str]:
    parts: list[str] = []
    for work in comparison.workloads:
        rows = [row for row in comparison.rows if row.model == work.model]
        parts.append(f"## {work.model}")
        parts.append(f"{work.product_flops / 1e9:.2f} GFLOPs in products; weights: {work.weights}.")
        parts.append(markdown_table(_HEADINGS, [_cells(row) for row in rows]))
        reasons = [
            f"- {row.title}, {count(row.threads, 'thread')}: {row.failure}"
            for row in rows
            if row.failure
        ]
        if reasons:
            parts.append("\n".join(reasons))
    return parts


def _cells(row: Row) -> list[str]:
    return [
        f"{row.title} (failed)" if row.failure else row.title,
        str(row.threads),
        str(row.runs),
        number(row.median_ms, ".3f"),
        number(row.min_ms, ".3f"),
        number(row.peak_fraction, ".1%"),
        number(row.pace_fraction, ".1%"),
        number(row.over_canao, ".3f"),
        str(row.quiet_runs),
        number(row.quiet_ms, ".3f"),
        number(row.quiet_pace_fraction, ".1%"),
        number(row.quiet_over_canao, ".3f"),
        number(row.max_difference, ".1e"),
    ]


def _versions(comparison: Comparison) -> str:
    lines: list[str] = []
    for name, route in comparison.routes.items():
        rows = [row for row in comparison.rows if row.peer == name]
        known = next((row.versions for row in rows if row.versions), {})
        told = ", ".join(f"{package} {version}" for package, version in known.items())
        title = rows[0].title if rows else name
        lines.append(f"- **{title}**: {route}. {told or 'Did not run'}.")
    return "\n".join(lines)
