"""Progress of commands and examples: on a terminal one line, elsewhere a few."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest
from rich.console import Console
from unit.recordings import CLEAR, CODES, on_a_terminal, through_a_pipe

from canao.cli.progress import fitted, shown_progress, spent

BRACKETS = "[/not] [open] by :warning: [bold]x[/bold]"
PROGRAM = f"""
import time
from canao.cli.console import console
from canao.cli.progress import shown_progress

with shown_progress("making " + 60 * "m", "made it", on=console(), interval=0.2) as say:
    for n in range(40):
        say(f"schedule {{n}} of 40, {BRACKETS}, " + 30 * "long ")
        time.sleep(0.02)
    time.sleep(0.5)
print("end")
"""
STEPS = """
import time
from canao.cli.console import console
from canao.cli.progress import shown_progress

with shown_progress("training on RTE", "trained on RTE", on=console(), interval=0.2) as say:
    for n in range(41):
        say("training", n, 40)
        time.sleep(0.02)
    time.sleep(0.5)
"""


def _on_a_terminal(program: str, **more: str) -> str:
    return on_a_terminal([sys.executable, "-c", program], **more)


def _through_a_pipe(program: str) -> tuple[list[str], float]:
    """The lines that a program writes to a pipe, and the seconds from the first to the last."""
    lines = through_a_pipe([sys.executable, "-c", program])
    return [line for line, _ in lines], sum(silence for _, silence in lines[1:])


def test_a_terminal_has_one_line_that_replaces_itself() -> None:
    written = _on_a_terminal(PROGRAM)
    ended = written.rindex(CLEAR)
    live, after = written[:ended], written[ended:]
    # No line feed: each picture replaces the one before, and none was wrapped.
    assert live.count("\n") <= 1
    pictures = [text for text in live.split(CLEAR) if "making" in text]
    assert len(pictures) >= 2
    for picture in pictures:
        line = CODES.sub("", picture).strip("\r\n")
        assert len(line) <= 80
        assert line.endswith((" 0 s", " 1 s", " 2 s"))
    lines = CODES.sub("", after).split("\r\n")
    assert lines[-3].startswith("made it in ")
    assert lines[-2:] == ["end", ""]


def test_a_terminal_has_a_bar_of_steps() -> None:
    written = CODES.sub("\n", _on_a_terminal(STEPS))
    shown = re.findall(
        r"[-|/\\] training on RTE: training: (\d+) of 40 \[(#*)(\.*)\] \d+ s\s", written
    )
    taken = [int(part) for part, _, _ in shown]
    assert len(set(taken)) >= 2
    assert taken == sorted(taken)
    assert taken[-1] == 40
    for part, filled, rest in shown:
        assert (len(filled), len(filled + rest)) == (int(part) // 2, 20)


def test_a_narrow_terminal_has_no_bar() -> None:
    file = io.StringIO()
    narrow = Console(file=file, force_terminal=True, width=60)
    with shown_progress("training on RTE", "trained on RTE", on=narrow) as say:
        say("training", 7, 40)
    assert "training on RTE: training: 7 of 40 0 s" in CODES.sub("", file.getvalue())


def test_a_pipe_has_the_steps_now_and_then() -> None:
    lines, seconds = _through_a_pipe(STEPS)
    assert lines[0] == "training on RTE ..."
    assert lines[-1].startswith("trained on RTE in ")
    between = [re.fullmatch(r"  \d+ s: training: (\d+) of 40", line) for line in lines[1:-1]]
    assert 3 <= len(between) <= seconds / 0.2 + 1
    taken = [int(line[1]) for line in between if line]
    assert len(taken) == len(between)
    assert taken == sorted(taken)
    assert taken[-1] == 40


def test_a_pipe_has_a_line_now_and_then() -> None:
    interval = 0.2
    lines, seconds = _through_a_pipe(PROGRAM)
    assert lines[0] == "making " + 60 * "m" + " ..."
    assert lines[-2].startswith("made it in ")
    assert lines[-1] == "end"
    between = lines[1:-2]
    # 1.3 seconds in all: one of 40 stages now and then, and no silence while none began.
    assert 3 <= len(between) <= seconds / interval + 1
    assert all(" s: schedule " in line and BRACKETS in line for line in between)
    assert all("\x1b" not in line for line in lines)


def test_a_terminal_that_cannot_move_its_cursor_has_plain_lines() -> None:
    written = _on_a_terminal(PROGRAM, TERM="dumb")
    assert "\x1b" not in written
    assert written.startswith("making ")


def test_silence_is_broken_though_no_stage_begins() -> None:
    file = io.StringIO()
    with shown_progress("waiting", "waited", on=Console(file=file), interval=0.05):
        deadline = time.monotonic() + 30
        while file.getvalue().count("\n") < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = file.getvalue().splitlines()
    assert lines[:2] == ["waiting ...", "  0 s: waiting"]
    assert len(lines) >= 5
    assert lines[-1].startswith("waited in ")
    time.sleep(0.2)
    assert file.getvalue().splitlines() == lines


def test_what_fails_is_not_said_to_be_done() -> None:
    file = io.StringIO()
    with (
        pytest.raises(ValueError, match="no"),
        shown_progress("trying", "tried", on=Console(file=file)),
    ):
        raise ValueError("no")
    assert file.getvalue() == "trying ...\n"


def test_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with shown_progress("a", "b", quiet=True) as say:
        say("stage")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("short", 5, "short"),
        ("a long text", 8, "a lon..."),
        ("a long text", 9, "a long..."),
        ("a long text", 2, ".."),
        ("a long text", -3, ""),
        # Wide characters take two columns.
        ("汉字汉字", 7, "汉字..."),
    ],
)
def test_texts_are_cut_with_an_ellipsis(text: str, room: int, expected: str) -> None:
    assert fitted(text, room) == expected


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (22.4, "22 s"), (119.0, "119 s"), (185.0, "3 min 5 s")]
)
def test_times(seconds: float, said: str) -> None:
    assert spent(seconds) == said
