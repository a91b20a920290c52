"""Middleware: what it may do with an event, and what happens to the event when it breaks."""

import asyncio
import functools
import logging
import threading

import pytest

from antinode import Client, ConfigurationError, Event, MiddlewareError, MiddlewarePayload, Status
from antinode._middleware import own_copy
from antinode.middleware import add_properties
from tests.memory import SONG, Memory, logging_client, sent


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def client(memory):
    with logging_client(memory) as made:
        yield made


def passing(payload, next):
    next(payload)


def breaking(payload, next):
    raise LookupError(f"cannot redact {payload.event['user_id']}")


def test_middleware_runs_in_the_order_added(client, memory):
    """The first one added sees the event first; adding chains."""

    def named(name):
        def add_name(payload, next):
            payload.event["event_properties"]["seen by"].append(name)
            next(payload)

        return add_name

    assert client.add_event_middleware(named("a")).add_event_middleware(named("b")) is client
    client.log_event({**SONG, "event_properties": {"seen by": []}})
    assert sent(client, memory)[0]["event_properties"] == {"seen by": ["a", "b"]}


def test_middleware_sees_defaults_and_extra(client, memory):
    """It is given the event as it would be sent, and the `extra` of the call, on the caller's thread."""
    seen = []

    def look(payload, next):
        seen.append((dict(payload.event), payload.extra, threading.current_thread()))
        next(payload)

    client.add_event_middleware(look)
    extra = object()
    client.log_event(SONG, extra)
    event, given, thread = seen[0]
    assert {"time", "insert_id", "library", "event_type", "user_id"} == event.keys()
    assert given is extra
    assert thread is threading.current_thread()
    assert sent(client, memory) == [event]


def test_middleware_may_change_the_event_but_not_the_callers(client, memory):
    """What it changes, nested values too, is sent, and is not seen by the caller."""

    def redact(payload, next):
        payload.event["user_properties"]["contact"]["email"] = "redacted"
        payload.event["user_properties"]["tags"].clear()
        payload.event["user_properties"]["pair"][0]["a"] = 2
        next(payload)

    client.add_event_middleware(redact)
    properties = {"contact": {"email": "a@b.example"}, "tags": ["vip"], "pair": ({"a": 1},)}
    event = {**SONG, "user_properties": properties}
    client.log_event(event)
    assert properties == {"contact": {"email": "a@b.example"}, "tags": ["vip"], "pair": ({"a": 1},)}
    expected = {"contact": {"email": "redacted"}, "tags": [], "pair": [{"a": 2}]}
    assert sent(client, memory)[0]["user_properties"] == expected


def test_middleware_may_pass_on_another_payload(client, memory):
    """The payload given to `next` counts, with an event of either kind."""

    def replace(payload, next):
        next(MiddlewarePayload(Event("Replaced", user_id="user-30000").to_dict(), payload.extra))

    client.add_event_middleware(replace)
    client.log_event(SONG)
    assert sent(client, memory)[0]["event_type"] == "Replaced"


def test_event_objects_go_through_middleware_as_dicts(client, memory):
    """An `Event` reaches middleware as its keys, and its object stays as it was."""

    def rename(payload, next):
        payload.event["event_type"] = "Renamed"
        next(payload)

    client.add_event_middleware(rename)
    event = Event("Song Played", user_id="user-20391")
    client.log_event(event)
    assert event.event_type == "Song Played"
    assert sent(client, memory)[0]["event_type"] == "Renamed"


def test_an_event_not_passed_on_is_skipped(client, memory):
    """It settles as skipped, is counted, and is not among the accepted."""
    client.add_event_middleware(lambda payload, next: None)
    delivery = client.log_event(SONG)
    assert delivery.result(0).status is Status.SKIPPED
    assert client.stats().skipped == {"middleware": 1}
    assert client.stats().accepted == 0
    assert sent(client, memory) == []


def test_a_broken_middleware_fails_closed(client, memory, caplog):
    """Its event is dropped with the reason, logged and counted; the next event is unaffected."""

    def break_once(payload, next):
        client.remove_event_middleware(break_once)
        breaking(payload, next)

    client.add_event_middleware(break_once)
    outcome = client.log_event(SONG).result(0)
    assert (outcome.kind, outcome.reason, outcome.status) == ("dropped", "middleware_error", Status.FAILED)
    assert "LookupError" in outcome.message
    assert client.log_event({**SONG, "event_type": "Next"}).result(120).ok
    assert client.stats().dropped == {"middleware_error": 1}
    assert [event["event_type"] for event in sent(client, memory)] == ["Next"]
    named = "test_a_broken_middleware_fails_closed.<locals>.break_once"
    assert f"the middleware {named} raised LookupError" in caplog.text


def test_message_of_a_broken_middleware_names_it(client):
    """The one that broke, not one around it, whether a function, an object, a partial or a ready-made one."""

    class Enrich:
        def __call__(self, payload, next):
            raise LookupError

    def before(payload, next):
        next(payload)

    for broken, name in (
        (breaking, "breaking"),
        (Enrich(), "test_message_of_a_broken_middleware_names_it.<locals>.Enrich"),
        (functools.partial(breaking), "breaking"),
        (add_properties(lambda event: 1 / 0), "add_properties"),
    ):
        client.add_event_middleware(before).add_event_middleware(broken)
        outcome = client.log_event(SONG).result(0)
        assert f"the middleware {name} raised" in outcome.message
        client.remove_event_middleware(broken)
        client.remove_event_middleware(before)


def test_what_a_broken_middleware_leaves_holds_nothing_of_the_event(memory, caplog):
    """Neither the log above DEBUG, nor the handle, nor on_outcome gets what a redactor failed to redact."""
    told = []
    with logging_client(memory, on_outcome=told.append) as client:
        client.add_event_middleware(breaking)
        delivery = client.log_event(SONG)
    assert told == [delivery]
    assert delivery.event() == {}
    assert delivery.body == b""
    assert "user-20391" not in caplog.text + repr(delivery) + delivery.result().message


def test_a_refused_event_is_kept_as_the_middleware_left_it(client):
    """What a handle keeps of an event that was refused afterwards is the redacted one."""

    def redact(payload, next):
        payload.event["user_id"] = "x"
        next(payload)

    client.add_event_middleware(redact)
    delivery = client.log_event(SONG)
    assert delivery.result(0).status is Status.INVALID
    assert delivery.event()["user_id"] == "x"


def test_strict_raises_what_broke(memory):
    """Under `strict` a broken middleware raises MiddlewareError, from its own exception."""
    with logging_client(memory, strict=True) as client:
        client.add_event_middleware(breaking)
        with pytest.raises(MiddlewareError, match="LookupError") as caught:
            client.log_event(SONG)
        assert isinstance(caught.value.__cause__, LookupError)
        assert client.stats().dropped == {"middleware_error": 1}


def test_an_exception_caught_further_out_still_fails_closed(client, memory):
    """A middleware that swallows what a later one raised does not get the event through."""

    def swallow(payload, next):
        try:
            next(payload)
        except LookupError:
            next(payload)

    def break_afterwards(payload, next):
        next(payload)
        breaking(payload, next)

    client.add_event_middleware(swallow).add_event_middleware(break_afterwards)
    assert client.log_event(SONG).result(0).reason == "middleware_error"
    assert sent(client, memory) == []


@pytest.mark.parametrize("calls", [2, 3])
def test_next_called_more_than_once_drops_the_event(client, memory, calls):
    """One event stays one event: a second `next` is an error, even one that is caught."""

    def repeat(payload, next):
        next(payload)
        for _ in range(calls - 1):
            try:
                next(payload)
            except RuntimeError:
                continue

    client.add_event_middleware(repeat)
    assert client.log_event(SONG).result(0).reason == "middleware_error"
    assert sent(client, memory) == []


def test_next_called_too_late_raises_there(client, memory):
    """Once the middleware has returned, `next` raises and sends nothing: the event is skipped already."""
    kept = []
    client.add_event_middleware(lambda payload, next: kept.append((payload, next)))
    assert client.log_event(SONG).result(0).reason == "middleware"
    payload, late = kept[0]
    with pytest.raises(RuntimeError, match="after it had returned"):
        late(payload)
    assert sent(client, memory) == []


def test_next_takes_a_payload(client):
    """Passing on the event instead of the payload drops it, with a message that says what to write."""
    client.add_event_middleware(lambda payload, next: next(payload.event))
    assert client.log_event(SONG).result(0).reason == "middleware_error"


def test_what_is_passed_on_must_be_an_event(client):
    """A payload whose event is no dict is refused like any other event."""

    def spoil(payload, next):
        payload.event = "no event"
        next(payload)

    client.add_event_middleware(spoil)
    assert client.log_event(SONG).result(0).status is Status.INVALID


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes_through(client, memory, error):
    """KeyboardInterrupt and SystemExit reach the caller; the event is neither sent nor counted."""

    def interrupt(payload, next):
        raise error

    client.add_event_middleware(interrupt)
    with pytest.raises(error):
        client.log_event(SONG)
    assert client.stats().accepted == 0
    assert sent(client, memory) == []


class AsyncCallable:
    async def __call__(self, payload, next):
        next(payload)


async def async_middleware(payload, next):
    next(payload)


def generator_middleware(payload, next):
    yield next(payload)


@pytest.mark.parametrize(
    "fn",
    [
        "redact",
        None,
        async_middleware,
        functools.partial(async_middleware),
        AsyncCallable(),
        generator_middleware,
    ],
)
def test_only_plain_functions_are_taken(client, fn):
    """What is not callable, or whose body would not run when called, is refused where it is added."""
    with pytest.raises(ConfigurationError, match="middleware"):
        client.add_event_middleware(fn)


def test_an_awaitable_returned_drops_the_event(client):
    """A plain function that returns a coroutine is found out when it runs, and warns of nothing else."""
    client.add_event_middleware(lambda *given: async_middleware(*given))  # noqa: PLW0108 - hides what it is
    assert client.log_event(SONG).result(0).reason == "middleware_error"


async def test_a_task_returned_drops_the_event(client):
    """So is one that returns a task, which would call `next` too late."""
    tasks = []

    def spawn(payload, next):
        tasks.append(asyncio.ensure_future(asyncio.sleep(0)))
        return tasks[0]

    client.add_event_middleware(spawn)
    assert client.log_event(SONG).result(0).reason == "middleware_error"
    await tasks[0]


def test_middleware_can_be_removed(client, memory):
    """A removed middleware sees no further event; removing what is not there is told by False."""
    client.add_event_middleware(breaking).add_event_middleware(passing).add_event_middleware(breaking)
    assert client.remove_event_middleware(breaking) is True
    assert client.remove_event_middleware(breaking) is False
    client.log_event(SONG)
    assert len(sent(client, memory)) == 1


def test_middleware_added_before_init_holds(memory):
    """It is there for the first event, and outlives another `init`."""
    client = Client()
    client.add_event_middleware(lambda payload, next: None)
    for _ in range(2):
        client.init("0123456789abcdef", transport=memory)
        assert client.log_event(SONG).result(0).reason == "middleware"
    client.shutdown()


def test_adding_while_others_log_loses_none(client, memory):
    """Middleware added by several threads, while others log, is all there in the end."""
    stop = threading.Event()

    def log():
        while not stop.is_set():
            client.log_event(SONG)

    loggers = [threading.Thread(target=log) for _ in range(2)]
    adders = [
        threading.Thread(target=lambda: [client.add_event_middleware(lambda p, n: n(p)) for _ in range(20)])
        for _ in range(4)
    ]
    for thread in loggers + adders:
        thread.start()
    for thread in adders:
        thread.join()
    stop.set()
    for thread in loggers:
        thread.join()
    assert len(client._middleware) == 80
    stats = client.stats()
    assert (stats.rejected, stats.dropped, stats.skipped) == ({}, {}, {})


def test_logging_from_a_middleware_does_not_deadlock(client, memory):
    """A middleware may log another event, which goes through the chain itself."""

    def audit(payload, next):
        if payload.event["event_type"] != "Audit":
            client.log_event({"event_type": "Audit", "user_id": "user-20391"})
        next(payload)

    client.add_event_middleware(audit)
    client.log_event(SONG)
    assert [event["event_type"] for event in sent(client, memory)] == ["Audit", "Song Played"]


def test_a_cycle_passes_through_middleware(client, memory):
    """An event that contains itself, or nests without end, is cut where it does, not crashed over."""
    client.add_event_middleware(passing)
    cycle = {}
    cycle["self"] = [cycle]
    deep = []
    for _ in range(5000):
        deep = [deep]
    for value in (cycle, deep):
        delivery = client.log_event({**SONG, "event_properties": {"value": value, "title": "So What"}})
        assert delivery.result(120).ok
    assert [event["event_properties"]["title"] for event in sent(client, memory)] == ["So What"] * 2
    assert client.log_event(SONG).result(120).ok


def test_the_copy_keeps_what_is_shared():
    """Lists that hold each other many times over are copied once each, not once for each way to them."""
    wide = []
    for _ in range(40):
        wide = [wide, wide]
    copy = own_copy(wide)
    assert copy is not wide
    assert copy[0] is copy[1]


def test_defaults_are_merged_once(memory):
    """With a plan and a middleware, each default is there once and the event's own keys win."""
    with logging_client(memory, plan={"branch": "main", "source": "web"}) as client:
        client.add_event_middleware(passing)
        client.log_event({**SONG, "plan": {"branch": "own"}})
        assert sent(client, memory)[0]["plan"] == {"branch": "own", "source": "web"}


def test_the_payload_does_not_show_the_event():
    """Its repr holds nothing of the event."""
    assert "user-20391" not in repr(MiddlewarePayload(dict(SONG)))


def test_the_traceback_is_for_debug_only(memory, caplog):
    """What the middleware raised, which may quote the event, is logged at DEBUG only."""
    caplog.set_level(logging.DEBUG, logger="antinode")
    with logging_client(memory) as client:
        client.add_event_middleware(breaking)
        client.log_event(SONG)
        client.flush()
    quoting = [record for record in caplog.records if record.exc_info or "user-20391" in record.getMessage()]
    assert quoting
    assert {record.levelno for record in quoting} == {logging.DEBUG}
