"""Log lines about delivery: what they quote is text, on one line."""

from __future__ import annotations

import logging
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import antinode
from antinode._delivery.messages import HttpResponse, Request
from antinode._delivery.shell.log_limiter import LogLimiter, write

HOSTILE = "\x1b[31m\x9b1m\x7f\x85\u202e\u200b\u2028\r\nWARNING forged"


def is_one_plain_line(text: str) -> bool:
    return not any(
        unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in text.replace("\t", "")
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(), st.text())
def test_a_line_is_one_plain_line(caplog: pytest.LogCaptureFixture, text: str, more: str) -> None:
    """Whatever is quoted, a line stays one line, and holds nothing that a terminal obeys."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "antinode"):
        write(logging.WARNING, "%s and %s", text, more)
        LogLimiter(lambda: 0.0).say("WARNING", "key", text)
    assert len(caplog.messages) == 2
    assert all(map(is_one_plain_line, caplog.messages))


@pytest.mark.parametrize(
    "event",
    [
        {"event_type": "A", "user_id": "user-1", "event_properties": {HOSTILE: object()}},
        {"event_type": "A", "user_id": "user-1", "event_properties": {HOSTILE: "x" * 2000}},
        {"event_type": "A", "user_id": "user-1", HOSTILE: 1},
        {"event_type": "A", "user_id": HOSTILE[:2]},
        {"event_type": HOSTILE, "time": HOSTILE},
    ],
    ids=range(5),
)
@pytest.mark.parametrize("status", [200, 400, 302])
def test_events_and_answers_are_quoted_plainly(
    caplog: pytest.LogCaptureFixture, event: antinode.EventDict, status: int
) -> None:
    """Neither an event nor what a server says of it gets a control into a log."""

    class Rude:
        def send(self, request: Request) -> HttpResponse:
            return HttpResponse(status, {"location": HOSTILE}, HOSTILE.encode())

        def close(self) -> None:
            pass

    client = antinode.Client("rude").init("k" * 32, transport=Rude(), log_level="DEBUG")
    client.log_event(event)
    client.shutdown(0.2)
    logging.getLogger("antinode").setLevel(logging.NOTSET)
    assert [line for line in caplog.messages if not is_one_plain_line(line)] == []


def test_what_is_told_apart_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand subjects in a minute are some two hundred lines and a sum; later there is room again."""
    now = 0.0
    limiter = LogLimiter(lambda: now)
    with caplog.at_level(logging.WARNING, "antinode"):
        for number in range(1000):
            limiter.say("WARNING", f"subject {number}", f"about {number}")
        assert len(caplog.messages) == 201
        now = 61.0
        limiter.say("WARNING", "another", "about another")
        assert caplog.messages[-1] == "antinode: about another"
        limiter.sum_up()
        assert "799 further lines about 'other subjects'" in caplog.messages[-1]
