"""Typed events made and logged by compiled code: as in Python, which is the reference."""

from __future__ import annotations

import gc
import sys
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import antinode
from antinode._typed_events import _init_of
from tests.memory import Memory, logging_client


class Played(antinode.TypedEvent, names={"order_id": "Order ID"}):
    title: str
    order_id: int
    coupon: str | None = None
    source: str = "web"


ARGUMENTS = ["title", "order_id", "coupon", "source", "user_id", "time", "session_id", "titel", "self"]
VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))


def made_by(make: Any, arguments: dict[str, Any]) -> tuple[str, object]:
    """The event with its keys in their order, or what was raised."""
    try:
        event = make(**arguments)._event
    except TypeError as error:
        return "TypeError", str(error)
    return repr(event), type(event["event_properties"])


def in_python(**arguments: Any) -> Played:
    event = Played.__new__(Played)
    _init_of(Played)(event, **arguments)
    return event


@given(st.lists(st.sampled_from(ARGUMENTS), unique=True, max_size=9), st.data())
def test_a_call_gives_the_same(names: list[str], data: st.DataObject) -> None:
    """Whatever is given in whatever order: the same event, key by key, or the same error."""
    arguments = {name: data.draw(VALUES) for name in names}
    if data.draw(st.booleans()):
        arguments = {"title": "Blue in Green", "order_id": 1} | arguments
    made = made_by(Played, arguments)
    assert made == made_by(in_python, arguments)
    # Names that were made at run time are no literals.
    assert made == made_by(Played, {"".join(name): value for name, value in arguments.items()})


def test_they_are_logged_by_compiled_code(native: Any) -> None:
    """Of whatever class, with a constructor of its own, too; with a middleware, and with what is for that."""

    class Sent(antinode.TypedEvent):
        order: str

        def __init__(self, order: str) -> None:
            super().__init__(order=order, user_id="user-20391")

    def pass_on(payload: Any, go_on: Any) -> None:
        go_on(payload)

    with logging_client(Memory()) as client:
        for _ in range(2):
            client.log_event(Played(title="A", order_id=1, user_id="user-20391"))
            client.log_event(Sent("1"))
        assert client._hot.taken == 4
        client.add_event_middleware(pass_on)
        client.log_event(Sent("1"), "for the middleware")
        assert client._hot.taken == 1


def test_a_constructor_that_was_replaced_is_called() -> None:
    """By a mock, or for good: from then on."""
    Played(title="A", order_id=1)
    with mock.patch.object(Played, "__init__", return_value=None) as init:
        Played(title="B", order_id=2)
    init.assert_called_once_with(title="B", order_id=2)
    assert Played(title="A", order_id=1).title == "A"


def test_classes_below_have_their_own() -> None:
    """A class that adds properties to one that has made events makes its own, and so does a metaclass's."""
    Played(title="A", order_id=1)

    class Heard(Played):
        seconds: int

    class Counting(type):
        calls = 0

        def __call__(cls, *unnamed: Any, **named: Any) -> Any:
            Counting.calls += 1
            return super().__call__(*unnamed, **named)

    class Counted(antinode.TypedEvent, metaclass=Counting):
        number: int

    for number in range(3):
        event = Heard(title="A", order_id=1, seconds=number).to_dict()
        assert (event["event_type"], event["event_properties"]["seconds"]) == ("Heard", number)
        assert Counted(number=number).number == number
    assert Counting.calls == 3


def test_many_properties() -> None:
    """More than anybody has."""
    names = [f"property_{number}" for number in range(100)]
    kind: Any = type("Wide", (antinode.TypedEvent,), {"__annotations__": dict.fromkeys(names, "int")})
    for _ in range(2):
        event = kind(**dict.fromkeys(names, 1))
        assert list(event.to_dict()["event_properties"]) == names
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'property_99'"):
        kind(**dict.fromkeys(names[:-1], 1))


def test_classes_are_collected() -> None:
    """One that nobody needs any more goes, with all that it made events by."""

    def make() -> Any:
        class Gone(antinode.TypedEvent):
            title: str
            tags: Any = None

        event = Gone(title="A")
        Gone._defaults["tags"] = event
        return None

    make()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        make()
    gc.collect()
    assert len(gc.get_objects()) < before + 20


def test_no_references_are_leaked() -> None:
    """Each value is held once, by its event."""
    title: Any = ["A"]
    count = sys.getrefcount(title)
    for _ in range(50):
        Played(title=title, order_id=1)
        with pytest.raises(TypeError):
            Played(title=title)  # type: ignore[call-arg]
    gc.collect()
    assert sys.getrefcount(title) == count
