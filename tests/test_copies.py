"""Copies and pickles of what the API hands out: a client is one of its process, as a logger is."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import antinode
from antinode import Client, Event, Identify, Revenue, _instances
from antinode._events import as_event_dict
from tests.memory import KEY, SONG, Memory


def through_pickle(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - our own


COPIES = [copy.copy, copy.deepcopy, through_pickle]


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A default instance of the test's own."""
    monkeypatch.setattr(_instances, "_default", Client())
    monkeypatch.setattr(_instances, "_instances", {})
    with antinode.init(KEY, transport=Memory()) as client:
        yield client


@pytest.mark.parametrize("made", COPIES)
def test_copy_of_a_client_is_the_client(default: Client, made: Callable[[Any], Any]) -> None:
    """The default instance and a named one, by themselves and deep in something else."""
    named = antinode.get_instance("billing").init(KEY, transport=Memory())
    assert made(default) is default
    assert made({"settings": [named]})["settings"][0] is named
    assert made(named.log_event)(SONG).result(120).ok
    named.shutdown()


def test_unpickled_client_is_the_other_processs_own(default: Client) -> None:
    """It is the instance of that name, with the options of that process, be it initialised there later."""
    named = antinode.get_instance("billing").init(KEY, transport=Memory())
    program = f"""
import antinode, logging, pickle, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
client = pickle.loads({pickle.dumps(named)!r})
print(client is antinode.get_instance("billing"), client.log_event({SONG!r}).outcome.reason)
antinode.init({KEY!r}, instance_name="billing", upload_interval_in_sec=7, server_url="http://127.0.0.1:9")
print(client.options.upload_interval_in_sec)
"""
    written = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert written.splitlines() == [
        "antinode: events are skipped because antinode is not initialised: "
        "call get_instance('billing').init(API_KEY) first",
        "True not_initialised",
        "7",
    ]
    named.shutdown()


def test_client_that_no_name_finds_is_not_pickled() -> None:
    """One made by hand; copies of it are itself all the same."""
    client = Client("billing")
    assert copy.copy(client) is copy.deepcopy(client) is client
    with pytest.raises(pickle.PicklingError, match=r"only what antinode.init\(\) and antinode.get_instance"):
        pickle.dumps(client)


@pytest.mark.parametrize("has_storage", [False, True])
def test_handle_stays_in_its_process(default: Client, tmp_path: Any, has_storage: bool) -> None:
    """A copy of a handle settles with it; a pickle would never settle, and is refused. An outcome travels."""
    storage = {"storage": str(tmp_path)} if has_storage else {}
    client = antinode.get_instance("handles").init(KEY, transport=Memory(), **storage)
    handle = client.log_event(SONG)
    assert copy.copy(handle) is copy.deepcopy(handle) is handle
    with pytest.raises(TypeError, match="cannot be pickled: it settles in the process that logged"):
        pickle.dumps(handle)
    assert through_pickle(handle.result(120)) == handle.outcome
    client.shutdown()


@pytest.mark.parametrize("made", COPIES)
@pytest.mark.parametrize(
    "thing",
    [
        Identify().set("plan", "pro").add("visits", 1),
        Revenue().set_price(3.5).set_product_id("song"),
        Event("Song Played", user_id="user-20391"),
    ],
    ids=["Identify", "Revenue", "Event"],
)
def test_what_is_to_be_logged_is_copied_and_pickled(made: Callable[[Any], Any], thing: Any) -> None:
    """A task can be given what it shall log."""

    def content(given: Any) -> Any:
        return given.to_event("user-20391", None) if hasattr(given, "to_event") else as_event_dict(given)

    assert content(made(thing)) == content(thing)
