"""How an upload reads in a terminal."""

from __future__ import annotations

import io
import string
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from antinode.cli.serve.feed import FeedBatch, Omitted
from antinode.cli.serve.uploads import UploadPrinter, omitted_line, upload_line
from antinode.cli.ui.console import printable
from tests.cli.reading import event, problem, upload

ATTACK = "\x1b[2J\x1b]0;owned\x07[bold]shout[/bold]\r\n\u202eevil"


def written(*batches: FeedBatch, width: int = 100_000) -> str:
    """What is printed of the batches, without colour."""
    stream = io.StringIO()
    printer = UploadPrinter(Console(file=stream, width=width, markup=False, emoji=False, highlight=False))
    for batch in batches:
        printer.print(batch)
    return stream.getvalue()


def test_line_tells_the_upload() -> None:
    """A line has the answer's status, path, events, size, duration and library."""
    line = upload_line(upload(events=2_000, wire_size=148_300, duration_us=4_100)).plain
    assert line.split("  ", 1)[1].split() == (
        ["200", "/2/httpapi", "2,000", "events", "148.3", "kB", "4.1", "ms", "antinode/0.1.0"]
    )


def test_good_upload_is_one_line() -> None:
    """When all is well there is nothing to add."""
    assert len(written(FeedBatch([(upload(), [event()])])).splitlines()) == 1


def test_refusal_is_worded() -> None:
    """An upload that was refused says what became of its events, and why, naming the event."""
    refused = upload(status=400, events=3, accepted=0, rejected=1, returned=2, error="Invalid field values")
    text = written(FeedBatch([(refused, [event(2), event(1, problem("`time` is a word")), event(0)])]))
    assert [line.strip() for line in text.splitlines()[1:]] == [
        "1 rejected, 2 to be sent again",
        "events[1]: `time` is a word",
    ]


def test_one_reason_of_many_events_is_told_once() -> None:
    """Events with the same problem share a line."""
    refused = upload(status=400, events=3, accepted=0, rejected=3)
    text = written(FeedBatch([(refused, [event(each, problem("too short")) for each in range(3)])]))
    assert text.splitlines()[-1].strip() == "events[0] and 2 more: too short"


def test_many_reasons_are_cut() -> None:
    """More than three different reasons are counted."""
    events = [event(each, problem(f"reason {each}")) for each in range(5)]
    text = written(FeedBatch([(upload(status=400, events=5, accepted=0, rejected=5), events)]))
    assert "reason 2" in text
    assert "reason 3" not in text
    assert "… and 2 more reasons" in text


def test_error_without_events_is_told() -> None:
    """What could not be read as events has the answer's error."""
    refused = upload(status=400, events=0, accepted=0, error="Request missing required field")
    assert "Request missing required field" in written(FeedBatch([(refused, [])]))


@given(
    st.none() | st.text() | st.sampled_from(['{"missing_field": 3}', "[1]", '{"missing_field": "\\u001b"}'])
)
def test_any_answer_will_do(answer: str | None) -> None:
    """Whatever was answered, the line below is the error's, printable."""
    text = written(FeedBatch([(upload(status=400, error="Invalid", answer=answer), [])]))
    assert text.splitlines()[1].strip().startswith("Invalid")
    assert text.splitlines()[1].isprintable()


def test_fault_is_named() -> None:
    """A fault shows as the command line spells it, so nobody looks for the reason elsewhere."""
    struck = upload(status=0, accepted=0, returned=1, fault="drop-before@5%", error="closed")
    lines = written(FeedBatch([(struck, [])])).splitlines()
    assert " cut /2/httpapi" in lines[0]
    assert lines[1].strip() == "fault drop-before@5%, 1 to be sent again"
    assert len(lines) == 2


def test_delay_is_no_reason() -> None:
    """A refusal that was delayed on purpose still has its own reason."""
    refused = upload(status=400, accepted=0, rejected=1, fault="delay:2s@20%", error="missing_event")
    assert "missing_event" in written(FeedBatch([(refused, [])]))


def test_warning_is_told_once() -> None:
    """A warning is worded the first time that its kind is met."""
    warning = problem("no insert_id", "no_insert_id", "warning")
    other = problem("no time", "no_time", "warning")
    text = written(
        FeedBatch([(upload(), [event(0, warning)])]), FeedBatch([(upload(), [event(0, warning, other)])])
    )
    assert text.count("no insert_id") == 1
    assert text.count("no time") == 1


def test_nothing_a_client_sent_reaches_the_terminal_as_a_command() -> None:
    """Escapes, control characters, markup and marks that turn the writing are shown as text or not at all."""
    hostile = upload(path=ATTACK, library=ATTACK, fault=ATTACK, error=ATTACK, status=400)
    text = written(
        FeedBatch([(hostile, [event(0, problem(ATTACK))]), (upload(library=None, user_agent=ATTACK), [])])
    )
    assert all(each.isprintable() or each == "\n" for each in text)
    assert "[bold]shout[/bold]" in text


@pytest.mark.parametrize("width", [40, 80, 160])
def test_lines_fit(width: int) -> None:
    """On a terminal no line is wider than it, whatever the names."""
    refused = upload(library="x" * 300, status=400, rejected=1)
    text = written(FeedBatch([(refused, [event(0, problem("much to say " * 40))])]), width=width)
    assert max(map(len, text.splitlines())) <= width


@given(
    st.builds(
        upload,
        received_at=st.integers(-(2**63), 2**63 - 1),
        path=st.text(),
        library=st.none() | st.text(),
        status=st.integers(0, 999),
        wire_size=st.integers(0, 2**40),
        duration_us=st.integers(0, 2**40),
        events=st.integers(0, 2_000),
    )
)
def test_any_upload_has_a_line(given_upload: Any) -> None:
    """Whatever an upload holds, its line is one printable line."""
    assert upload_line(given_upload).plain.isprintable()


@given(st.text(), st.integers(2, 40))
def test_printable_is_short_and_printable(text: str, at_most: int) -> None:
    """`printable` keeps to its length and shows nothing that a terminal would obey."""
    shown = printable(text, at_most)
    assert len(shown) <= at_most
    assert shown.isprintable()


@given(st.text(string.ascii_letters, max_size=40))
def test_printable_keeps_plain_words(text: str) -> None:
    """What fits and is plain stays as it is."""
    assert printable(text, 40) == text


def test_omitted_uploads_are_counted() -> None:
    """The line under load counts uploads and events, and names the answers that were not 200."""
    omitted = Omitted(uploads=123, events=24_600, statuses=Counter({200: 120, 429: 2, 0: 1}))
    assert omitted_line(omitted) == "… and 123 more uploads, 24,600 events; 1 cut off, 2 answered 429"
