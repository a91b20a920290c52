"""The options of `init`: what is accepted, what is refused, and what the refusal says."""

import logging
import os
import pathlib
import pickle
import typing

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

import antinode
from antinode import Client, ConfigurationError, HttpResponse, IngestionMetadata, Options, OptionsDict, Plan
from antinode._api_key import check_api_key
from antinode._factory import is_in_the_clear, make_sender
from antinode._options import read_options
from tests.memory import KEY, SONG, Memory, logging_client


class Policy:
    def next_delay(self, attempt, response):
        return None


def call(*_):
    pass


async def call_async(*_):
    pass


GOOD = {
    "server_url": ["http://127.0.0.1:8000", "https://proxy.example/collect?to=a", None],
    "server_zone": ["US", "EU"],
    "use_batch": [True, False],
    "endpoint": ["http-v2", "batch", "auto", None],
    "max_cached_events": [1, 16_000],
    "upload_interval_in_sec": [0, 0.5, 3600],
    "min_id_length": [1, 5, None],
    "consent": [call, antinode.Consent(call, at_door=False), None],
    "opt_out": [True, False],
    "retry_timeouts": [[], [100, 200.5], (0,), None],
    "max_event_age": [0.1, 604_800, None],
    "on_retry": [call, None],
    "request_timeout_millis": [0.5, 10_000],
    "connections": [1, 32],
    "compress": [True, False, None],
    "compress_level": [1, 9, None],
    "proxy": ["http://user:secret@127.0.0.1:3128", "127.0.0.1:3128", False, None],
    "headers": [{"X-Team": "data"}, {}, None],
    "plan": [Plan(branch="main"), {"branch": "main", "versionId": "1"}, {}, None],
    "ingestion_metadata": [IngestionMetadata("ampli"), {"source_name": "ampli"}, None],
    "debug": [True, False],
    "log_level": ["info", "WARNING", logging.INFO, 5, None],
    "strict": [True, False],
    "enabled": [True, False],
    "max_queue_events": [1, 10**6],
    "max_queue_bytes": [1024, 10**9],
    "overflow": ["drop_oldest", "drop_newest", "block"],
    "shutdown_timeout": [0, 5.5],
    "flush_patience": [0, 60],
    "storage": ["spool", pathlib.Path("spool"), "~/spool", b"spool", None],
    "durability": ["process", "interval", "strict"],
    "sync_interval": [0.01, 3600],
    "max_spool_bytes": [1024 * 1024, 10**12],
    "dead_letters": ["dead.jsonl", pathlib.Path("dead.jsonl"), None],
    "on_outcome": [call, None],
    "transport": [Memory(), None],
    "retry": [Policy(), None],
    "pace": [0.5, 30, None],
    "drain_on_sigterm": [True, False],
}
NOT_NUMBERS = ["5", True, [5], float("nan"), float("inf"), 10**400]
NOT_FLAGS = [0, 1, "yes", "false", []]
BAD = {
    "server_url": [
        "api2.amplitude.com",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://ho st",
        "http://höst",
        "http://h/#a",
        b"http://h",
        7,
        "http://[::1",
        "http://h\n",
    ],
    "server_zone": ["us", "MOON", 1, None],
    "use_batch": [*NOT_FLAGS, None],
    "endpoint": ["http", "BATCH", 2],
    "max_cached_events": [*NOT_NUMBERS, 0, -1, 1.5, None],
    "upload_interval_in_sec": [*NOT_NUMBERS, -1, None],
    "min_id_length": [*NOT_NUMBERS, 0, 1.5],
    "consent": [True, "everybody", call_async, Policy()],
    "opt_out": [*NOT_FLAGS, None],
    "retry_timeouts": ["100", 100, [-1], ["100"], [None], [True], [float("nan")], [float("inf")], {100}],
    "max_event_age": [*NOT_NUMBERS, 0, -1],
    "on_retry": ["call", 7, call_async],
    "request_timeout_millis": [*NOT_NUMBERS, 0, -1, 1e300, None],
    "connections": [*NOT_NUMBERS, 0, 1.5, 10**9, None],
    "compress": NOT_FLAGS,
    "compress_level": [*NOT_NUMBERS, 0, 10, 1.5],
    "proxy": ["ftp://host", "http://", True, 7, "http://host:port"],
    "ca_bundle": ["/no/such/file.pem", 7, __file__],
    "headers": [
        "X: y",
        {"X-Team": 7},
        {7: "x"},
        {"Host": "x"},
        {"content-type": "x"},
        {"X Y": "z"},
        {"": "x"},
        {"X:": "y"},
        {"X": "a\r\nB: c"},
        {"X": "€"},
        {"Ä": "x"},
    ],
    "plan": ["main", {"branch": 7}, {"version_id": "1"}, {"branch": "\ud800"}, IngestionMetadata("a"), [1]],
    "ingestion_metadata": ["ampli", {"name": "x"}, Plan(branch="main")],
    "debug": [*NOT_FLAGS, None],
    "log_level": ["LOUD", 1.5, True, []],
    "strict": [*NOT_FLAGS, None],
    "enabled": [*NOT_FLAGS, None],
    "max_queue_events": [*NOT_NUMBERS, 0, None],
    "max_queue_bytes": [*NOT_NUMBERS, 1023, None],
    "overflow": ["drop", None, 1],
    "shutdown_timeout": [*NOT_NUMBERS, -1, None],
    "flush_patience": [*NOT_NUMBERS, -1, None],
    "on_outcome": ["call", 7, call_async],
    "transport": [Memory, object(), "http"],
    "retry": [Policy, object(), [100]],
    "pace": [*NOT_NUMBERS, 0, -1],
    "drain_on_sigterm": [*NOT_FLAGS, None],
    "storage": [7, "", "a\0b", __file__],
    "durability": ["disk", None, 1],
    "sync_interval": [*NOT_NUMBERS, 0, 3601, None],
    "max_spool_bytes": [*NOT_NUMBERS, 1024 * 1024 - 1, None],
    "dead_letters": [7, "", os.path.dirname(__file__)],
}

# Options that make sense only beside others.
COMPANIONS = {
    "durability": {"storage": "spool"},
    "sync_interval": {"storage": "spool", "durability": "interval"},
    "max_spool_bytes": {"storage": "spool"},
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, each in GOOD.items() for value in each])
def test_good_values_are_accepted(name, value):
    """Each option takes the values it is documented to take."""
    assert isinstance(read_options({**COMPANIONS.get(name, {}), name: value}), Options)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, each in BAD.items() for value in each])
def test_bad_values_are_refused(name, value):
    """A wrong type or value is refused with the option's name, and nothing is initialised."""
    client = Client()
    with pytest.raises(ConfigurationError, match=name):
        client.init(KEY, **{**COMPANIONS.get(name, {}), name: value})
    assert repr(client) == "<Client not initialised>"


def test_every_option_is_tested():
    """The tables above, the type for keyword arguments and the options themselves name the same."""
    names = set(Options.__struct_fields__)
    assert names == GOOD.keys() | {"ca_bundle"} == BAD.keys() == typing.get_type_hints(OptionsDict).keys()


def test_defaults():
    """Without options, these hold."""
    options = read_options({})
    assert options == Options()
    assert options.max_cached_events == 16_000
    assert options.upload_interval_in_sec == 0
    assert options.request_timeout_millis == 10_000
    assert options.connections == 4
    assert options.retry_timeouts is None
    assert repr(options) == "<Options defaults>"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("serverUrl", "server_url"),
        ("maxCachedEvents", "max_cached_events"),
        ("uploadIntervalInSec", "upload_interval_in_sec"),
        ("retryClass", "retry"),
        ("transportClass", "transport"),
        ("retryTimeouts", "retry_timeouts"),
        ("requestTimeoutMillis", "request_timeout_millis"),
        ("optOut", "opt_out"),
        ("minIdLength", "min_id_length"),
        ("onRetry", "on_retry"),
        ("logLevel", "log_level"),
        ("flush_queue_size", "max_cached_events"),
        ("flushIntervalMillis", "upload_interval_in_sec"),
        ("sever_url", "server_url"),
        ("usebatch", "use_batch"),
    ],
)
def test_wrong_names_are_understood(written, meant):
    """A misspelt option, or another SDK's name for it, is answered with ours."""
    with pytest.raises(ConfigurationError, match=f"did you mean '{meant}'"):
        Client().init(KEY, **{written: None})


def test_a_name_like_no_option_lists_them():
    """Where nothing is similar, the message lists the options."""
    with pytest.raises(ConfigurationError, match="the options are ca_bundle, compress"):
        Client().init(KEY, zzz=1)


@given(st.text())
def test_any_wrong_name_is_refused(name):
    """Whatever the name, the answer is a ConfigurationError."""
    if name not in Options.__struct_fields__:
        with pytest.raises(ConfigurationError):
            read_options({name: 1})


# What belongs together.


@pytest.mark.parametrize(
    "options",
    [
        {"server_url": "https://h.example", "server_zone": "EU"},
        {"use_batch": True, "endpoint": "auto"},
        {"use_batch": True, "endpoint": "http-v2"},
        {"retry": Policy(), "retry_timeouts": [100]},
        {"server_url": "https://h.example/2/httpapi", "use_batch": True},
        {"server_url": "https://h.example/batch", "endpoint": "http-v2"},
        {"server_url": "https://h.example/collect", "endpoint": "auto"},
    ],
)
def test_contradictions_are_refused(options):
    """Options that cannot both hold are refused together."""
    with pytest.raises(ConfigurationError):
        Client().init(KEY, **options)


@pytest.mark.parametrize(
    ("options", "usual", "bulk"),
    [
        ({}, "https://api2.amplitude.com/2/httpapi", None),
        ({"server_zone": "EU"}, "https://api.eu.amplitude.com/2/httpapi", None),
        ({"use_batch": True}, "https://api2.amplitude.com/batch", None),
        ({"endpoint": "batch", "server_zone": "EU"}, "https://api.eu.amplitude.com/batch", None),
        ({"endpoint": "auto"}, "https://api2.amplitude.com/2/httpapi", "https://api2.amplitude.com/batch"),
        ({"server_url": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000/2/httpapi", None),
        ({"server_url": "http://127.0.0.1:8000/"}, "http://127.0.0.1:8000/2/httpapi", None),
        ({"server_url": "http://127.0.0.1:8000", "use_batch": True}, "http://127.0.0.1:8000/batch", None),
        ({"server_url": "http://127.0.0.1:8000", "endpoint": "batch"}, "http://127.0.0.1:8000/batch", None),
        (
            {"server_url": "http://127.0.0.1:8000", "endpoint": "auto"},
            "http://127.0.0.1:8000/2/httpapi",
            "http://127.0.0.1:8000/batch",
        ),
        (
            {"server_url": "https://h.example/a/batch", "endpoint": "auto"},
            "https://h.example/a/2/httpapi",
            "https://h.example/a/batch",
        ),
        ({"server_url": "https://h.example/collect"}, "https://h.example/collect", None),
        ({"server_url": "https://h.example/batch"}, "https://h.example/batch", None),
    ],
)
def test_where_uploads_go(options, usual, bulk):
    """Zone, endpoint and server_url make the URL; a bare host gets the path of the API."""
    sender = make_sender(KEY, read_options(options), None)
    config, routes = sender.config.core, sender.config.routes
    backlog = config.backlog_endpoint or config.endpoint
    assert (routes[config.endpoint].url, routes[backlog].url) == (usual, bulk or usual)


def test_the_endpoints_size_limit_holds():
    """HTTP V2 takes bodies under 1 MB and Batch under 20 MB, the envelope included, also by URL."""

    def room(**options):
        sender = make_sender(KEY, read_options(options), None)
        config = sender.config
        return config.core.max_batch_bytes + config.routes[config.core.endpoint].envelope.size

    assert room() == room(endpoint="auto") == 999_999
    assert room(use_batch=True) == room(server_url="https://h.example/batch") == 19_999_999


# The API key.


def test_the_key_may_come_from_the_environment(monkeypatch):
    """AMPLITUDE_API_KEY is used when no key is given, and a given one wins."""
    monkeypatch.setenv("AMPLITUDE_API_KEY", KEY)
    assert check_api_key(None) == KEY
    assert check_api_key("other") == "other"


def test_no_key_is_refused(monkeypatch):
    """Without a key the message says both ways to give one."""
    monkeypatch.delenv("AMPLITUDE_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="AMPLITUDE_API_KEY"):
        Client().init()


@pytest.mark.parametrize(
    ("key", "cause"),
    [
        ("", "is empty"),
        (" \n", "is blank"),
        (f"{KEY[:-1]}ä", "holds the character U\\+00E4 at position 32"),
        (f"{KEY}\x00", "holds the character U\\+0000 at position 33"),
        (f"{KEY[:8]} {KEY[8:]}", "holds white space at position 9"),
        (f"{KEY[:8]}\n{KEY[8:]}", "holds white space at position 9"),
        (7, "must be a string, not an int"),
        (b"key", "must be a string, not a bytes"),
        (["k"], "must be a string, not a list"),
    ],
)
def test_a_spoiled_key_is_refused_without_showing_it(key, cause):
    """A key that is empty, holds what no key does, or is no string is refused with that one cause."""
    with pytest.raises(ConfigurationError, match=f"the API key {cause}") as caught:
        Client().init(key)
    assert KEY[:8] not in str(caught.value)


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_is_named(monkeypatch, value):
    """An AMPLITUDE_API_KEY that is set but empty is another cause than one that is not set."""
    monkeypatch.setenv("AMPLITUDE_API_KEY", value)
    with pytest.raises(ConfigurationError, match=r"in AMPLITUDE_API_KEY is (empty|blank)"):
        check_api_key(None)


@pytest.mark.parametrize("key", [f" {KEY}", f"{KEY}\n", f"\t{KEY}\r\n", f"\ufeff{KEY}", f"{KEY}\xa0"])
def test_white_space_around_a_key_is_no_part_of_it(monkeypatch, key):
    """What a secret's file or a copied line brings along is taken off, wherever the key comes from."""
    assert check_api_key(key) == KEY
    monkeypatch.setenv("AMPLITUDE_API_KEY", key)
    assert check_api_key(None) == KEY


@pytest.mark.parametrize("key", ["", None, " ", "API_KEY", "two words", 7])
def test_a_client_that_sends_nothing_needs_no_key(monkeypatch, caplog, key):
    """With `enabled=False` any key will do, or none."""
    monkeypatch.delenv("AMPLITUDE_API_KEY", raising=False)
    client = Client().init(key, enabled=False)
    assert client.log_event(SONG).result(1).reason == "disabled"
    client.shutdown(0)
    assert not caplog.records


@pytest.mark.parametrize(
    ("key", "is_placeholder"),
    [
        ("API_KEY", True),
        ("YOUR_API_KEY", True),
        ("<API KEY>", True),
        ("your-amplitude-api-key", True),
        ("<your_project_api_key_here>", True),
        ("INSERT_API_KEY_HERE", True),
        ("${AMPLITUDE_API_KEY}", True),
        ("{{amplitude_api_key}}", True),
        ("xxxxxxxxxxxxxxxx", True),
        ("None", True),
        ("...", True),
        (KEY, False),
        ("any-key", False),
        ("key", False),
        ("apikey-of-shop", False),
    ],
)
def test_a_placeholder_is_told(caplog, key, is_placeholder):
    """A key that stands for one in examples gets one warning at `init`, which does not repeat it."""
    client = Client().init(key, transport=Memory())
    client.shutdown(0)
    told = [record.getMessage() for record in caplog.records if "placeholder" in record.getMessage()]
    assert len(told) == is_placeholder
    assert all("project's settings" in line for line in told)


def test_nobody_sees_the_key_or_a_password(caplog):
    """Neither reprs, nor messages, nor logs at any level hold the key, a proxy's password or a header."""
    caplog.set_level(logging.DEBUG)
    memory = Memory()
    memory.answer = HttpResponse(400, {}, b'{"code":400,"error":"Invalid API key: %b"}' % KEY.encode())
    secrets = {"proxy": "http://me:hunter2@127.0.0.1:1", "headers": {"Authorization": "hunter2"}}
    with logging_client(memory, debug=True, server_url="https://me:hunter2@h.example/x", **secrets) as client:
        outcome = client.log_event(SONG)
        outcome.add_done_callback(lambda _: None)  # for nobody else the event of a wrong key would end
        client.flush()
        shown = [
            repr(client),
            repr(client.options),
            repr(client.stats()),
            repr(outcome),
            repr(outcome.result()),
        ]
        client.init(KEY, transport=memory)
    logging.getLogger("antinode").setLevel(logging.NOTSET)
    for text in (*shown, caplog.text):
        assert KEY not in text
        assert "hunter2" not in text
    assert "key=…cdef" in shown[0]
    for bad in ("me:hunter2@host", "ftp://me:hunter2@host"):
        for name in ("server_url", "proxy"):
            if (name, bad) != ("proxy", "me:hunter2@host"):
                with pytest.raises(ConfigurationError) as caught:
                    read_options({name: bad})
                assert "hunter2" not in str(caught.value)


# TLS, plain HTTP, certificates.


def test_a_ca_bundle_is_read_at_once(tmp_path):
    """A PEM file, as text or path, or a directory, is accepted; the rest is refused in `init`."""
    pem = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(pem)
    assert read_options({"ca_bundle": pem}).ca_bundle == str(pem)
    assert read_options({"ca_bundle": os.fsencode(pem)}).ca_bundle == str(pem)
    assert read_options({"ca_bundle": str(tmp_path)}).ca_bundle == str(tmp_path)


@pytest.mark.parametrize(
    ("server_url", "expected"),
    [
        ("http://events.example/2/httpapi", True),
        ("HTTP://10.0.0.7", True),
        ("http://localhost.example", True),
        ("http://localhost:8000", False),
        ("http://api.localhost", False),
        ("http://127.0.0.2:8000", False),
        ("http://[::1]:8000", False),
        ("https://events.example", False),
        (None, False),
    ],
)
def test_plain_http_to_another_machine_is_known(server_url, expected):
    """Plain HTTP is safe on this machine only."""
    assert is_in_the_clear(read_options({"server_url": server_url})) is expected


def test_plain_http_is_warned_of_once(caplog):
    """`init` says once that key and events can be read on the way."""
    with logging_client(server_url="http://events.example") as client:
        client.log_event(SONG)
        client.flush()
    assert caplog.text.count("plain http") == 1


def test_options_are_frozen_and_comparable():
    """They cannot be changed, and survive pickling."""
    options = read_options({"min_id_length": 3, "plan": {"branch": "main"}})
    with pytest.raises(AttributeError):
        options.min_id_length = 4
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301 - our own
    assert repr(options) == "<Options min_id_length, plan>"


def test_protocols_can_be_implemented_by_anything():
    """A transport and a retry policy need no base class of ours."""
    assert isinstance(Memory(), antinode.Transport)
    assert isinstance(Policy(), antinode.RetryPolicy)
