"""Events as classes of the application's own, whose properties a type checker knows."""

from __future__ import annotations

import re
import sys
from typing import Any, ClassVar, NoReturn

from antinode._events import Event, EventDict
from antinode._public import public
from antinode._speedups import native
from antinode._typed_root import MYPY, TypedRoot

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import cast

    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Any:
        """What type checkers read, and nothing else."""
        return lambda kind: kind

    def cast(_: object, value: Any) -> Any:
        """The same."""
        return value


KEYS = ("user_id", "device_id", "time", "insert_id", "session_id", "groups", "user_properties")
"""The keys of an event that a typed one takes beside its properties."""

_UNCHANGEABLE = "a typed event cannot be changed: make another"
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class _HeldProperty:
    """The value of one property of an event, to be read."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, event: Any, kind: type) -> Any:
        return self if event is None else event._event["event_properties"].get(self._name)

    def __set__(self, event: Any, value: object) -> NoReturn:
        raise AttributeError(_UNCHANGEABLE)


class _HeldKey:
    """The same for a key of the event itself."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, event: Any, kind: type) -> Any:
        return self if event is None else event._event.get(self._name)

    def __set__(self, event: Any, value: object) -> NoReturn:
        raise AttributeError(_UNCHANGEABLE)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _TypedBase(TypedRoot):
    """Makes of each class below it one with a constructor of its annotated names."""

    __slots__ = ("_event",)

    _event: dict[str, Any]
    _names: ClassVar[dict[str, str]] = {}
    """Attribute to property."""
    _defaults: ClassVar[dict[str, Any]] = {}
    _event_type: ClassVar[str] = ""
    _maker: ClassVar[Any] = None
    """What makes its events in compiled code; the class's own, or none."""

    def __init_subclass__(
        cls, *, event_type: str | None = None, names: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """`event_type` is made of the class's name where it is not given: `OrderPlaced` is "Order Placed".

        `names` gives the property of an attribute that is called otherwise. Raises TypeError for an attribute
        that has the name of one that every event has.
        """
        super().__init_subclass__(**more)
        cls._event_type = _WORD.sub(" ", cls.__name__) if event_type is None else event_type
        given = dict(names or {})
        own = {name: given.pop(name, name) for name in _annotated(cls)}
        if given:
            raise TypeError(f"{cls.__name__} has no property {next(iter(given))!r}, which `names` names")
        for name in own:
            if hasattr(TypedEvent, name):
                raise TypeError(
                    f"{cls.__name__}.{name} is a name that every event has: "
                    f"write {name}_ and names={{{name + '_'!r}: {name!r}}}"
                )
        cls._names = {**cls._names, **own}
        defaults = dict(cls._defaults)
        for name, key in own.items():
            if name in cls.__dict__:
                defaults[name] = cls.__dict__[name]
            setattr(cls, name, _HeldProperty(key))
        cls._defaults = defaults
        if cls._names and "__init__" not in cls.__dict__:
            # Until the first event of it; a module may have hundreds of classes.
            cls.__init__ = _first_init  # type: ignore[assignment,method-assign]


def _first_init(self: Any, /, *unnamed: object, **given: Any) -> None:
    kind: Any = next(each for each in type(self).__mro__ if each.__dict__.get("__init__") is _first_init)
    kind.__init__ = init = _init_of(kind)
    if native is not None:
        kind._maker = native.Maker(init, _TypedBase._event, *_layout_of(kind))
        native.quicken(kind)
    init(self, *unnamed, **given)


def _init_of(kind: Any) -> Any:
    """What `_make_init` makes, made once."""
    init = kind.__dict__.get("_init")
    if init is None:
        init = kind._init = _make_init(kind)
    return init


def _annotated(kind: type) -> list[str]:
    """The names that a class annotates itself, but for class variables and what is private."""
    annotations: dict[str, Any]
    if sys.version_info >= (3, 14):
        import annotationlib  # noqa: PLC0415 - from Python 3.14 on

        annotations = annotationlib.get_annotations(kind, format=annotationlib.Format.FORWARDREF)
    else:
        # As they are written: what they name may be there for type checkers alone.
        annotations = vars(kind).get("__annotations__", {})
    return [
        name
        for name, annotation in annotations.items()
        if not name.startswith("_") and not str(annotation).startswith(("ClassVar", "typing.ClassVar"))
    ]


def _layout_of(kind: Any) -> tuple[dict[str, Any], dict[str, Any], tuple[tuple[object, ...], ...]]:
    """What the compiled constructor knows of a class: how an event and its properties begin; the parameters.

    Each is its name, its key, whether that is a property's, whether it has to be given, and its default.
    """
    names, defaults = kind._names, kind._defaults
    required = [name for name in names if name not in defaults]
    parameters = [(key, key, False, False, None) for key in KEYS]
    parameters += [(name, names[name], True, True, None) for name in required]
    optional = [name for name in names if name in defaults]
    parameters += [(name, names[name], True, False, defaults[name]) for name in optional]
    event = {"event_type": kind._event_type, "event_properties": None}
    return event, dict.fromkeys(names[name] for name in required), tuple(parameters)


def _make_init(kind: Any) -> Any:
    """The constructor of a class, as it would be written by hand."""
    names, defaults = kind._names, kind._defaults
    # Defaults of keyword-only parameters are looked up one by one; these are filled in at once.
    parameters = ["_self", "_unnamed=None", *(f"{key}=None" for key in KEYS)]
    parameters += [f"{name}=_defaults[{name!r}]" for name in names if name in defaults]
    if required := [name for name in names if name not in defaults]:
        parameters += ["*", *required]
    filled = ", ".join(f"{key!r}: {name}" for name, key in names.items() if name not in defaults)
    lines = [
        f"def __init__({', '.join(parameters)}):",
        "    if _unnamed is not None:",
        f"        raise TypeError('{kind.__name__} takes named arguments only')",
        f"    _properties = {{{filled}}}",
    ]
    for name, key in names.items():
        if name in defaults:
            lines += [f"    if {name} is not None:", f"        _properties[{key!r}] = {name}"]
    # The type is that of the object: a class below may have a constructor of its own, which calls this one.
    lines.append("    _event = {'event_type': _self._event_type, 'event_properties': _properties}")
    for key in KEYS:
        lines += [f"    if {key} is not None:", f"        _event[{key!r}] = {key}"]
    lines.append("    _self._event = _event")
    made: dict[str, Any] = {}
    # The names are identifiers, as attributes of a class are, and all else is quoted.
    exec("\n".join(lines), {"_defaults": defaults}, made)  # noqa: S102
    init = made["__init__"]
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    init.__module__ = kind.__module__
    return init


@public
class TypedEvent(_TypedBase):
    """An event of a class of your own, whose annotated attributes are its properties.

        class OrderPlaced(antinode.TypedEvent):
            order_id: str
            total: float
            coupon: str | None = None

        client.log_event(OrderPlaced(order_id="88231", total=12.5, user_id="user-20391"))

    The event type is made of the name ("Order Placed"), unless `event_type="…"` stands in the class's head;
    `names={"attribute": "property"}` there is for properties whose name is no attribute's. A property that is
    None, and has a default, is left out. Type checkers check the values, nobody does when the event is made.
    What every event may have is a keyword argument, too; what is absent comes from the context. Immutable.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        user_id: str | None = None
        device_id: str | None = None
        time: int | float | datetime | None = None
        insert_id: str | None = None
        session_id: int | None = None
        groups: Mapping[str, str | Sequence[str]] | None = None
        user_properties: Mapping[str, Any] | None = None
    else:

        def __init__(self, /, **given: Any) -> None:
            # Of a class without properties, or from a constructor that a class has written itself.
            _init_of(type(self))(self, **given)

    def to_dict(self) -> EventDict:
        """A new dict of the event, with its properties in a new dict; the values are not copied."""
        event = dict(self._event)
        event["event_properties"] = dict(event["event_properties"])
        return cast("EventDict", event)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._event == other._event

    __hash__ = None  # type: ignore[assignment]  # its values may be dicts and lists

    def __repr__(self) -> str:
        # Only which are set: an event's body stays out of logs and tracebacks.
        held = [*self._event["event_properties"], *(key for key in KEYS if key in self._event)]
        return f"<{type(self).__name__}{': ' if held else ''}{', '.join(map(str, held))}>"


if MYPY:  # noqa: SIM108 - which is an alias to it, unlike an expression
    Loggable = EventDict
else:
    Loggable = EventDict | Event | TypedEvent

for _name in KEYS:
    setattr(TypedEvent, _name, _HeldKey(_name))
