"""Python values as JSON values: made safe for any encoder, and cut to Amplitude's limits.

This is the slow path. It runs for an event that the fast encoder refused or that may exceed a limit.
"""

from __future__ import annotations

import base64
import enum
import math
import types
import uuid
from collections import deque
from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from antinode._changing import items_at_once
from antinode._interruptions import is_interruption
from antinode._protocol.fields import OPERATIONS, PROPERTY_FIELDS
from antinode._protocol.foreign import fields_of, is_made_of_times, substitute_of
from antinode._protocol.limits import BATCH_BODY_LIMIT_BYTES, MAX_DEPTH, MAX_STRING, UNLIMITED_PROPERTIES
from antinode._protocol.remarks import Remark
from antinode._protocol.words import agreeing, counted

_MIN_INTEGER: Final = -(2**63)
_MAX_INTEGER: Final = 2**64 - 1  # orjson and msgspec write no integer outside these two as a number
_NOT_SCALAR: Final = object()
_LEFT_OUT: Final = object()
_LONGEST_PATH: Final = 120
_MOST_NOTES: Final = 50
_MOST_OVERFLOWS: Final = 3


class Unencodable(ValueError):
    """A value that has no JSON form, or none worth guessing at.

    `path` names it, as in `event_properties.cart[2].price`; `problem` says what is wrong with it,
    `remedy` what to write instead.
    """

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"`{self.path}` {self.problem}: {self.remedy}"


class _TooLarge(Unencodable):
    """A value that is larger than any request could hold."""


def make_safe(value: Any, *, path: str, notes: list[Remark] | None = None) -> Any:
    """`value` in None, bool, int, float, str, list and dict; its lists and dicts are new ones.

    - datetime, date, time, numpy's datetime64: ISO 8601, with the offset if there is one. UUID: its text.
      Enum: its value.
    - NaN and infinities: None. Lone surrogates: U+FFFD. An integer outside 64 bits: its digits as a string.
    - Decimal: an integer if it is one, a float if that has the same decimal digits, otherwise a string.
    - bytes: the text, if they are UTF-8, otherwise base64.
    - Mappings, dataclasses (without fields that start with `_`), named tuples and msgspec structs: dict.
    - Sequences, sets and dict views: list; a set whose elements compare is sorted.
    - numpy scalars and arrays: what their `tolist` gives.
    - Keys become strings as in the json module: True is "true", None is "null", 1 is "1".
    - With a note, as something else was probably meant: pydantic and attrs models: dict. timedelta: seconds.
      pandas.NA: None. Paths and lazy translations: text.

    Anything else has no JSON form; nor has a cycle, what is under more than MAX_DEPTH layers, what no request
    could hold, and a value whose methods raise an Exception. In a container such a value is left out, alone,
    and a note says so, if there are `notes` to add to. Raises Unencodable if `value` itself is one, or holds
    one while there are no `notes`. `path` is where the value is, for messages.
    """
    conversion = _Conversion(path, notes)
    made = conversion.convert_readable(value)
    conversion.sum_up()
    return made


class _Conversion:
    """One run of `make_safe`: where it is, and how much it has made."""

    def __init__(self, root: str, notes: list[Remark] | None) -> None:
        self._root = root
        self._notes = notes
        self._trail: list[str | int] = []
        self._open: set[int] = set()
        # A few lists that hold each other many times over unfold to more than any memory holds.
        self._room = BATCH_BODY_LIMIT_BYTES
        self._told = self._untold = self._overflows = 0

    @property
    def path(self) -> str:
        path = _path(self._root, self._trail)
        return path if len(path) <= _LONGEST_PATH else path[: _LONGEST_PATH - 1] + "…"

    def convert_readable(self, value: Any) -> Any:
        """Convert a value as `convert` does, even one whose methods raise."""
        try:
            return self.convert(value)
        except (Unencodable, MemoryError):
            raise
        except Exception as error:
            if is_interruption(error):
                raise
            raise Unencodable(
                self.path, f"raised {_type_name(error)} while it was read", "write a plain value"
            ) from error

    def convert(self, value: Any) -> Any:
        if isinstance(value, enum.Enum):
            return self.convert(value.value)
        scalar = self._scalar(value)
        if scalar is not _NOT_SCALAR:
            return scalar
        if isinstance(value, Mapping):
            return self._object(value, items_at_once(value, 2 * self._room))
        fields = fields_of(value)
        if fields is not None:
            if fields.remedy:
                self._tell(_article(_type_name(value)), "a dict", fields.remedy)
            return self._object(value, fields.items)
        substitute = substitute_of(value)
        if substitute is not None:
            if substitute.remedy:
                self._tell(
                    substitute.what or _article(_type_name(value)), substitute.became, substitute.remedy
                )
            return self.convert(substitute.value)
        if isinstance(value, Sequence | ValuesView):
            return self._array(value, list(value) if type(value) in _HELD else value)
        if isinstance(value, Set):
            return self._array(value, _in_order(value))
        cls = type(value)
        if hasattr(cls, "dtype") and hasattr(cls, "tolist"):
            if is_made_of_times(value):
                return self._array(value, value) if value.ndim else self.convert(value[()])
            plain = value.tolist()
            if type(plain) is not cls:  # a numpy longdouble answers with itself
                return self.convert(plain)
        raise Unencodable(
            self.path, f"is {_article(_type_name(value))}, which JSON cannot hold", _advice(value)
        )

    def _scalar(self, value: Any) -> Any:
        self._spend(2)  # the least that a value takes in a body: one byte and a comma
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            # A lazy translation, whose text is not known yet, calls itself a str.
            text = _well_formed(str.__str__(value) if issubclass(type(value), str) else str(value))
            self._spend(min(len(text), MAX_STRING))
            return text
        if isinstance(value, int):
            number = int.__int__(value)
            return number if _MIN_INTEGER <= number <= _MAX_INTEGER else self._digits(number)
        if isinstance(value, float):
            fraction = float.__float__(value)
            return fraction if math.isfinite(fraction) else None
        if isinstance(value, Decimal):
            return from_decimal(value)
        if isinstance(value, datetime):
            # pandas.NaT is a datetime that differs from itself.
            return None if value != value else datetime.isoformat(value)  # noqa: PLR0124 - see above
        if isinstance(value, date):
            return date.isoformat(value)
        if isinstance(value, time):
            return time.isoformat(value)
        if isinstance(value, uuid.UUID):
            return uuid.UUID.__str__(value)
        if isinstance(value, bytes | bytearray | memoryview):
            raw = bytes(value)
            self._spend(min(len(raw), MAX_STRING))
            return _from_bytes(raw)
        return _NOT_SCALAR

    def _digits(self, number: int) -> str:
        if (
            number.bit_length() > MAX_STRING * 3
        ):  # the interpreter may refuse to print it, and takes long to try
            raise Unencodable(
                self.path, "is an int of about a thousand digits or more", "write a shorter one"
            )
        return str(number)

    def _object(self, value: object, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        self._enter(value)
        made: dict[str, Any] = {}
        for key, item in items:
            try:
                name = self._key(key)
                if name in made:
                    problem = f"has two keys that both become {name!r:.60} in JSON"
                    raise Unencodable(self.path, problem, "rename one")
            except _TooLarge:
                raise
            except Unencodable as error:
                self._leave_out(error, "the second of them" if error.remedy == "rename one" else "its value")
                continue
            safe = self._item(name, item)
            if safe is not _LEFT_OUT:
                made[name] = safe
        self._open.discard(id(value))
        return made

    def _array(self, value: object, items: Iterable[Any]) -> list[Any]:
        self._enter(value)
        safe = [self._item(position, item) for position, item in enumerate(items)]
        self._open.discard(id(value))
        return [each for each in safe if each is not _LEFT_OUT]

    def _item(self, step: str | int, item: Any) -> Any:
        """What is in a container, at `step`; `_LEFT_OUT` if it has no JSON form."""
        layer, is_open, room = len(self._trail), set(self._open), self._room
        self._trail.append(step)
        try:
            return self.convert_readable(item)
        except _TooLarge as error:
            # One property that no request could hold costs only itself. Looking for it takes a while, though.
            if layer or self._notes is None or self._overflows >= _MOST_OVERFLOWS:
                raise
            self._overflows += 1
            self._room = room
            self._leave_out(_TooLarge(self.path, error.problem, error.remedy))
        except Unencodable as error:
            self._leave_out(error)
        finally:
            del self._trail[layer:]
        self._open = is_open
        return _LEFT_OUT

    def _leave_out(self, error: Unencodable, what: str = "") -> None:
        if self._notes is None:
            raise error
        if what:
            text = f"`{error.path}` {error.problem}, and {what} was left out: {error.remedy}"
        else:
            text = f"`{error.path}` was left out, as it {error.problem}: {error.remedy}"
        self._add(Remark(text, subject=self._subject(), objection=str(error)))

    def _tell(self, what: str, became: str, remedy: str) -> None:
        start = f"`{self.path}` is {what}"
        text = f"{start} and was sent as {became}: {remedy}"
        self._add(Remark(text, subject=self._subject(), objection=f"{start}: {remedy}"))

    def _add(self, note: Remark) -> None:
        if self._notes is None:
            return
        if self._told < _MOST_NOTES:
            self._told += 1
            self._notes.append(note)
        else:
            self._untold += 1

    def _subject(self) -> str:
        names: list[str | int] = [step for step in self._trail if isinstance(step, str)]
        return _path(self._root, names[:2])

    def sum_up(self) -> None:
        """Add a note that says how many further notes were left out."""
        if self._notes is not None and self._untold:
            values = counted(self._untold, "more value")
            were = agreeing(self._untold, "was", "were")
            text = f"`{self._root}` has {values} that {were} mended or left out"
            self._notes.append(Remark(text, subject=self._root, objection=text))

    def _enter(self, value: object) -> None:
        if id(value) in self._open:
            raise Unencodable(self.path, "contains itself", "leave out the reference back")
        if len(self._open) >= MAX_DEPTH:
            where = self._root if self._notes is None else self.path
            raise Unencodable(where, f"is nested more than {MAX_DEPTH} layers deep", "flatten it")
        self._open.add(id(value))

    def _key(self, key: Any) -> str:
        if isinstance(key, enum.Enum):
            return self._key(key.value)
        scalar = self._scalar(key)
        if scalar is _NOT_SCALAR:
            scalar = self._scalar(_plain(key))
        if isinstance(scalar, str):
            return scalar
        if scalar is None:
            return "null"
        if isinstance(scalar, bool):
            return "true" if scalar else "false"
        if isinstance(scalar, int | float):
            return repr(scalar)
        raise Unencodable(self.path, f"has a key of type {_type_name(key)}", "write strings as keys")

    def _spend(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise _TooLarge(
                self._root, f"is larger than {BATCH_BODY_LIMIT_BYTES:,} bytes as JSON", "write less of it"
            )


def truncate(value: Any, *, path: str = "") -> tuple[Any, list[str]]:
    """`value`, as `make_safe` gives it, with strings cut to MAX_STRING code points, and the paths cut.

    Keys stay whole, and so does what UNLIMITED_PROPERTIES names, where `path` is a field of properties.
    Nothing is changed in place; where nothing was cut, the very same object comes back. Below MAX_DEPTH
    layers nothing is looked at: such a value is refused anyway.
    """
    cut: list[str] = []
    return _truncated(value, path, [], cut), cut


def _is_unlimited(root: str, trail: list[str | int]) -> bool:
    """Whether `trail` ends at a property, by itself or in an operation, whose texts may be of any length."""
    if root not in PROPERTY_FIELDS or not 1 <= len(trail) <= 2:
        return False
    if len(trail) == 2 and trail[0] not in OPERATIONS:
        return False
    name = trail[-1]
    return isinstance(name, str) and (name.startswith(UNLIMITED_PROPERTIES) or name == "$llm_message")


def _truncated(value: Any, root: str, trail: list[str | int], cut: list[str]) -> Any:
    if isinstance(value, str):
        if len(value) <= MAX_STRING or _is_unlimited(root, trail):
            return value
        cut.append(_path(root, trail))
        return value[:MAX_STRING]
    if len(trail) >= MAX_DEPTH or _is_unlimited(root, trail):
        return value
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return value
    shorter = {}
    for key, item in items:
        trail.append(key)
        kept = _truncated(item, root, trail, cut)
        trail.pop()
        if kept is not item:
            shorter[key] = kept
    if not shorter:
        return value
    if isinstance(value, dict):
        return {**value, **shorter}
    return [shorter.get(position, item) for position, item in enumerate(value)]


def depth(value: Any, *, stop_after: int = MAX_DEPTH + 1) -> int:
    """Layers of dicts, lists and tuples in `value`: 0 for a scalar, 1 for a flat dict.

    Counts no further than `stop_after`, so a cycle, or a nest of any depth, is told in bounded time.
    """
    layers = 0
    layer = _containers((value,))
    while layer and layers < stop_after:
        layers += 1
        layer = _containers(
            item for each in layer for item in (each.values() if isinstance(each, dict) else each)
        )
    return layers


def _containers(values: Iterable[Any]) -> list[Any]:
    # Each container is taken once: one that is shared would otherwise multiply from layer to layer.
    return list({id(value): value for value in values if isinstance(value, dict | list | tuple)}.values())


def count_properties(properties: Mapping[str, Any]) -> int:
    """Keys of a properties object; for an operation such as `$set`, the keys it is applied to."""
    return sum(
        len(value) if key.startswith("$") and isinstance(value, dict) else 1
        for key, value in properties.items()
    )


def describe(value: Any) -> str:
    """`value` for a message: its type and, for a scalar, what it is, in at most about 80 characters."""
    if value is None or value is True or value is False:
        return str(value)
    if type(value) in (str, int, float, Decimal, date, datetime):
        return f"the {_type_name(value)} {_shortened(value)}"
    if type(value) in (dict, list, tuple, set, frozenset) and not value:
        return f"an empty {_type_name(value)}"
    return _article(_type_name(value))


def _shortened(value: Any) -> str:
    if isinstance(value, str):
        value = value[:60]
    if isinstance(value, int) and value.bit_length() > MAX_STRING:
        return "of hundreds of digits"
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _path(root: str, trail: list[str | int]) -> str:
    steps = [root]
    for step in trail:
        if isinstance(step, int):
            steps.append(f"[{step}]")
        elif step.replace("$", "_").isidentifier() and len(step) <= 60:
            steps.append(f".{step}" if steps[-1] else step)
        else:
            steps.append(f"[{_shortened(step)}]")
    return "".join(steps)


def _well_formed(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        # Through UTF-16, where two surrogates that belong together become the one character they stand for.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def from_decimal(value: Decimal) -> int | float | str | None:
    """An integer if it is one, a float if that has the same decimal digits, otherwise text; None for NaN."""
    if not Decimal.is_finite(value):
        return None
    # The exponent is looked at first: int(Decimal("1e999999999")) would not end.
    if Decimal.adjusted(value) <= 18 and value == Decimal.to_integral_value(value):
        number = int(value)
        if _MIN_INTEGER <= number <= _MAX_INTEGER:
            return number
    fraction = float(value)
    if math.isfinite(fraction) and Decimal(repr(fraction)) == value:
        return fraction
    return Decimal.__str__(value)


def _from_bytes(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode("ascii")


def _plain(key: Any) -> Any:
    """A key as what it stands for: a lazy text, a path, a number of numpy's."""
    substitute = substitute_of(key)
    if substitute is not None:
        return substitute.value
    cls = type(key)
    return key.tolist() if hasattr(cls, "dtype") and hasattr(cls, "tolist") and not key.ndim else key


def _in_order(values: Set[Any]) -> Iterable[Any]:
    try:
        return sorted(values)
    except TypeError:
        return list(values)


_HELD: Final = frozenset({list, deque, type({}.values())})
"""Containers that are copied in one step. Others may have no end."""


def _type_name(value: object) -> str:
    name = type.__dict__["__name__"].__get__(type(value))  # past a metaclass that answers for itself
    return str(name)


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeio' else 'a'} {noun}"


_ADVICE: Final[tuple[tuple[Any, str], ...]] = (
    (Awaitable, "await it first"),
    (Iterator, "write list(value)"),
    (complex, "write two numbers"),
    ((type, types.ModuleType), "write its name"),
    (BaseException, "write str(value)"),
    (Callable, "write what it returns"),
)


def _advice(value: Any) -> str:
    for kinds, words in _ADVICE:
        if isinstance(value, kinds):
            return words
    return "write str(value), or a dict of what matters in it"
