"""The instances of a process, and the functions that act on the default one."""

import inspect
import threading

import pytest

import antinode
from antinode import Client, ConfigurationError, Identify, Report, Revenue, _instances
from tests.memory import KEY, SONG, Memory, sent


@pytest.fixture
def default(monkeypatch):
    """A default instance of the test's own, not initialised yet."""
    client = Client()
    monkeypatch.setattr(_instances, "_default", client)
    monkeypatch.setattr(_instances, "_instances", {})
    yield client
    client.shutdown()


def test_init_makes_the_default_instance(default):
    """`init` returns it, and so does `get_instance()` from then on."""
    memory = Memory()
    assert antinode.init(KEY, transport=memory) is antinode.get_instance() is default
    assert antinode.log_event(SONG).result(120).ok


def test_named_instances_are_isolated(default):
    """Each name is an instance of its own, with its own key, options, middleware and books."""
    main, billing = Memory(), Memory()
    antinode.init(KEY, transport=main)
    named = antinode.get_instance("billing").init("another-key", transport=billing)
    assert named is antinode.get_instance("billing") is not default
    named.add_event_middleware(lambda payload, next: None)
    assert named.log_event(SONG).result(0).reason == "middleware"
    assert len(sent(default, main)) == 1 if antinode.log_event(SONG) else None
    assert named.stats().accepted == 0
    assert billing.events == []
    named.shutdown()
    assert antinode.log_event(SONG).result(120).ok


def test_init_with_a_name_makes_that_instance(default):
    """`init(instance_name=…)` and `get_instance(…).init(…)` are the same."""
    made = antinode.init(KEY, instance_name="orders", transport=Memory())
    assert made is antinode.get_instance("orders")
    assert "'orders'" in repr(made)
    assert "not initialised" in repr(default)
    made.shutdown()


@pytest.mark.parametrize("name", ["", "  ", 7, b"billing"])
def test_a_name_is_a_string(name):
    """Anything else is refused, in both places."""
    with pytest.raises(ConfigurationError, match="name"):
        antinode.get_instance(name)
    with pytest.raises(ConfigurationError, match="name"):
        antinode.init(KEY, instance_name=name)


def test_threads_get_the_same_instance(default):
    """Those who ask for a new name at once get one instance between them."""
    barrier, found = threading.Barrier(8), []

    def ask():
        barrier.wait()
        found.append(antinode.get_instance("shared"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_the_functions_act_on_the_default_instance(default):
    """Each does what the method of its name does, there."""
    memory = Memory()
    antinode.init(KEY, transport=memory)
    antinode.log_event(SONG, {"extra": 1}, once="order-88231")
    antinode.identify("user-20391", None, Identify().set("plan", "pro"))
    antinode.group_identify("label", "Columbia", Identify().set("tier", "gold"))
    antinode.revenue("user-20391", None, Revenue(price=1))
    antinode.set_group("user-20391", None, "label", "Columbia")
    assert antinode.flush(timeout=120) == Report(delivered=5)
    names = ["Song Played", "$identify", "$groupidentify", "revenue_amount", "$identify"]
    assert [event["event_type"] for event in memory.events] == names
    assert antinode.shutdown(timeout=5) == Report()
    assert antinode.log_event(SONG).result(0).reason == "shutdown"


@pytest.mark.parametrize(
    "name", ["log_event", "identify", "group_identify", "revenue", "set_group", "flush", "shutdown"]
)
def test_functions_and_methods_have_the_same_signature(name):
    """What the method takes, the function takes."""
    method = inspect.signature(getattr(Client, name)).parameters
    assert list(inspect.signature(getattr(antinode, name)).parameters) == list(method)[1:]
    assert [p.default for p in inspect.signature(getattr(antinode, name)).parameters.values()] == [
        p.default for p in method.values()
    ][1:]


def test_before_init_the_warning_names_init(default, caplog):
    """The default instance's warning says to call `antinode.init`."""
    antinode.log_event(SONG)
    antinode.log_event(SONG)
    assert [record.getMessage() for record in caplog.records] == [
        "antinode: events are skipped because antinode is not initialised: call antinode.init(API_KEY) first"
    ]


def test_all_instances_can_be_had():
    """The default one, and those that were asked for by name."""
    named = antinode.get_instance("one of all")
    assert antinode.get_instances()[0] is antinode.get_instance()
    assert antinode.get_instances().count(named) == 1
