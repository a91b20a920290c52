"""Consent: whose events are logged, and whose events leave, each asked at its moment."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

import antinode
from antinode import ConfigurationError, HttpResponse, Request, TransportError
from antinode._delivery.record import Record
from antinode._delivery.shell.consent import ConsentDesk
from antinode.middleware import hash_ids
from tests.memory import KEY, Memory, logging_client, sent

Ids = tuple["str | None", "str | None"]


class Register:
    """Who consents: everybody who has not withdrawn. Keeps what it was asked, and on which thread."""

    def __init__(self) -> None:
        self.answers: dict[str | None, Any] = {}
        self.asked: list[Ids] = []
        self.threads: set[str] = set()

    def may_log(self, user_id: str | None, device_id: str | None) -> Any:
        self.asked.append((user_id, device_id))
        self.threads.add(threading.current_thread().name)
        answer = self.answers.get(user_id, True)
        if isinstance(answer, Exception):
            raise answer
        return answer


def event(user: str | None, number: int = 0, **more: Any) -> dict[str, Any]:
    return {"event_type": "Song Played", "user_id": user, "event_properties": {"n": number}, **more}


def users(events: list[dict[str, Any]]) -> list[Any]:
    return [each.get("user_id") for each in events]


def test_the_door_is_closed_to_who_does_not_consent() -> None:
    """The event ends as skipped, by the caller's own thread, and nothing of it is queued."""
    register = Register()
    register.answers["user-no"] = False
    memory = Memory()
    with logging_client(memory, consent=register) as client:
        outcome = client.log_event(event("user-no")).outcome
        assert outcome is not None
        assert (outcome.kind, outcome.reason) == ("skipped", "consent")
        client.log_event(event("user-yes"))
        assert users(sent(client, memory)) == ["user-yes"]
        stats = client.stats()
        assert (stats.skipped, stats.accepted, stats.balanced) == ({"consent": 1}, 1, True)


@pytest.mark.parametrize("with_storage", [False, True], ids=["memory", "spool"])
def test_what_was_queued_before_the_withdrawal_does_not_leave(tmp_path: Path, with_storage: bool) -> None:
    """The others' events go in the same request; the withdrawn end as dropped, and are kept nowhere."""
    register = Register()
    memory = Memory()
    letters = tmp_path / "letters.jsonl"
    options: dict[str, Any] = {"storage": tmp_path / "spool"} if with_storage else {}
    with logging_client(
        memory, consent=register, upload_interval_in_sec=600, dead_letters=letters, **options
    ) as client:
        withdrawn = [client.log_event(event("user-a", n)) for n in range(3)]
        client.log_event(event("user-b"))
        register.answers["user-a"] = False
        assert users(sent(client, memory)) == ["user-b"]
        assert {each.result(120).reason for each in withdrawn} == {"consent"}
        assert [each.event() for each in withdrawn] == [{}] * 3
        stats = client.stats()
        assert (stats.delivered, stats.dropped, stats.pending, stats.balanced) == (1, {"consent": 3}, 0, True)
        assert stats.requests == len(memory.requests) == 1
    lines = [json.loads(line) for line in letters.read_text().splitlines()]
    assert [(line["reason"], line["event"]) for line in lines] == [("consent", None)] * 3
    assert b"user-a" not in memory.requests[0].body


def test_what_a_dead_process_left_is_asked_about_too(tmp_path: Path) -> None:
    """By the process that takes it over, though the event was logged with nobody to ask."""
    register = Register()
    shut = Memory(is_open=False)
    with logging_client(shut, storage=tmp_path, upload_interval_in_sec=600) as client:
        client.log_event(event("user-a"))
        client.log_event(event("user-b"))
        client.shutdown(0)
    register.answers["user-a"] = False
    memory = Memory()
    with logging_client(memory, storage=tmp_path, consent=register) as client:
        assert users(sent(client, memory)) == ["user-b"]
        assert client.stats().dropped == {"consent": 1}


def test_a_retry_is_asked_about_anew() -> None:
    """An event whose request failed does not leave after the withdrawal either."""
    register = Register()

    class Failing(Memory):
        def send(self, request: Request) -> HttpResponse:
            super().send(request)
            register.answers["user-a"] = False
            if len(self.requests) == 1:
                raise TransportError("reset")
            return self.answer

    memory = Failing()
    with logging_client(memory, consent=register, upload_interval_in_sec=600) as client:
        client.log_event(event("user-a"))
        client.log_event(event("user-b"))
        assert client.flush(120).complete
        assert [users(json.loads(request.body)["events"]) for request in memory.requests] == [
            ["user-a", "user-b"],
            ["user-b"],
        ]


@pytest.mark.parametrize("answer", [RuntimeError("user-a"), None, "yes"], ids=repr)
def test_what_is_not_known_waits_unsent(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An exception, None or what is no answer: the event is kept, told of, and asked about again."""
    register = Register()
    register.answers["user-a"] = answer
    memory = Memory()
    with (
        caplog.at_level(logging.INFO, "antinode"),
        logging_client(memory, consent=register, flush_patience=0) as client,
    ):
        unknown = client.log_event(event("user-a"))
        client.log_event(event("user-b"))
        assert client.flush().pending == 1
        assert not unknown.done()
        register.answers["user-a"] = True
        assert unknown.result(120).ok
        assert users(memory.events) == ["user-b", "user-a"]
    (line,) = [each.getMessage() for each in caplog.records if "is not known" in each.getMessage()]
    assert "user-a" not in line


def test_it_is_asked_once_for_each_user_of_a_request_and_off_the_callers_thread() -> None:
    """With `at_door=False` not on the thread that logs at all."""
    register = Register()
    memory = Memory()
    consent = antinode.Consent(register, at_door=False)
    with logging_client(memory, consent=consent, upload_interval_in_sec=600) as client:
        for number in range(60):
            client.log_event(event(f"user-{number % 3}", number))
        assert register.asked == []
        assert len(sent(client, memory)) == 60
        assert sorted(register.asked) == [(f"user-{n}", None) for n in range(3)]
        assert threading.current_thread().name not in register.threads


@pytest.mark.parametrize(
    "consent", [None, antinode.Consent(Register(), at_door=False)], ids=["none", "leaving"]
)
def test_what_asks_nothing_at_the_door_costs_nothing_there(consent: antinode.Consent | None) -> None:
    """A plain dict goes straight to the encoder, and where there are compiled parts, through them."""
    with logging_client(Memory(), consent=consent) as client, logging_client(Memory()) as plain:
        assert client._pipeline is not None
        assert client._pipeline.is_direct
        assert (client._hot is None) == (plain._hot is None)


def test_both_moments_ask_by_the_same_ids() -> None:
    """Those under which the event leaves: behind the middleware, of context, devices and numbers."""
    register = Register()
    memory = Memory()
    with logging_client(memory, consent=register.may_log, upload_interval_in_sec=600) as client:
        client.log_event({"event_type": "A", "user_id": 123456})
        client.log_event({"event_type": "A", "device_id": "device-1"})
        with antinode.context(user_id="user-c", device_id="device-2"):
            client.log_event({"event_type": "A"})
        client.add_event_middleware(hash_ids(b"0123456789abcdef"))
        client.log_event(event("user-d"))
        at_door, register.asked = register.asked, []
        events = sent(client, memory)
        assert at_door == register.asked == [(each.get("user_id"), each.get("device_id")) for each in events]
        assert at_door[:3] == [("123456", None), (None, "device-1"), ("user-c", "device-2")]


def test_events_of_groups_are_nobodys() -> None:
    """Nobody is asked about them."""
    register = Register()
    memory = Memory()
    with logging_client(memory, consent=register) as client:
        client.group_identify("org", "acme", antinode.Identify().set("plan", "pro"))
        assert len(sent(client, memory)) == 1
        assert register.asked == []


@pytest.mark.parametrize("wrong", [7, "everybody", object(), Register], ids=type)
def test_what_cannot_be_asked_is_refused(wrong: Any) -> None:
    """In `init`, with what to write instead."""
    with pytest.raises(ConfigurationError, match=r"function \(user_id, device_id\)"):
        antinode.Client().init(KEY, consent=wrong)


def test_an_async_function_is_refused() -> None:
    """It would never be awaited, and its coroutine is true."""

    async def may_log(user_id: str | None, device_id: str | None) -> bool:
        return True

    with pytest.raises(ConfigurationError, match="async"):
        antinode.Consent(may_log)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="at_door"):
        antinode.Consent(lambda *_: True, at_door=1)  # type: ignore[arg-type]


def test_an_answer_that_comes_too_late_is_none() -> None:
    """Nor is anybody asked after the time; what was answered in time holds."""
    now = 0.0
    asked = []

    def may_log(user_id: str | None, device_id: str | None) -> bool:
        nonlocal now
        asked.append(user_id)
        now += 4
        return True

    records = [Record(json.dumps(event(f"user-{n}")).encode(), n, 0.0) for n in range(4)]
    allowed, withheld = ConsentDesk(may_log, lambda: now).sort(records, 10)
    assert (allowed, withheld.unknown, asked) == (records[:2], records[2:], ["user-0", "user-1", "user-2"])
    assert "request_timeout_millis" in withheld.why
