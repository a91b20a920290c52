"""The live stream: what it tells, how often, and what it leaves out."""

import asyncio
import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.server.http import live as live_module
from antinode.server.http.live import MAX_EVENTS, MAX_SUBSCRIBERS, MAX_UPLOADS, Live
from antinode.server.models import EventView, Totals, UploadView
from tests.server.conftest import event


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self):
        return self.now


def upload(number, events):
    return UploadView(
        id=number,
        received_at=0,
        method="POST",
        path="/batch",
        project_id=1,
        status=200,
        error=None,
        fault=None,
        wire_size=0,
        body_size=0,
        encoding="",
        events=events,
        accepted=events,
        duplicates=0,
        rejected=0,
        returned=0,
        library=None,
        user_agent="",
        duration_us=0,
        answer=None,
        body_start=None,
    )


def views(number, count):
    """Views of the newest of an upload's events, newest first."""
    return [
        EventView(
            seq=number * 10_000 + position,
            outcome="accepted",
            received_at=0,
            upload_id=number,
            position=position,
            project_id=1,
            event_type="x",
            user_id=None,
            device_id=None,
            insert_id=None,
            time=None,
            library=None,
            problems=[],
            event=msgspec.Raw(b"{}"),
        )
        for position in reversed(range(count))
    ]


def live(clock=None):
    return Live(lambda: 5, elapsed=clock or Clock())


def ticks(message):
    kind, data = message.decode().strip().split("\n")
    assert kind == "event: tick"
    return json.loads(data.removeprefix("data: "))


async def test_it_begins_with_a_tick():
    """A subscriber learns at once how things stand; nothing of before is told again."""
    hub = live()
    hub.hear(upload(1, 1), views(1, 1), Totals(events=1))
    async with contextlib.aclosing(hub.messages(Totals(events=7, problems=3))) as stream:
        tick = ticks(await anext(stream))
    assert (tick["now"], tick["totals"]["events"], tick["problems"]) == (5, 7, 3)
    assert (tick["events"], tick["omitted_events"], tick["uploads"]) == ([], 0, [])


async def test_it_tells_what_comes():
    """The next tick holds what came since, newest first."""
    hub = live()
    async with contextlib.aclosing(hub.messages(Totals())) as stream:
        await anext(stream)
        hub.hear(upload(1, 2), views(1, 2), Totals(events=2))
        hub.hear(upload(2, 1), views(2, 1), Totals(events=3))
        tick = ticks(await anext(stream))
    assert [each["seq"] for each in tick["events"]] == [20000, 10001, 10000]
    assert [each["id"] for each in tick["uploads"]] == [2, 1]
    assert (tick["omitted_events"], tick["omitted_uploads"], tick["rate"]) == (0, 0, 3)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 20)), max_size=60))
def test_told_and_omitted_make_all(uploads):
    """However much comes between two ticks: what is told and what is left out are all, within bounds."""

    async def play():
        hub = live()
        async with contextlib.aclosing(hub.messages(Totals())) as stream:
            await anext(stream)
            for number, (count, shown) in enumerate(uploads, start=1):
                sample = views(number, min(count, shown)) if hub.is_hungry else []
                hub.hear(upload(number, count), sample, Totals())
            hub.hear(upload(999, 0), [], Totals())
            return ticks(await anext(stream))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_module, "_PAUSE_S", 0)
        tick = asyncio.run(play())
    assert len(tick["events"]) <= MAX_EVENTS
    assert len(tick["uploads"]) <= MAX_UPLOADS
    assert len(tick["events"]) + tick["omitted_events"] == sum(count for count, _ in uploads)
    assert len(tick["uploads"]) + tick["omitted_uploads"] == len(uploads) + 1
    assert [each["seq"] for each in tick["events"]] == sorted(
        (e["seq"] for e in tick["events"]), reverse=True
    )


async def test_samples_are_asked_for_only_when_somebody_watches():
    """Without a subscriber, or once a tick is full, views of events are not wanted."""
    hub = live()
    assert not hub.is_hungry
    async with contextlib.aclosing(hub.messages(Totals())) as stream:
        await anext(stream)
        assert hub.is_hungry
        for number in range(1, 4):
            hub.hear(upload(number, 20), views(number, 20), Totals())
        assert not hub.is_hungry
        await anext(stream)
        assert hub.is_hungry
    assert not hub.is_hungry


async def test_the_rate_is_of_the_last_second():
    """Events of the last second count, older ones do not."""
    clock = Clock()
    hub = live(clock)
    async with contextlib.aclosing(hub.messages(Totals())) as stream:
        await anext(stream)
        hub.hear(upload(1, 100), [], Totals())
        clock.now += 0.5
        hub.hear(upload(2, 10), [], Totals())
        assert ticks(await anext(stream))["rate"] == 110
        clock.now += 0.6
        hub.hear(upload(3, 1), [], Totals())
        assert ticks(await anext(stream))["rate"] == 11
        clock.now += 3600
        hub.hear(upload(4, 0), [], Totals())
        assert ticks(await anext(stream))["rate"] == 0


async def test_a_reset_is_told():
    """After a reset comes its message, then a tick that counts from there."""
    hub = live()
    async with contextlib.aclosing(hub.messages(Totals())) as stream:
        await anext(stream)
        hub.hear(upload(1, 5), views(1, 5), Totals(events=5))
        hub.reset(Totals())
        assert (await anext(stream)).startswith(b"event: reset\n")
        tick = ticks(await anext(stream))
    assert (tick["events"], tick["omitted_events"], tick["totals"]["events"], tick["rate"]) == ([], 0, 0, 0)


async def test_closing_ends_the_streams():
    """Every stream ends when the server does."""
    hub = live()
    stream = hub.messages(Totals())
    await anext(stream)
    hub.close()
    assert [message async for message in stream] == []


async def test_it_fills_up():
    """So many may watch, and one more once one has left."""
    hub = live()
    streams = [hub.messages(Totals()) for _ in range(MAX_SUBSCRIBERS)]
    for stream in streams:
        assert not hub.is_full
        await anext(stream)
    assert hub.is_full
    for stream in streams:
        await stream.aclose()
    assert not hub.is_full


def messages(answer):
    """The messages of a stream, as they come."""
    for block in _blocks(answer):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines() if not line.startswith(":"))
        if fields:
            yield fields["event"], json.loads(fields["data"])


def _blocks(answer):
    buffer = ""
    for chunk in answer.stream(65_536, decode_content=False):
        buffer += chunk.decode()
        while "\n\n" in buffer:
            block, _, buffer = buffer.partition("\n\n")
            yield block


def test_over_http(server, http, post):
    """A browser gets the stream as server-sent events, nothing of it kept by a cache."""
    answer = http.request("GET", server.url + "/api/live", preload_content=False)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    told = messages(answer)
    assert next(told)[1]["totals"]["events"] == 0
    post(event(1, event_type="<script>alert(1)</script>"))
    kind, tick = next(told)
    assert kind == "tick"
    assert tick["totals"]["events"] == 1
    assert [each["event"] for each in tick["events"]] == [event(1, event_type="<script>alert(1)</script>")]
    server.api.reset()
    assert any(kind == "reset" for kind, _ in told)
    answer.close()


def test_a_subscriber_that_does_not_read(server, connect, post):
    """One that never reads holds nobody up, and does not keep the server from ending."""
    connect().sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    filler = {"text": "x" * 1000}
    for start in range(0, 4000, 20):
        post(*(event(n, event_properties=filler) for n in range(start, start + 20)), path="/batch")
    assert server.api.stats().totals.events == 4000


def test_many_subscribers(server, http):
    """Beyond the bound a subscriber is answered 503."""
    answers = []
    for _ in range(MAX_SUBSCRIBERS):
        answer = http.request("GET", server.url + "/api/live", preload_content=False)
        told = messages(answer)
        next(told)
        answers.append((answer, told))
    refused = http.request("GET", server.url + "/api/live", preload_content=False)
    assert refused.status == 503
    for answer, _ in answers:
        answer.close()
