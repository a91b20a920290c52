"""`antinode send`: one event, and its fate in words."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode import Client, Delivery
from antinode._delivery.outcome import Outcome
from antinode._protocol.status import Status
from antinode.cli.params.destination import Destination
from antinode.cli.params.pairs import pair
from antinode.cli.send import sending
from antinode.cli.send.event import Flags, build_event
from antinode.cli.send.fate import settled
from antinode.server import Running, running
from tests.cli.nursery import run
from tests.cli.reading import words
from tests.cli.terminals import Screen

KEY = "0123456789abcdef0123456789abcdef"
SONG = ["--type", "Song Played", "--user-id", "user-20391"]


@pytest.fixture(scope="module")
def amplitude() -> Iterator[Running]:
    with running() as server:
        yield server


@pytest.fixture
def nobody() -> Iterator[str]:
    """The URL of a port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def flags(**given: Any) -> Flags:
    usual: dict[str, Any] = dict.fromkeys(Flags.__dataclass_fields__)
    for name in ("properties", "user_properties", "groups", "fields"):
        usual[name] = ()
    return Flags(**(usual | given))


def test_a_delivered_event(amplitude: Running) -> None:
    """It says so in one line and exits 0; the event has what the flags said, in JSON's own types."""
    done = run(
        "send", *SONG, "-p", "title=Blue in Green", "-p", "seconds=337", "-p", 'tags=["jazz"]',
        "-g", "team=a", "--time", "2026-11-04T18:46:10Z", "--field", "platform=Web",
        "--server-url", amplitude.url,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Delivered: {amplitude.server_url} took it after ")
    assert done.stdout.count("\n") == 1
    event = amplitude.api.events(limit=1)[0].event
    assert event["event_type"] == "Song Played"
    assert event["event_properties"] == {"title": "Blue in Green", "seconds": 337, "tags": ["jazz"]}
    assert event["groups"] == {"team": "a"}
    assert (event["time"], event["platform"]) == (1_793_817_970_000, "Web")


def test_json_tells_the_same(amplitude: Running) -> None:
    """--json prints one object: the outcome, the code, the insert_id, and no key."""
    done = run("send", *SONG, "--server-url", amplitude.url, "--json", AMPLITUDE_API_KEY=KEY)
    fate = json.loads(done.stdout)
    assert done.returncode == 0
    assert (fate["outcome"], fate["code"], fate["attempts"], fate["advice"]) == ("delivered", 200, 1, "")
    assert amplitude.api.event(fate["insert_id"]) is not None
    assert KEY not in done.stdout + done.stderr


def test_an_event_that_cannot_be_sent(amplitude: Running) -> None:
    """What antinode itself refuses is rejected with what to write instead; exit code 1, nothing sent."""
    before = amplitude.api.stats().totals.uploads
    done = run("send", "-t", "Song Played", "-u", "abc", "--server-url", amplitude.url)
    assert done.returncode == 1
    assert done.stdout.startswith("Rejected, and not sent: ")
    assert "write a longer id, or lower min_id_length" in done.stdout
    assert amplitude.api.stats().totals.uploads == before


def test_what_was_mended_is_said(amplitude: Running) -> None:
    """A time in seconds is sent as milliseconds, with a note on standard error."""
    done = run("send", *SONG, "--time", "1793817970", "--server-url", amplitude.url)
    assert done.returncode == 0
    assert done.stderr.startswith("Note: `time` 1793817970 was taken as seconds")
    assert amplitude.api.events(limit=1)[0].time == 1_793_817_970_000


def test_a_wrong_key() -> None:
    """The server's refusal of the key is told with what to check; neither key is printed."""
    with running() as server:
        server.api.set_rules(api_keys=("f" * 32,))
        done = run("send", *SONG, "--server-url", server.url, "--api-key", KEY)
    assert done.returncode == 1
    assert "Invalid API key" in done.stdout
    assert "Check the API key" in done.stdout
    assert KEY not in done.stdout + done.stderr


class Late(Client):
    """Lets the server answer before the caller has the handle."""

    def log_event(self, event: Any, /, **options: Any) -> Delivery:
        delivery = super().log_event(event, **options)
        self.flush(120)
        return delivery


def test_a_wrong_key_that_is_told_before_anybody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the answer may be there before the command waits for it."""
    monkeypatch.setattr(sending, "Client", Late)
    with running() as server:
        server.api.set_rules(api_keys=("f" * 32,))
        destination = Destination(KEY, {"server_url": server.url})
        sent = sending.send({"event_type": "Song Played", "user_id": "user-20391"}, destination, timeout=30)
    assert (sent.outcome, sent.reason) == ("dropped", "configuration")


def test_a_refusal_by_the_server() -> None:
    """What the server says is told with its code."""
    with running(faults=["413@100%"]) as server:
        done = run("send", *SONG, "--server-url", server.url)
    assert done.returncode == 1
    assert done.stdout.startswith("Rejected: ")
    assert "(HTTP 413)" in done.stdout
    assert "--batch takes up to 20 MB" in done.stdout


def test_still_trying(nobody: str) -> None:
    """When the time is over it says why, and how to send the event again without counting it twice."""
    done = run("send", *SONG, "--server-url", nobody, "--timeout", "0.3", "--insert-id", "song-1")
    assert done.returncode == 1
    assert words(done.stdout).startswith(
        "Not delivered within 300 ms, and still trying: connection refused by"
    )
    assert "`antinode serve` starts one" in done.stdout
    assert "--insert-id song-1" in done.stdout


def test_tried_again() -> None:
    """A server in trouble costs another attempt, and the event arrives."""
    with running(faults=["503@next=1"]) as server:
        done = run("send", *SONG, "--server-url", server.url, "--json")
        fate = json.loads(done.stdout)
    assert (fate["outcome"], fate["attempts"]) == ("delivered", 2)


def test_a_terminal_is_told_what_is_waited_for() -> None:
    """On a terminal the reason for waiting is shown while it lasts; Ctrl-C exits 130."""
    with running(faults=["503@100%"]) as server, Screen("send", *SONG, "--server-url", server.url) as screen:
        assert "Still trying: HTTP 503" in screen.until("Still trying: HTTP 503")
        screen.interrupt()
        assert screen.end() == 130
    assert "Traceback" not in screen.text


def test_credentials_of_a_server_are_not_shown(nobody: str) -> None:
    """A user name and a password in --server-url are used and not printed."""
    done = run(
        "send", *SONG, "--server-url", nobody.replace("//", "//me:s3cret@"), "--timeout", "0.2", "--json"
    )
    assert "s3cret" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["server_url"] == f"{nobody}/2/httpapi"


def test_no_key() -> None:
    """Without a key nothing is sent: exit code 2, and what to set."""
    done = run("send", *SONG, AMPLITUDE_API_KEY="")
    assert done.returncode == 2
    assert "set AMPLITUDE_API_KEY" in words(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["send", "--local"], "write what happened with --type"),
        (["send", "[1]", "--local"], "antinode import sends files of many"),
        (["send", "{no", "--local"], "the event is no JSON"),
        (["send", "/no/such/file", "--local"], "cannot be read"),
        (["send", *SONG, "-p", "seconds", "--local"], "'seconds' is not key=value"),
        (["send", *SONG, "--time", "soon", "--local"], "'soon' is no time"),
        (["send", *SONG, "--local", "--zone", "EU"], "--local says where to send"),
        (["send", *SONG, "--server-url", "nonsense"], "is not an http(s) URL"),
        (["send", *SONG, "--server-url", "http://x/batch2", "--zone", "EU"], "give one of them"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str) -> None:
    """What cannot be understood exits 2 and says what to write."""
    done = run(*arguments)
    assert done.returncode == 2
    assert told in words(done.stderr)
    assert done.stdout == ""


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON comes from the argument or a file, and flags are laid over it."""
    file = tmp_path / "event.json"
    file.write_text('{"event_type": "A", "user_id": "user-1", "event_properties": {"a": 1, "b": 2}}')
    event = build_event(str(file), flags(event_type="B", properties=["b=3"]))
    assert event == {"event_type": "B", "user_id": "user-1", "event_properties": {"a": 1, "b": 3}}
    assert build_event(' {"event_type": "A"}', flags()) == {"event_type": "A"}


def test_standard_input(amplitude: Running) -> None:
    """`-` reads the event from standard input, here the fate of none at all."""
    done = run("send", "-", "--server-url", amplitude.url)
    assert done.returncode == 2
    assert "standard input is no JSON" in words(done.stderr)


def test_money_makes_a_purchase() -> None:
    """Without a type, money is sent as Amplitude's SDKs send revenue; with one, as fields of the event."""
    bought = build_event(None, flags(user_id="user-1", price=9.5, quantity=2, currency="EUR"))
    assert bought["event_type"] == "revenue_amount"
    assert bought["event_properties"] == {"$price": 9.5, "$quantity": 2, "$revenue": 19.0, "$currency": "EUR"}
    named = build_event(None, flags(event_type="Bought", price=9.5, product_id="p-1"))
    assert named == {"event_type": "Bought", "price": 9.5, "productId": "p-1"}
    with pytest.raises(click.UsageError, match="neither price nor revenue"):
        build_event(None, flags(currency="EUR"))


def test_user_properties_alone_are_an_identify() -> None:
    """They are set on the user; with a type they are the event's."""
    event = build_event(None, flags(user_id="user-1", user_properties=["plan=pro", "age=3"]))
    assert event["event_type"] == "$identify"
    assert event["user_properties"] == {"$set": {"plan": "pro", "age": 3}}
    event = build_event(None, flags(event_type="A", user_properties=["plan=pro"]))
    assert event == {"event_type": "A", "user_properties": {"plan": "pro"}}


def test_several_groups_of_a_type_are_a_list() -> None:
    """The names of groups are text, whatever they look like."""
    assert build_event(None, flags(event_type="A", groups=["team=1", "team=b", "org=x"]))["groups"] == {
        "team": ["1", "b"],
        "org": "x",
    }


def test_dry_run() -> None:
    """--dry-run prints the event as it would be sent, and what is wrong with it; it needs no key."""
    done = run("send", *SONG, "--time", "1793817970", "--dry-run", AMPLITUDE_API_KEY="")
    assert done.returncode == 0
    assert json.loads(done.stdout)["time"] == 1_793_817_970_000
    done = run("send", "-t", "A", "--dry-run", "--json")
    assert done.returncode == 1
    assert "neither a `user_id` nor a `device_id`" in json.loads(done.stdout)["problems"][0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=5
)


@given(key=st.text(min_size=1).filter(lambda text: "=" not in text), value=JSON)
def test_a_value_that_is_json_counts_as_such(key: str, value: Any) -> None:
    """Whatever JSON spells comes out as it went in, and the first `=` ends the key."""
    assert pair(f"{key}={json.dumps(value)}", "-p") == (key, value)


@given(text=st.text(alphabet="abc= ./:"))
def test_anything_else_is_text(text: str) -> None:
    """A value that is no JSON is taken as it stands."""
    assert pair(f"key={text}", "-p") == ("key", text)


@pytest.mark.parametrize(
    ("message", "names_key"),
    [
        ("a web page came instead of Amplitude's answer (200): Log in; check server_url", False),
        ("Invalid request path: server_url leads to no upload endpoint", False),
        ("Invalid API key: KEY; check the key", True),
        ("request missing required field api_key", True),
    ],
)
def test_only_a_fault_of_the_key_is_answered_with_advice_on_the_key(message: str, names_key: bool) -> None:
    """Another fault of the configuration has its advice in the message, and gets no second one."""
    outcome = Outcome("dropped", Status.FAILED, "configuration", 400, message, 1)
    fate = settled(outcome, seconds=0.1, insert_id="i", server_url="http://127.0.0.1:8300", notes=())
    assert ("API key" in fate.advice) is names_key
    assert bool(fate.advice) is names_key
