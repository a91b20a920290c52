"""What the code under test has logged, and what a test says of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, overload

from antinode.testing._captured import CapturedEvent
from antinode.testing._failures import not_logged, too_much, unexpected
from antinode.testing._matching import differences
from antinode.testing._snapshots import snapshot
from antinode.testing._tap import TakenEvent, taking

__unittest = True
"""Has unittest leave these frames out of what it shows, as `__tracebackhide__` has pytest."""

_IDENTIFY: Final = "$identify"
_GROUP_IDENTIFY: Final = "$groupidentify"


class Events(Sequence[CapturedEvent]):
    """Events in the order in which they were logged."""

    def __init__(self, held: Sequence[CapturedEvent]) -> None:
        self._held = held

    @overload
    def __getitem__(self, index: int) -> CapturedEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[CapturedEvent]: ...
    def __getitem__(self, index: int | slice) -> CapturedEvent | list[CapturedEvent]:
        return list(self._held)[index]

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        types = ", ".join(each.type for each in self[:10])
        more = ", …" if len(self) > 10 else ""
        return f"<{type(self).__name__} of {len(self)}: {types}{more}>" if len(self) else "<no events>"

    @property
    def events(self) -> list[CapturedEvent]:
        """All of them, identifies included."""
        return list(self._held)

    @property
    def identifies(self) -> list[CapturedEvent]:
        """What `identify` and `set_group` have logged."""
        return [each for each in self if each.type == _IDENTIFY]

    @property
    def group_identifies(self) -> list[CapturedEvent]:
        """What `group_identify` has logged."""
        return [each for each in self if each.type == _GROUP_IDENTIFY]

    def of(self, user_id: str | None = None, *, device_id: str | None = None) -> Events:
        """The events of one user, or of one device."""
        name, wanted = ("user_id", user_id) if user_id is not None else ("device_id", device_id)
        if wanted is None:
            raise TypeError("of() takes a user_id or a device_id")
        return Events([each for each in self if each.get(name) == wanted])

    def matching(
        self, event_type: object = None, *, properties: Mapping[str, Any] | None = None, **fields: Any
    ) -> Events:
        """The events that are as described; see `assert_logged`."""
        expected = _expected(event_type, properties, fields)
        return Events([each for each in self if not any(differences(expected, each))])

    def only(
        self, event_type: object = None, *, properties: Mapping[str, Any] | None = None, **fields: Any
    ) -> CapturedEvent:
        """The one event that is as described. Raises `AssertionError` if there is none, or another one."""
        __tracebackhide__ = True
        self.assert_logged(event_type, properties=properties, times=1, **fields)
        return self.matching(event_type, properties=properties, **fields)[0]

    def assert_logged(
        self,
        event_type: object = None,
        *,
        properties: Mapping[str, Any] | None = None,
        times: int | None = None,
        **fields: Any,
    ) -> None:
        """Require that an event was logged: `assert_logged("Order Placed", user_id="user-20391")`.

        `properties` are those among `event_properties`; other `fields` are the keys of an event. What is not
        named may be anything; of `event_properties`, `user_properties`, `group_properties` and `groups` only
        the keys that are named are looked at. Values may be matchers: `ANY`, a type, a compiled regular
        expression (found somewhere in the text), `pytest.approx`, or whatever compares. `times` is how often,
        exactly; None: at least once. Raises `AssertionError`, which shows the nearest events and where they
        differ, one value per line.
        """
        __tracebackhide__ = True
        expected = _expected(event_type, properties, fields)
        found = self.matching(event_type, properties=properties, **fields)
        if not found and times != 0:
            raise AssertionError(not_logged(expected, self.events))
        if times is not None and len(found) != times:
            raise AssertionError(too_much(expected, found.events, times))

    def assert_not_logged(
        self, event_type: object = None, *, properties: Mapping[str, Any] | None = None, **fields: Any
    ) -> None:
        """Require that no event is as described; see `assert_logged`. Without a description, that none is."""
        __tracebackhide__ = True
        found = self.matching(event_type, properties=properties, **fields)
        if found:
            raise AssertionError(unexpected(_expected(event_type, properties, fields), found.events))

    def snapshot(self, *, without: Sequence[str] = ()) -> str:
        """All events as text that stays the same from run to run, to keep in a file and to compare.

        Leaves out `time`, `insert_id` and `library`, and the keys in `without`: `ip`, or
        `event_properties.order_id`.
        """
        return snapshot(self.events, without)


class Captured(Events):
    """What the code under test has logged so far, whichever instance logged it; see `capture`."""

    def __init__(self, *, is_strict: bool = True) -> None:
        self._taken: list[CapturedEvent] = []
        super().__init__(self._taken)
        self._problems: list[str] = []
        self._adding = threading.Lock()
        self.is_strict = is_strict
        """Whether a problem that nobody has taken fails the test when it ends."""

    @property
    def problems(self) -> list[str]:
        """What the log tells of events: refused, mended, with an unknown key, or broken by a middleware."""
        return list(self._problems)

    def take_problems(self) -> list[str]:
        """The problems so far, which then do not fail the test any more: the test has expected them."""
        with self._adding:
            taken, self._problems = self._problems, []
        return taken

    def clear(self) -> None:
        """Forget the events so far. Problems stay."""
        with self._adding:
            self._taken.clear()

    def verdict(self) -> str:
        """What fails the test of the problems that nobody has taken, in words; "" if nothing does."""
        problems = self.take_problems() if self.is_strict else []
        if not problems:
            return ""
        lines = "\n".join(f"  {each}" for each in problems)
        return (
            f"antinode has something to say of what was logged:\n{lines}\n"
            "mend it, or, where the test expects it, call take_problems()"
        )

    def add(self, taken: TakenEvent) -> None:
        """Keep an event."""
        with self._adding:
            self._taken.append(CapturedEvent(taken))

    def complain(self, problem: str) -> None:
        """Keep what the log tells of an event."""
        with self._adding:
            self._problems.append(problem)


@contextmanager
def capture(*, strict: bool = True) -> Iterator[Captured]:
    """Take the events that are logged inside the block off their way, and give them to the test.

    They come from every instance of the process, initialised or not, on any thread, after middleware, context
    and encoding; nothing is sent, no thread starts, and each delivery has succeeded when `log_event` returns.
    At the end of the block every instance is as it was. If the block succeeds, and `strict`, raises
    `AssertionError` for an event that was refused or mended, that has an unknown key, or whose middleware
    raised.
    """
    held = Captured(is_strict=strict)
    with taking(held):
        yield held
    if verdict := held.verdict():
        raise AssertionError(verdict)


def _expected(
    event_type: object, properties: Mapping[str, Any] | None, fields: Mapping[str, Any]
) -> dict[str, Any]:
    expected: dict[str, Any] = {}
    if event_type is not None:
        expected["event_type"] = event_type
    expected.update(fields)
    if properties is not None:
        expected["event_properties"] = {**expected.get("event_properties", {}), **properties}
    return expected
