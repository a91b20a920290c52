"""The handle of an event's fate: waiting for it, awaiting it, and being called back."""

import asyncio
import gc
import pickle
import threading
import warnings

import pytest

from antinode import Client, Delivery, HttpResponse, Outcome, Status
from tests.memory import KEY, SONG, Memory, logging_client


@pytest.fixture
def memory():
    """Holds its answer back until the gate is opened."""
    return Memory(is_open=False)


@pytest.fixture
def client(memory):
    with logging_client(memory) as made:
        yield made


def test_it_settles_once_with_the_final_outcome(client, memory):
    """Pending until the answer has come; then its status, code, message, attempts and body are there."""
    delivery = client.log_event(SONG)
    assert isinstance(delivery, Delivery)
    assert not delivery.done()
    assert delivery.status is None
    assert delivery.outcome is None
    memory.gate.set()
    outcome = delivery.result(timeout=120)
    assert delivery.done()
    assert outcome is delivery.outcome is delivery.result()
    assert outcome.ok
    assert (outcome.kind, outcome.status, outcome.code, outcome.attempts) == (
        "delivered",
        Status.SUCCESS,
        200,
        1,
    )
    assert delivery.status is Status.SUCCESS


def test_it_shows_what_an_application_may_use_and_nothing_else(client):
    """Completion in a shell, and a type checker, offer what is promised; how it is delivered is hidden."""
    delivery = client.log_event(SONG)
    promised = {"add_done_callback", "done", "event", "outcome", "result", "status"}
    assert {name for name in dir(delivery) if not name.startswith("_")} == promised
    declared = {*vars(Delivery), *Delivery.__annotations__}
    assert {name for name in declared if not name.startswith("_")} == promised
    assert repr(delivery) == "<Delivery pending, attempts 0>"


def test_the_answer_that_decided_is_in_the_outcome(memory):
    """A refusal by the server brings its HTTP code, its words and its JSON object."""
    memory.answer = HttpResponse(
        400, {}, b'{"code":400,"error":"bad","events_with_invalid_fields":{"price":[0]}}'
    )
    memory.gate.set()
    with logging_client(memory) as client:
        outcome = client.log_event(SONG).result(120)
    assert (outcome.kind, outcome.status, outcome.code, outcome.attempts) == (
        "rejected",
        Status.INVALID,
        400,
        1,
    )
    assert outcome.body["events_with_invalid_fields"] == {"price": [0]}
    assert "price" in outcome.message


def test_result_times_out(client, memory):
    """`result` raises TimeoutError when the time is over; the event goes on."""
    delivery = client.log_event(SONG)
    for timeout in (0, 0.001, -1):
        with pytest.raises(TimeoutError, match="still being delivered"):
            delivery.result(timeout)
    memory.gate.set()
    assert delivery.result(120).ok
    assert delivery.result(0).ok


def test_callbacks_run_once_each(client, memory):
    """Those added before it settles run then, in order; those added later at once; a double one twice."""
    called = []
    first, second = lambda delivery: called.append(("first", delivery)), lambda _: called.append("second")
    delivery = client.log_event(SONG)
    delivery.add_done_callback(first)
    delivery.add_done_callback(second)
    delivery.add_done_callback(second)
    assert called == []
    memory.gate.set()
    client.flush(120)
    assert called == [("first", delivery), "second", "second"]
    delivery.add_done_callback(second)
    assert called[3:] == ["second"]


def test_what_a_callback_raises_is_logged(client, memory, caplog):
    """It reaches neither the other callbacks nor the event's fate."""
    called = []

    def break_(_):
        raise LookupError("in a callback")

    delivery = client.log_event(SONG)
    delivery.add_done_callback(break_)
    delivery.add_done_callback(called.append)
    memory.gate.set()
    client.flush(120)
    assert called == [delivery]
    assert "a callback of a delivery raised" in caplog.text
    delivery.add_done_callback(break_)
    assert client.log_event(SONG).result(120).ok


def test_callbacks_added_from_many_threads_all_run_once(client, memory):
    """Whether they come before, while or after it settles."""
    delivery = client.log_event(SONG)
    lock, called = threading.Lock(), []

    def note(name):
        def callback(_):
            with lock:
                called.append(name)

        return callback

    barrier = threading.Barrier(9)

    def add(name):
        barrier.wait()
        for number in range(200):
            delivery.add_done_callback(note((name, number)))

    threads = [threading.Thread(target=add, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    barrier.wait()
    memory.gate.set()
    for thread in threads:
        thread.join()
    client.flush(120)
    assert sorted(called) == [(name, number) for name in range(8) for number in range(200)]


def test_several_threads_may_wait(client, memory):
    """All of them get the outcome."""
    delivery, got = client.log_event(SONG), []
    threads = [threading.Thread(target=lambda: got.append(delivery.result(120))) for _ in range(5)]
    for thread in threads:
        thread.start()
    memory.gate.set()
    for thread in threads:
        thread.join()
    assert got == [delivery.outcome] * 5


def test_a_callback_may_log(client, memory):
    """Logging from a callback does not deadlock."""
    later = []
    delivery = client.log_event(SONG)
    delivery.add_done_callback(lambda _: later.append(client.log_event(SONG)))
    memory.gate.set()
    client.flush(120)
    assert later[0].result(120).ok


async def test_awaiting_gives_the_outcome(client, memory):
    """Any number of tasks may await it, before it settles and after."""
    delivery = client.log_event(SONG)

    async def wait():
        return await delivery

    tasks = [asyncio.ensure_future(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    memory.gate.set()
    outcomes = await asyncio.gather(*tasks)
    assert outcomes == [delivery.outcome] * 3
    assert await delivery is delivery.outcome


async def test_awaiting_can_be_given_up(client, memory):
    """A cancelled or timed-out await costs the event nothing."""
    delivery = client.log_event(SONG)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(delivery, 0.001)
    memory.gate.set()
    assert (await delivery).ok


def test_a_loop_that_is_gone_is_no_trouble(client, memory, caplog):
    """An event that settles after the loop that awaited it was closed warns nobody."""
    delivery = client.log_event(SONG)

    async def give_up():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(delivery, 0.001)

    asyncio.run(give_up())
    memory.gate.set()
    assert delivery.result(120).ok
    assert not caplog.records


def test_nobody_is_obliged_to_look():
    """A failure that nobody observes warns nobody at interpreter level; it is counted."""
    with logging_client() as client, warnings.catch_warnings():
        warnings.simplefilter("error")
        client.log_event({})
        gc.collect()
        assert client.stats().rejected == {"invalid_event": 1}


def test_event_gives_what_was_encoded(client, memory):
    """The event as logged, decoded anew, until it is delivered; then its memory is free."""
    delivery = client.log_event(SONG)
    assert delivery.event()["user_id"] == "user-20391"
    assert delivery.event() is not delivery.event()
    memory.gate.set()
    client.flush(120)
    assert delivery.event() == {}
    refused = client.log_event({"event_type": "Song Played", "event_properties": {"a": 1}})
    assert refused.event() == {"event_type": "Song Played", "event_properties": {"a": 1}}


def test_the_repr_never_shows_the_event(client, memory):
    """Pending or settled, it shows the fate and nothing of the event."""
    delivery = client.log_event(SONG)
    assert repr(delivery) == "<Delivery pending, attempts 0>"
    memory.gate.set()
    delivery.result(120)
    assert repr(delivery) == "<Delivery delivered (delivered), code 200, attempts 1>"
    assert "Song" not in repr(client.log_event({"event_type": "Song Played"}))


def test_an_outcome_is_a_value():
    """Outcomes are frozen, comparable and survive pickling."""
    outcome = Outcome("rejected", Status.INVALID, "invalid_fields", 400, "bad", 1, {"code": 400})
    assert pickle.loads(pickle.dumps(outcome)) == outcome  # noqa: S301 - our own
    with pytest.raises(AttributeError):
        outcome.code = 200
    assert not outcome.ok


def test_a_skipped_event_has_a_handle_too():
    """It has settled when the call returns."""
    delivery = Client().log_event(SONG)
    called = []
    delivery.add_done_callback(called.append)
    assert delivery.done()
    assert called == [delivery]
    assert delivery.event() == {}
    assert delivery.result().kind == "skipped"


def test_deliveries_are_told_apart_by_identity(client, memory):
    """Two handles of equal events are different, and may be kept in a set."""
    memory.gate.set()
    assert len({client.log_event(SONG), client.log_event(SONG)}) == 2
    assert KEY not in repr(client)
