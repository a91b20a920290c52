"""The client: what its methods do, from `init` to `shutdown`."""

import logging
import sys
import threading
import time
import types

import pytest

import antinode
from antinode import (
    Client,
    ConfigurationError,
    Event,
    EventError,
    Identify,
    Report,
    Revenue,
    Status,
    _speedups,
)
from antinode.testing import Endpoint
from tests.memory import KEY, SONG, Memory, logging_client, sent


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def client(memory):
    with logging_client(memory) as made:
        yield made


@pytest.fixture
def antinode_logger():
    """The library's logger, put back as it was afterwards."""
    logger = logging.getLogger("antinode")
    level, handlers = logger.level, list(logger.handlers)
    yield logger
    logger.setLevel(level)
    logger.handlers[:] = handlers


def test_the_three_lines():
    """An event logged with a real transport arrives at a real server."""
    with Endpoint() as endpoint:
        client = Client().init(KEY, server_url=endpoint.url)
        delivery = client.log_event({**SONG, "event_properties": {"title": "Blue in Green"}})
        assert client.flush(timeout=120) == Report(delivered=1)
        client.shutdown()
        assert delivery.result().code == 200
        assert [event["event_properties"] for event in endpoint.events] == [{"title": "Blue in Green"}]


def test_the_caller_may_change_its_dict_at_once(memory):
    """What was logged is what is sent, whatever becomes of the dict afterwards."""
    memory.gate.clear()
    with logging_client(memory) as client:
        event = {**SONG, "event_properties": {"tags": ["a"]}}
        client.log_event(event)
        event["event_properties"]["tags"].append("b")
        event.clear()
        memory.gate.set()
        assert sent(client, memory)[0]["event_properties"] == {"tags": ["a"]}


def test_event_objects_and_other_mappings_are_taken(client, memory):
    """An `Event`, a subclass of dict and a mapping of another kind are events like any dict."""

    class Own(dict):
        pass

    from types import MappingProxyType

    for event in (Event("Song Played", user_id="user-20391"), Own(SONG), MappingProxyType(SONG)):
        assert client.log_event(event).result(120).ok
    assert {event["user_id"] for event in sent(client, memory)} == {"user-20391"}


@pytest.mark.parametrize(
    "event", [None, "Song Played", 7, ["event_type"], object(), {}, {"event_type": "Song Played"}]
)
def test_what_is_no_event_settles_as_invalid(client, memory, caplog, event):
    """A bad event raises nothing: it settles as invalid, is logged and counted; the next is unaffected."""
    delivery = client.log_event(event)
    outcome = delivery.result(0)
    assert (outcome.kind, outcome.status, outcome.attempts) == ("rejected", Status.INVALID, 0)
    assert client.stats().rejected == {"invalid_event": 1}
    assert client.log_event(SONG).result(120).ok
    client.shutdown()
    assert "an event was refused" in caplog.text
    assert isinstance(delivery.event(), dict)
    assert len(memory.events) == 1


def test_strict_raises_for_a_bad_event(memory):
    """Under `strict` a bad event raises EventError, and is counted all the same."""
    with logging_client(memory, strict=True) as client:
        with pytest.raises(EventError, match="user_id"):
            client.log_event({"event_type": "Song Played"})
        with pytest.raises(EventError, match=r"antinode\.Identify"):
            client.identify("user-20391", None, {"plan": "pro"})
        assert client.stats().rejected == {"invalid_event": 2}
        assert client.log_event(SONG).result(120).ok


def test_a_mended_event_is_told(client, memory, caplog):
    """What was changed before sending is logged, and the event is sent."""
    client.log_event({**SONG, "user_id": 20391})
    assert sent(client, memory)[0]["user_id"] == "20391"
    client.log_event({**SONG, "price": float("nan")})
    client.shutdown()
    assert "an event was mended" in caplog.text


@pytest.mark.parametrize("bad", [{"price": "12.50"}, {"properties": {}}], ids=["mended", "sent as it is"])
@pytest.mark.parametrize("kind", ["dict", "object", "with a key"])
def test_what_is_told_of_an_event_names_it_and_its_line(client, memory, caplog, kind, bad):
    """The event's type and the line of the application's code that logged it, as for a refused one."""
    event = {**SONG, "event_properties": None, **bad}
    if kind == "object":
        event = antinode.Event("Song Played", user_id="user-20391", price="12.50")
    client.log_event(event, **({"once": "order-1"} if kind == "with a key" else {}))
    client.shutdown()
    told = [each.getMessage() for each in caplog.records]
    (line,) = [each for each in told if "before it was sent" in each or "sent as it is" in each]
    assert f'("Song Played", logged at {__file__}:' in line


def test_each_unknown_key_is_told(client, memory, caplog):
    """A key that Amplitude ignores is told at once, with the one that was meant; repetitions are counted."""
    for _ in range(3):
        client.log_event({**SONG, "properties": {"a": 1}, "traits": {}, "timestamp": 1})
    client.log_event({**SONG, "cart": 1})
    arrived = sent(client, memory)
    assert arrived[0]["properties"] == {"a": 1}
    assert len(arrived) == 4
    client.shutdown()
    lines = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    for key, meant in (
        ("properties", "event_properties"),
        ("traits", "user_properties"),
        ("timestamp", "time"),
        ("cart", "event_properties"),
    ):
        (line, *sums) = [line for line in lines if f"`{key}`" in line]
        assert f"`{meant}`" in line
        assert "sent as it is" in line
        assert ["2 further lines" in each for each in sums] == ([] if key == "cart" else [True])


@pytest.mark.parametrize(
    "fault", [{"properties": {}}, {"event_properties": {"lock": object()}}, {"price": "twelve"}, {("a",): 1}]
)
def test_strict_raises_for_what_would_be_told(memory, fault):
    """Unknown keys and bad values raise, and the event is settled as refused."""
    with logging_client(memory, strict=True) as client:
        with pytest.raises(EventError):
            client.log_event({**SONG, **fault})
        client.log_event({**SONG, "user_id": 20391})
        assert [event["user_id"] for event in sent(client, memory)] == ["20391"]


# Identify, revenue, groups.


def test_the_device_is_optional(client, memory):
    """A user and what is said of it are enough; the device goes by keyword, or second as in the Node SDK."""
    identify = Identify().set("plan", "pro")
    revenue = Revenue(price=19.99)
    for call in (client.identify, client.revenue):
        given = identify if call == client.identify else revenue
        call("user-20391", given)
        call("user-20391", given, device_id="device-1")
        call("user-20391", "device-1", given)
        call("user-20391", None, given)
        call(None, "device-1", given)
    client.identify(device_id="device-1", identify=identify)
    client.set_group("user-20391", "org", "acme")
    client.set_group("user-20391", "org", ["acme"], device_id="device-1")
    client.set_group("user-20391", "device-1", "org", "acme")
    client.set_group(user_id="user-20391", device_id="device-1", group_type="org", group_name="acme")
    user, device = ("user-20391", None), ("user-20391", "device-1")
    arrived = [(event.get("user_id"), event.get("device_id")) for event in sent(client, memory)]
    each = [user, device, device, user, (None, "device-1")]
    assert arrived == [*each, *each, (None, "device-1"), user, device, device, device]
    with pytest.raises(TypeError, match="takes a user_id, then identify, and device_id by keyword"):
        client.identify("user-20391", "device-1", identify, 7)
    with pytest.raises(TypeError):
        client.identify("user-20391", identify=identify, user="x")


def test_what_is_no_identify_is_refused_with_the_right_form(client, caplog):
    """The message shows a call that works, and what is known of the event is kept."""
    delivery = client.identify("user-20391", {"plan": "pro"})
    assert "write identify(…, antinode.Identify().set('plan', 'pro'))" in delivery.result().message
    assert delivery.event() == {"event_type": "$identify", "user_id": "user-20391"}
    assert client.revenue("user-20391", 19.99).event()["event_type"] == "revenue_amount"


def test_other_sdks_names_lead_to_ours(client):
    """A method of another SDK is named with the one to call instead."""
    for name, meant in (("track", "log_event"), ("capture", "log_event"), ("close", "shutdown")):
        with pytest.raises(AttributeError, match=f"no attribute '{name}': call {meant}"):
            getattr(client, name)
        assert not hasattr(client, name)


def test_a_name_instead_of_an_event_shows_the_form(client):
    """`log_event("Song Played")` is refused with the dict that was meant."""
    message = client.log_event("Song Played").result().message
    assert "must be a dict" in message
    assert "log_event({'event_type': 'Song Played', 'user_id': …})" in message
    assert "Evans" not in client.log_event('{"a": "Evans"}').result().message


def test_groups_that_are_numbers_are_text_in_all_calls(client, memory, caplog):
    """Names and types of groups become text and are told, however they come; None is no group."""
    client.log_event({**SONG, "groups": {"org": 10}})
    client.log_event({**SONG, "groups": {7: [10, None, "x"]}})
    client.group_identify("org", 10, Identify().set("plan", "pro"))
    client.group_identify(7, [10, "x"], Identify().set("plan", "pro"))
    client.set_group("user-20391", "org", 10)
    client.set_group("user-20391", 7, [10, None, "x"])
    for bad in (None, [None], [], object(), 1e17):
        assert client.set_group("user-20391", "org", bad).result().kind == "rejected"
    for bad in (None, [None], []):
        assert client.group_identify("org", bad, Identify().set("plan", "pro")).result().kind == "rejected"
    arrived = sent(client, memory)
    assert [event["groups"] for event in arrived] == [
        {"org": "10"},
        {"7": ["10", "x"]},
        {"org": "10"},
        {"7": ["10", "x"]},
        {"org": "10"},
        {"7": ["10", "x"]},
    ]
    assert [event["user_properties"] for event in arrived[4:]] == [
        {"$set": {"org": "10"}},
        {"$set": {"7": ["10", "x"]}},
    ]
    assert "a number as a name of 'org'" in caplog.text
    assert "set_group('org') takes text" in caplog.text


def test_identify_and_groups(client, memory):
    """The calls make the events that Amplitude knows for them."""
    client.identify("user-20391", None, Identify().set("plan", "pro"))
    client.group_identify("label", ["Columbia", "Prestige"], Identify().set("tier", "gold"))
    client.set_group("user-20391", "device-7", "label", "Columbia")
    client.revenue("user-20391", None, Revenue(price=3, quantity=2))
    identify, group, put, revenue = sent(client, memory)
    assert identify["event_type"] == "$identify"
    assert identify["user_properties"] == {"$set": {"plan": "pro"}}
    assert "device_id" not in identify
    assert group["event_type"] == "$groupidentify"
    assert group["groups"] == {"label": ["Columbia", "Prestige"]}
    assert "user_id" not in group
    assert put["groups"] == {"label": "Columbia"}
    assert put["user_properties"] == {"$set": {"label": "Columbia"}}
    assert revenue["event_type"] == "revenue_amount"
    assert revenue["event_properties"]["$revenue"] == 6
    assert all(event["insert_id"] and event["time"] for event in memory.events)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.identify("user-20391", None, {"plan": "pro"}),
        lambda client: client.identify(None, None, Identify().set("plan", "pro")),
        lambda client: client.group_identify("label", "Columbia", None),
        lambda client: client.group_identify(["label"], "Columbia", Identify().set("a", 1)),
        lambda client: client.revenue("user-20391", None, 19.99),
        lambda client: client.revenue("user-20391", None, Revenue()),
        lambda client: client.set_group("user-20391", None, "label", None),
        lambda client: client.set_group("user-20391", None, "", "Columbia"),
    ],
)
def test_bad_calls_settle_as_invalid(client, memory, call):
    """A wrong argument raises nothing and sends nothing; the handle says what was wrong."""
    outcome = call(client).result(0)
    assert (outcome.status, outcome.reason) == (Status.INVALID, "invalid_event")
    assert outcome.message
    assert sent(client, memory) == []


# Off: not initialised, opted out, disabled.


def test_before_init_events_are_skipped_with_one_warning(memory, caplog):
    """Until `init`, each event is skipped and counted, and one warning says what to call; then it works."""
    client = Client("billing")
    for call in (client.log_event, client.log_event):
        assert call(SONG).result(0).reason == "not_initialised"
    assert client.identify("user-20391", None, Identify()).result(0).status is Status.SKIPPED
    assert client.revenue("user-20391", None, Revenue()).result(0).status is Status.SKIPPED
    assert client.stats().skipped == {"not_initialised": 4}
    assert client.flush() == client.shutdown() == Report()
    assert repr(client) == "<Client 'billing' not initialised>"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "get_instance('billing').init" in caplog.text
    client.init(KEY, transport=memory)
    assert client.log_event(SONG).result(120).ok
    client.shutdown()


def test_opt_out_can_be_set_at_any_time(client, memory):
    """While it is set, events are skipped; afterwards they are sent again."""
    assert client.opt_out is False
    client.opt_out = True
    assert client.options.opt_out is True
    assert client.log_event(SONG).result(0).reason == "opt_out"
    assert client.identify("user-20391", None, Identify().set("a", 1)).result(0).status is Status.SKIPPED
    client.opt_out = False
    client.log_event(SONG)
    assert len(sent(client, memory)) == 1
    assert client.stats().skipped == {"opt_out": 2}
    with pytest.raises(ConfigurationError, match="True or False"):
        client.opt_out = "false"


def test_an_opt_out_outlives_init(memory):
    """A user who opted out stays so through another `init`, unless that says otherwise."""
    client = Client()
    client.opt_out = True
    client.init(KEY, transport=memory)
    assert client.log_event(SONG).result(0).reason == "opt_out"
    client.init(KEY, transport=memory, opt_out=False)
    assert client.log_event(SONG).result(120).ok
    client.shutdown()


def test_disabled_starts_nothing(monkeypatch):
    """With `enabled=False` no key is needed, no thread is started and every event is skipped."""
    monkeypatch.delenv("AMPLITUDE_API_KEY", raising=False)
    before = set(threading.enumerate())
    client = Client().init(enabled=False)
    assert client.log_event(SONG).result(0).reason == "disabled"
    assert client.log_event(None).result(0).reason == "disabled"
    client.opt_out = True
    assert client.log_event(SONG).result(0).reason == "disabled"
    assert client.flush() == client.shutdown() == Report()
    assert set(threading.enumerate()) <= before


def test_init_starts_no_thread(memory):
    """Threads begin with the first event, and end with `shutdown`."""
    before = set(threading.enumerate())
    client = Client().init(KEY, transport=memory)
    assert set(threading.enumerate()) <= before
    client.log_event(SONG).result(120)
    assert not set(threading.enumerate()) <= before
    client.shutdown()
    assert set(threading.enumerate()) <= before


# A second init, and the end.


def test_a_second_init_sends_the_earlier_events_first(memory, caplog):
    """What was logged before goes out with the old options; what comes after, with the new ones."""
    client = Client().init(KEY, transport=memory, upload_interval_in_sec=3600)
    early = client.log_event(SONG)
    later = Memory()
    client.init(KEY, transport=later, plan={"branch": "main"})
    assert early.result(0).ok
    client.log_event(SONG)
    assert len(sent(client, later)) == 1
    assert later.events[0]["plan"] == {"branch": "main"}
    assert len(memory.events) == 1
    assert client.stats().accepted == 1
    assert caplog.text.count("initialised again") == 1
    client.shutdown()


def test_a_failed_init_changes_nothing(client, memory):
    """After a ConfigurationError the client goes on with what it had."""
    for bad in ({"strict": 1}, {"server_url": "https://h.example/x", "endpoint": "auto"}):
        with pytest.raises(ConfigurationError):
            client.init(KEY, **bad)
    assert client.log_event(SONG).result(120).ok
    assert len(memory.events) == 1


def test_events_logged_during_a_second_init_are_not_lost(memory):
    """Threads that log while the client is initialised again lose nothing."""
    # Logging is faster than delivery: with "block" it waits for room, and nothing is dropped for want of it.
    options = {"transport": memory, "overflow": "block", "max_queue_events": 5000}
    client = Client().init(KEY, **options)
    stop, deliveries = threading.Event(), []

    def log():
        while not stop.is_set():
            deliveries.append(client.log_event(SONG))

    thread = threading.Thread(target=log)
    thread.start()
    for _ in range(3):
        client.init(KEY, **options)
    stop.set()
    thread.join()
    client.shutdown(120)
    lost = [delivery for delivery in deliveries if not delivery.result(120).ok]
    # One may have been on its way to the old sender at the very moment it ended; it is counted and told.
    assert len(lost) <= 3
    assert all(delivery.result().reason == "shutdown" for delivery in lost)


def test_after_shutdown_events_settle_as_dropped(client, memory):
    """They are counted, not sent; `init` makes the client usable again, without a warning."""
    client.log_event(SONG)
    assert client.shutdown() == Report(delivered=1)
    assert client.shutdown() == Report()
    outcome = client.log_event(SONG).result(0)
    assert (outcome.kind, outcome.reason) == ("dropped", "shutdown")
    client.init(KEY, transport=memory)
    assert client.log_event(SONG).result(120).ok


def test_leaving_the_with_block_shuts_down(memory):
    """`with init(...)` sends everything and ends."""
    with Client().init(KEY, transport=memory, upload_interval_in_sec=3600) as client:
        delivery = client.log_event(SONG)
    assert delivery.result(0).ok


async def test_asyncio(memory):
    """`async with`, `await delivery`, `aflush` and `ashutdown` do the same without blocking the loop."""
    async with Client().init(KEY, transport=memory) as client:
        assert (await client.log_event(SONG)).ok
        client.log_event(SONG)
        report = await client.aflush(120)
        assert report.complete
    assert client.log_event(SONG).result(0).reason == "shutdown"
    assert await client.ashutdown() == Report(dropped=1)


def test_flush_reports_what_is_pending(memory):
    """When the time is over, `flush` returns and says how many events are still under way."""
    memory.gate.clear()
    with logging_client(memory) as client:
        for _ in range(3):
            client.log_event(SONG)
        client.log_event({})
        report = client.flush(timeout=0)
        assert (report.pending, report.complete) == (3, False)
        memory.gate.set()
        report = client.flush(timeout=120)
        assert (report.delivered, report.rejected, report.pending) == (3, 1, 0)
        assert client.flush() == Report()


@pytest.mark.parametrize("timeout", ["soon", True, float("nan"), [1]])
def test_a_timeout_is_a_number_of_seconds(client, timeout):
    """Anything else raises where it was written."""
    for call in (client.flush, client.shutdown):
        with pytest.raises(ValueError, match="number of seconds"):
            call(timeout)


# Logging.


def test_no_event_and_no_key_is_logged_above_debug(caplog):
    """Whatever goes wrong, lines at INFO and above hold neither an event's properties nor the key."""
    caplog.set_level(logging.INFO, logger="antinode")
    memory = Memory()
    memory.answer = antinode.HttpResponse(
        400, {}, b'{"code":400,"error":"Invalid API key: %b"}' % KEY.encode()
    )
    secret = {**SONG, "event_properties": {"card": "4111-1111"}}
    with logging_client(memory) as client:
        client.log_event(secret)
        client.log_event({**secret, "user_id": None})
        client.log_event({**secret, "event_type": None})
        client.flush(timeout=120)
    assert caplog.records
    assert {record.name for record in caplog.records} == {"antinode"}
    assert "4111" not in caplog.text
    assert KEY not in caplog.text


def test_a_flood_of_bad_events_is_one_line(client, caplog):
    """A thousand refused events are one warning now and one sum at the end."""
    for _ in range(1000):
        client.log_event({})
    client.shutdown()
    assert 1 <= len(caplog.records) <= 3
    assert "999" in caplog.text


def test_debug_logs_to_stderr_unless_logging_is_set_up(memory, antinode_logger, capsys, monkeypatch):
    """`debug=True` sets the level, and a handler that steps back once the application has its own."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    with logging_client(memory, debug=True):
        assert antinode_logger.level == logging.DEBUG
        antinode_logger.debug("one line")
        assert "antinode DEBUG: one line" in capsys.readouterr().err
        root.addHandler(logging.NullHandler())
        antinode_logger.debug("another")
        assert capsys.readouterr().err == ""


def test_log_level_wins_over_debug(memory, antinode_logger):
    """`log_level` is the level of the logger, whatever `debug` says."""
    with logging_client(memory, debug=True, log_level="error"):
        assert antinode_logger.level == logging.ERROR


def test_without_options_logging_is_left_alone(memory, antinode_logger):
    """Neither the level nor the handlers are touched unless asked for."""
    before = antinode_logger.level, list(antinode_logger.handlers)
    with logging_client(memory):
        assert (antinode_logger.level, antinode_logger.handlers) == before


def test_the_repr_shows_the_state(memory):
    """Host, the key's last four characters, and what is under way; nothing of the events."""
    memory.gate.clear()
    with logging_client(memory, upload_interval_in_sec=3600) as client:
        client.log_event(SONG)
        shown = "<Client api2.amplitude.com key=…cdef | 1 queued, 0 in flight, 0 waiting | dropped 0 | "
        assert repr(client) == f"{shown}{_speedups.describe()}>"
        short = Client("b").init("tiny", transport=memory)
        assert "tiny" not in repr(short)


def test_many_threads_lose_nothing(client, memory):
    """Events logged by 16 threads at once all arrive, each once."""

    def log(name):
        for seq in range(200):
            client.log_event({**SONG, "user_id": f"user-{name}", "event_properties": {"seq": seq}})

    threads = [threading.Thread(target=log, args=(f"{i:05}",)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = sent(client, memory)
    assert len({event["insert_id"] for event in events}) == len(events) == 3200
    for name in {event["user_id"] for event in events}:
        mine = [event["event_properties"]["seq"] for event in events if event["user_id"] == name]
        assert mine == list(range(200))


def test_time_is_that_of_the_call(memory):
    """An event that waits is stamped when it was logged, not when it is sent."""
    memory.gate.clear()
    with logging_client(memory) as client:
        before = time.time_ns() // 1_000_000
        client.log_event(SONG)
        after = time.time_ns() // 1_000_000
        memory.gate.set()
        assert before <= sent(client, memory)[0]["time"] <= after


@pytest.mark.parametrize(("group", "is_warned"), [("", False), ("localhost|", True)])
def test_sub_interpreter_of_mod_wsgi_is_warned_about(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, group: str, is_warned: bool
) -> None:
    """Apache ends it without exit handlers; its main interpreter runs them. SIGTERM it keeps in both."""
    mod_wsgi = types.ModuleType("mod_wsgi")
    mod_wsgi.application_group = group  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mod_wsgi", mod_wsgi)
    with Client("mod_wsgi").init("k" * 32, transport=Memory(), drain_on_sigterm=True):
        assert ("write WSGIApplicationGroup %{GLOBAL}" in caplog.text) == is_warned
        assert "mod_wsgi keeps SIGTERM to itself. Leave drain_on_sigterm out" in caplog.text


@pytest.mark.parametrize(
    ("options", "is_warned"),
    [
        ({}, True),
        ({"master": b"true"}, True),
        ({"enable-threads": b"true"}, False),
        ({b"threads": b"4"}, False),
    ],
)
def test_uwsgi_without_threads_is_warned_about(
    options: dict[object, object],
    is_warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Under uWSGI without threads nothing could be sent in the background: `init` says what to do."""
    uwsgi = types.ModuleType("uwsgi")
    uwsgi.opt = options  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    with Client("uwsgi").init("k" * 32, transport=Memory()):
        assert ("--enable-threads" in caplog.text) is is_warned
