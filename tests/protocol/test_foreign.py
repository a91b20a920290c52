"""Objects of well-known libraries as values and as events, with the real libraries."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import subprocess
import sys
from collections import UserString
from typing import Any, NamedTuple, TypedDict

import msgspec
import orjson
import pytest

from antinode._protocol.remarks import Remark
from antinode._protocol.validation import examine
from antinode._protocol.values import make_safe
from tests.memory import Memory, logging_client, sent

# What these tests need is in the development tools, but not among the minimum versions.
attrs: Any = pytest.importorskip("attrs")
django_conf: Any = pytest.importorskip("django.conf")
numpy: Any = pytest.importorskip("numpy")
pandas: Any = pytest.importorskip("pandas")
pydantic: Any = pytest.importorskip("pydantic")
pydantic_v1: Any = pytest.importorskip("pydantic.v1") if sys.version_info < (3, 14) else None

if not django_conf.settings.configured:
    django_conf.settings.configure(USE_I18N=False)
from django.utils.functional import SimpleLazyObject  # noqa: E402 - likewise  # type: ignore[import-untyped]
from django.utils.translation import gettext_lazy  # noqa: E402 - needs the settings  # type: ignore[import-untyped]


class Cart(pydantic.BaseModel):  # type: ignore[misc]
    total: float = 12.5
    secret: str = pydantic.Field("hidden", exclude=True)


class Basket(pydantic.BaseModel):  # type: ignore[misc]
    carts: tuple[Cart, ...] = (Cart(),)
    when: datetime.date = datetime.date(2026, 11, 4)


class Tags(pydantic.RootModel[list[str]]):  # type: ignore[misc]
    pass


@attrs.define
class Box:
    total: float = 12.5
    _secret: str = "hidden"


@attrs.frozen(slots=False)
class FrozenBox:
    inner: Box = Box()


class Point(NamedTuple):
    x: int
    y: int


class Options(TypedDict):
    a: int


class Money(msgspec.Struct):
    amount: int


@dataclasses.dataclass
class Item:
    name: str = "x"
    box: Box = dataclasses.field(default_factory=Box)


NANOSECONDS = numpy.datetime64("2026-11-04T18:46:10.123456789", "ns")

MENDED: list[tuple[Any, Any, str]] = [
    (Cart(), {"total": 12.5}, "is a Cart and was sent as a dict: write value.model_dump()"),
    (Basket(), {"carts": [{"total": 12.5}], "when": "2026-11-04"}, "is a Basket"),
    (Tags(["a"]), ["a"], "is a Tags and was sent as its root"),
    (Box(), {"total": 12.5}, "is a Box and was sent as a dict: write attrs.asdict(value)"),
    (FrozenBox(), {"inner": {"total": 12.5}}, "is a FrozenBox"),
    (pathlib.PurePosixPath("/srv/a.txt"), "/srv/a.txt", "and was sent as text: write str(value)"),
    (datetime.timedelta(seconds=5), 5.0, "was sent as seconds: write value.total_seconds()"),
    (pandas.Timedelta(5, "s"), 5.0, "was sent as seconds"),
    (numpy.timedelta64(1500, "ms"), 1.5, "was sent as seconds"),
    (pandas.NA, None, "is pandas.NA and was sent as null"),
    (gettext_lazy("Blue in Green"), "Blue in Green", "is a lazy text"),
]
PLAIN: list[tuple[Any, Any]] = [
    (Point(1, 2), {"x": 1, "y": 2}),
    (Options(a=1), {"a": 1}),
    (Money(3), {"amount": 3}),
    (UserString("text"), "text"),
    (pandas.NaT, None),
    (pandas.Timestamp("2026-11-04T18:46:10Z"), "2026-11-04T18:46:10+00:00"),
    (NANOSECONDS, "2026-11-04T18:46:10.123456789"),
    (numpy.datetime64("2026-11-04"), "2026-11-04"),
    (numpy.datetime64("NaT", "ns"), None),
    (numpy.array(["2026-11-04", "NaT"], dtype="datetime64[D]"), ["2026-11-04", None]),
    (numpy.array([NANOSECONDS]), ["2026-11-04T18:46:10.123456789"]),
    (numpy.array(NANOSECONDS), "2026-11-04T18:46:10.123456789"),
    (pandas.Series(pandas.to_datetime(["2026-11-04", None])), ["2026-11-04T00:00:00", None]),
    (numpy.int64(3), 3),
    (numpy.float32(1.5), 1.5),
    (numpy.bool_(True), True),
    (numpy.str_("x"), "x"),
    (numpy.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
    (numpy.float64("nan"), None),
    (pandas.Series([1, 2]), [1, 2]),
]


@pytest.mark.parametrize(("value", "expected", "words"), MENDED, ids=range(len(MENDED)))
def test_what_has_one_meaning_is_mended_and_told(value: Any, expected: Any, words: str) -> None:
    """It is sent in plain JSON, and a note has its path, what it was, and what to write instead."""
    notes: list[Remark] = []
    made = make_safe({"a": [value]}, path="event_properties", notes=notes)
    assert made == {"a": [expected]}
    assert any("`event_properties.a[0]" in note and words in note for note in notes)
    assert all(note.objection for note in notes)
    assert make_safe(value, path="p") == expected
    orjson.dumps(made)


@pytest.mark.parametrize(("value", "expected"), PLAIN, ids=range(len(PLAIN)))
def test_what_is_as_good_as_json_needs_no_word(value: Any, expected: Any) -> None:
    """It is sent in plain JSON, without a note."""
    notes: list[Remark] = []
    assert make_safe({"a": value}, path="p", notes=notes) == {"a": expected}
    assert notes == []


@pytest.mark.parametrize(
    "key",
    [numpy.int64(7), numpy.str_("7"), gettext_lazy("7"), pathlib.PurePosixPath("7"), UserString("7")],
    ids=["int64", "str_", "lazy text", "path", "UserString"],
)
def test_keys_are_mended_like_values(key: Any) -> None:
    """A table's labels, a lazy text: what they stand for is the key, and nothing is lost."""
    assert make_safe({key: 1}, path="v") == {"7": 1}


def test_a_lazy_object_is_what_it_stands_for() -> None:
    """Also as an id, where it says of itself that it is a text."""
    lazy = SimpleLazyObject(lambda: "user-20391")
    assert type(make_safe(lazy, path="v")) is str
    assert examine({"event_type": "e", "user_id": lazy}, now_ms=0).event["user_id"] == "user-20391"


@pytest.mark.parametrize(
    ("moment", "milliseconds"),
    [
        (numpy.datetime64("2026-11-01T00:00:00.123456789"), 1_793_491_200_123),
        (numpy.datetime64("2026-11-01"), 1_793_491_200_000),
        (numpy.datetime64("1969-12-31T23:59:59.999"), -1),
    ],
)
def test_a_time_of_numpys_is_one_in_utc(moment: Any, milliseconds: int) -> None:
    """With nanoseconds or days alone; the event is not dated today."""
    found = examine({"event_type": "e", "user_id": "user-20391", "time": moment}, now_ms=2_000_000_000_000)
    assert found.event["time"] == milliseconds
    assert not found.notes


@pytest.mark.skipif(pydantic_v1 is None, reason="pydantic 1 ends with Python 3.13")
def test_models_of_pydantic_1_are_dicts() -> None:
    """The older models are known as well."""

    class Old(pydantic_v1.BaseModel):  # type: ignore[misc]
        total: float = 12.5

    assert make_safe({"old": Old()}, path="p", notes=[]) == {"old": {"total": 12.5}}


def test_months_have_no_length() -> None:
    """A numpy timedelta of months is left out rather than guessed at."""
    notes: list[Remark] = []
    assert make_safe({"a": numpy.timedelta64(1, "M")}, path="p", notes=notes) == {}
    assert len(notes) == 1


@pytest.mark.parametrize("column", ["value", "nested"])
@pytest.mark.parametrize(("value", "expected", "words"), MENDED, ids=range(len(MENDED)))
def test_the_event_goes(
    column: str, value: Any, expected: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An event with such a property is delivered, with all that is beside it, and the log names the path."""
    given = value if column == "value" else [{"deep": value}]
    memory = Memory()
    with logging_client(memory) as client:
        event: Any = {
            "event_type": "A",
            "user_id": "user-20391",
            "event_properties": {"title": "So What", column: given},
        }
        client.log_event(event)
        (arrived,) = sent(client, memory)
        client.shutdown()
    assert arrived["event_properties"] == {
        "title": "So What",
        column: expected if column == "value" else [{"deep": expected}],
    }
    assert f"`event_properties.{column}" in caplog.text
    assert words in caplog.text


class PydanticEvent(pydantic.BaseModel):  # type: ignore[misc]
    event_type: str = "Song Played"
    user_id: str = "user-20391"
    event_properties: Cart = Cart()


@attrs.define
class AttrsEvent:
    event_type: str = "Song Played"
    user_id: str = "user-20391"
    event_properties: Box = attrs.field(factory=Box)


@dataclasses.dataclass
class DataclassEvent:
    event_type: str = "Song Played"
    user_id: str = "user-20391"
    event_properties: Any = dataclasses.field(default_factory=lambda: {"total": 12.5})
    device_id: str | None = None


class StructEvent(msgspec.Struct):
    event_type: str = "Song Played"
    user_id: str = "user-20391"
    event_properties: Any = msgspec.field(default_factory=lambda: {"total": 12.5})


class TupleEvent(NamedTuple):
    event_type: str = "Song Played"
    user_id: str = "user-20391"
    event_properties: Any = {"total": 12.5}  # noqa: RUF012 - never changed


@pytest.mark.parametrize("kind", [PydanticEvent, AttrsEvent, DataclassEvent, StructEvent, TupleEvent])
def test_models_are_events(kind: Any) -> None:
    """What has an event's keys as its fields is one, with a middleware as well as without."""
    for with_middleware in (False, True):
        memory = Memory()
        with logging_client(memory) as client:
            if with_middleware:
                client.add_event_middleware(lambda payload, following: following(payload))
            client.log_event(kind())
            (arrived,) = sent(client, memory)
        assert arrived["event_type"] == "Song Played"
        assert arrived["event_properties"] == {"total": 12.5}
        assert "device_id" not in arrived


def test_a_refused_model_is_kept_in_full() -> None:
    """What refuses an event is no reason to lose what it holds."""
    memory = Memory()
    with logging_client(memory) as client:
        delivery = client.log_event(DataclassEvent(user_id="x"))  # type: ignore[arg-type]
        event: Any = {"event_type": "A", "event_properties": {"lock": object(), "title": "So What"}}
        other = client.log_event(event)
        assert delivery.event() == {
            "event_type": "Song Played",
            "user_id": "x",
            "event_properties": {"total": 12.5},
        }
        assert other.event() == {"event_type": "A", "event_properties": {"title": "So What"}}


def test_none_of_these_libraries_is_imported() -> None:
    """Values are known by their marks: mending one loads nothing of what made others."""
    code = (
        "import sys, datetime; from antinode._protocol.values import make_safe\n"
        "make_safe({'a': datetime.timedelta(1), 'b': object()}, path='p', notes=[])\n"
        "print([each for each in ('attrs', 'django', 'numpy', 'pandas', 'pydantic') if each in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
