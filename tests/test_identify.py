"""The rules of `Identify`: one operation for each property, `clear_all` alone, every violation told."""

import enum
import logging
import math
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._identify import Identify

# The server applies the operations of one payload in this order.
SERVER_ORDER = [
    "$clearAll",
    "$unset",
    "$set",
    "$setOnce",
    "$add",
    "$append",
    "$prepend",
    "$preInsert",
    "$postInsert",
    "$remove",
]
OPERATION_OF = {
    "set": "$set",
    "set_once": "$setOnce",
    "append": "$append",
    "prepend": "$prepend",
    "pre_insert": "$preInsert",
    "post_insert": "$postInsert",
    "remove": "$remove",
}


class Colour(enum.Enum):
    BLUE = "blue"


@dataclass
class Address:
    city: str


GOOD_VALUES = [
    "pro",
    "",
    1,
    -0.5,
    True,
    False,
    [1, "two"],
    (1, 2),
    {"a": {"b": 1}},
    range(3),
    frozenset({1}),
    {"a": 1}.values(),
    datetime(2026, 11, 4, tzinfo=timezone.utc),
    date(2026, 11, 4),
    uuid.UUID(int=7),
    Decimal("1.5"),
    Colour.BLUE,
    Address("Lyon"),
]
BAD_VALUES = [None, object(), Address, print, 1j, iter([1]), Fraction(1, 3)]
BAD_NUMBERS = [
    None,
    "1",
    True,
    math.nan,
    math.inf,
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("1e999"),
    10**400,
    1j,
    [1],
]

names = st.sampled_from(["plan", "logins", "org", "tags"])
odd_names = st.sampled_from(["", "  \t", None, 7, ["list"], b"plan"])
values = st.sampled_from([*GOOD_VALUES, *BAD_VALUES, *BAD_NUMBERS])
any_name = st.one_of(names, names, odd_names)
calls = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(OPERATION_OF)), any_name, values),
        st.tuples(st.just("add"), any_name, st.one_of(values, st.integers(), st.floats(), st.decimals())),
        st.tuples(st.just("unset"), any_name),
        st.tuples(
            st.just("set_group"), any_name, st.sampled_from(["15", ["15", "16"], [], "", None, 15, ["a", 1]])
        ),
        st.tuples(st.just("clear_all")),
    ),
    max_size=12,
)


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.CRITICAL, logger="antinode")


def built(sequence, **options):
    identify = Identify(**options)
    for method, *arguments in sequence:
        assert getattr(identify, method)(*arguments) is identify
    return identify


@given(calls)
def test_any_sequence_of_calls_gives_a_payload_the_server_reads_in_one_way(sequence):
    """No call raises; each property has one operation, `$clearAll` is alone, the order is the server's."""
    event = built(sequence).to_event("user-20391")
    payload = event["user_properties"]

    assert list(payload) == [operation for operation in SERVER_ORDER if operation in payload]
    if "$clearAll" in payload:
        assert event == {
            "event_type": "$identify",
            "user_id": "user-20391",
            "user_properties": {"$clearAll": "-"},
        }
    else:
        properties = [name for operation in payload.values() for name in operation]
        assert len(properties) == len(set(properties))
        assert all(isinstance(name, str) and name.strip() for name in properties)
        assert event.get("groups", {}).items() <= payload.get("$set", {}).items()
    for number in payload.get("$add", {}).values():
        assert type(number) in (int, float)
        assert math.isfinite(number)


@given(calls)
def test_clear_all_wins_over_everything(sequence):
    """Once `clear_all` was called, before or after anything, it is all that is sent."""
    has_clear_all = ("clear_all",) in sequence
    assert ("$clearAll" in built(sequence).to_event()["user_properties"]) == has_clear_all


@given(calls)
def test_strict_raises_exactly_where_the_other_tells(sequence):
    """Under `strict` the same call raises, with the same words, that is otherwise recorded first."""
    problems = built(sequence).problems
    if problems:
        with pytest.raises(ValueError, match=r"clear_all|ignored") as refusal:
            built(sequence, strict=True)
        assert str(refusal.value) == problems[0]
    else:
        assert repr(built(sequence, strict=True)) == repr(built(sequence))


@given(calls, calls)
def test_built_events_are_the_builders_past(before, after):
    """Building twice gives equal events, and later calls change none of them."""
    identify = built(before)
    one, other = identify.to_event("user-20391"), identify.to_group_event("org", "15")
    assert identify.to_event("user-20391") == one
    assert identify.to_group_event("org", "15") == other

    twin = built(before)
    for method, *arguments in after:
        getattr(identify, method)(*arguments)
    assert one == twin.to_event("user-20391")
    assert other == twin.to_group_event("org", "15")


@given(calls)
def test_is_empty_says_whether_there_is_an_operation(sequence):
    """`is_empty` is true exactly when the payload is."""
    identify = built(sequence)
    assert identify.is_empty == (not identify.to_event()["user_properties"])


def test_identify_event_of_every_operation():
    """Each method makes its operation; without ids the event has none."""
    identify = (
        Identify()
        .remove("tags", "old")
        .post_insert("ends", ["z"])
        .pre_insert("starts", "a")
        .prepend("first", 1)
        .append("last", 9)
        .add("logins", 1)
        .set_once("signup", "2026-01-01")
        .set("plan", "pro")
        .unset("trial")
    )
    assert identify.to_event() == {
        "event_type": "$identify",
        "user_properties": {
            "$unset": {"trial": "-"},
            "$set": {"plan": "pro"},
            "$setOnce": {"signup": "2026-01-01"},
            "$add": {"logins": 1},
            "$append": {"last": 9},
            "$prepend": {"first": 1},
            "$preInsert": {"starts": "a"},
            "$postInsert": {"ends": ["z"]},
            "$remove": {"tags": "old"},
        },
    }
    assert identify.problems == ()


def test_ids_are_those_given():
    """`to_event` carries the ids it is given and invents none."""
    event = Identify().set("plan", "pro").to_event("user-20391", "device-1")
    assert (event["user_id"], event["device_id"]) == ("user-20391", "device-1")
    assert "user_id" not in Identify().to_event(device_id="device-1")


def test_set_group_sets_the_property_and_the_group():
    """`set_group` puts the name, or the list of names, under `$set` and under `groups`."""
    event = Identify().set_group("org", "15").set_group("team", ("red", "blue")).to_event("user-20391")
    assert event["groups"] == {"org": "15", "team": ["red", "blue"]}
    assert event["user_properties"] == {"$set": {"org": "15", "team": ["red", "blue"]}}


@pytest.mark.parametrize("value", GOOD_VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("method", sorted(OPERATION_OF))
def test_json_like_values_are_taken(method, value):
    """Strings, numbers, bools, lists, dicts, dates, UUIDs, enums and dataclasses are values."""
    identify = Identify(strict=True)
    getattr(identify, method)("name", value)
    assert identify.to_event()["user_properties"] == {OPERATION_OF[method]: {"name": value}}


@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("method", sorted(OPERATION_OF))
def test_other_values_are_refused_and_leave_the_property_free(method, value):
    """A value that is not JSON is ignored with a reason, and the property can still be given another."""
    identify = Identify()
    getattr(identify, method)("name", value)
    assert identify.is_empty
    assert len(identify.problems) == 1
    assert identify.problems[0].startswith(f"{method}('name') was ignored: ")
    assert identify.set("name", "good").to_event()["user_properties"] == {"$set": {"name": "good"}}


def test_none_is_refused_with_the_alternative():
    """None is no value; the message says how to remove a property."""
    assert Identify().set("plan", None).problems == (
        "set('plan') was ignored: None is no value for a property; unset('plan') removes it",
    )


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=repr)
def test_add_refuses_what_is_no_finite_number(number):
    """`add` takes no bool, string, NaN, infinity or number beyond a float's range."""
    identify = Identify().add("logins", number)
    assert identify.is_empty
    assert len(identify.problems) == 1


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        (1, 1),
        (-2.5, -2.5),
        (Decimal("19.99"), 19.99),
        (Fraction(1, 4), 0.25),
        (2**63 - 1, 2**63 - 1),
        (2**70, float(2**70)),
    ],
)
def test_add_sends_json_numbers(number, sent):
    """Real numbers of any type become an int of 64 bits or a float, so that the server can add them."""
    added = Identify(strict=True).add("logins", number).to_event()["user_properties"]["$add"]["logins"]
    assert added == sent
    assert type(added) is type(sent)


@pytest.mark.parametrize("name", ["", "  ", None, 7, ["list"]])
def test_property_names_are_strings_with_something_in_them(name):
    """A name that is blank or no string is refused by every method."""
    for method in OPERATION_OF:
        assert getattr(Identify(), method)(name, "x").problems
    assert Identify().add(name, 1).problems
    assert Identify().unset(name).problems
    assert name == 7 or Identify().set_group(name, "15").problems


@pytest.mark.parametrize("group_name", ["", "  ", [], (), None, [None], {}, 1e17, ["ok", ""]])
def test_group_names_are_strings_or_lists_of_strings(group_name):
    """Anything else as a group's name is refused whole."""
    identify = Identify().set_group("org", group_name)
    assert identify.is_empty
    assert "groups" not in identify.to_event()
    assert identify.problems[0].startswith("set_group('org') was ignored: ")


def test_first_operation_on_a_property_wins():
    """A second operation on a property is ignored and says which one came first."""
    identify = Identify().set("plan", "pro").unset("plan").set("plan", "free").set_group("plan", "x")
    assert identify.to_event()["user_properties"] == {"$set": {"plan": "pro"}}
    assert [problem.split(":")[0] for problem in identify.problems] == [
        "unset('plan') was ignored",
        "set('plan') was ignored",
        "set_group('plan') was ignored",
    ]
    assert "set() came first" in identify.problems[0]


def test_clear_all_discards_what_came_before_and_says_so():
    """`clear_all` names the operations it throws away; alone or twice it has nothing to tell."""
    identify = Identify().set("plan", "pro").set_group("org", "15").clear_all()
    assert identify.to_event() == {"event_type": "$identify", "user_properties": {"$clearAll": "-"}}
    assert "discards set 'plan'; set_group 'org'" in identify.problems[0]
    assert Identify().clear_all().clear_all().problems == ()


def test_clear_all_blocks_what_comes_after():
    """Nothing can be added to `clear_all`."""
    identify = Identify().clear_all().set("plan", "pro").set_group("org", "15")
    assert identify.to_event()["user_properties"] == {"$clearAll": "-"}
    assert len(identify.problems) == 2
    assert all("clear_all() stands alone" in problem for problem in identify.problems)


def test_strict_refusal_changes_nothing():
    """Under `strict`, a call that raised leaves the object as it was."""
    identify = Identify(strict=True).set("plan", "pro")
    for refused in (lambda: identify.unset("plan"), lambda: identify.add("n", "1"), identify.clear_all):
        with pytest.raises(ValueError, match=r"clear_all|ignored"):
            refused()
    assert identify.to_event()["user_properties"] == {"$set": {"plan": "pro"}}
    assert identify.problems == ()


def test_group_identify_event():
    """Operations go to `group_properties`, the group to `groups`, and there are no ids."""
    identify = Identify(strict=True).set("tier", "gold").add("seats", 2)
    expected = {"$set": {"tier": "gold"}, "$add": {"seats": 2}}
    assert identify.to_group_event("org", "15") == {
        "event_type": "$groupidentify",
        "groups": {"org": "15"},
        "group_properties": expected,
    }
    assert identify.to_group_event("org", ["15", "16"])["groups"] == {"org": ["15", "16"]}
    assert identify.to_group_event("org", 15)["groups"] == {"org": 15}  # judged where events are


@pytest.mark.parametrize("method", ["pre_insert", "post_insert", "remove", "clear_all"])
def test_operations_undocumented_for_groups_are_sent_and_told(method):
    """The four operations without documentation for groups go out with one problem each."""
    arguments = [] if method == "clear_all" else ["tags", "x"]
    identify = built([(method, *arguments)])
    assert identify.problems == ()
    for _ in range(2):
        assert len(identify.to_group_event("org", "15")["group_properties"]) == 1
    assert len(identify.problems) == 1
    assert identify.problems[0].startswith(f"{method}() is not documented for groups")

    strict = built([(method, *arguments)], strict=True)
    with pytest.raises(ValueError, match="not documented for groups"):
        strict.to_group_event("org", "15")


def test_set_group_has_no_part_in_a_group_identify():
    """What `set_group` added is left out of a group's event, and told."""
    identify = Identify().set("tier", "gold").set_group("team", "red")
    event = identify.to_group_event("org", "15")
    assert event["groups"] == {"org": "15"}
    assert event["group_properties"] == {"$set": {"tier": "gold"}}
    assert "set_group() of 'team' is left out" in identify.problems[0]


def test_problems_are_logged_without_values(caplog):
    """Each problem is a warning on the logger `antinode`, with names and types but no values."""
    caplog.set_level(logging.WARNING, logger="antinode")
    identify = (
        Identify().set("plan", "secret-1").set("plan", "secret-2").add("logins", "secret-3").set("name", 4j)
    )
    identify.clear_all()
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
    assert [record.getMessage() for record in caplog.records] == [
        f"antinode: Identify: {p}" for p in identify.problems
    ]
    assert "secret" not in caplog.text


def test_repr_tells_operations_and_names_only():
    """The `repr` has methods and property names, no values, and long names cut."""
    identify = Identify().set("plan", "secret").add("logins", 12345).set("name", "secret")
    assert repr(identify) == "<Identify set 'plan', 'name'; add 'logins'>"
    assert repr(Identify()) == "<Identify empty>"
    assert repr(Identify().clear_all()) == "<Identify clear_all>"
    assert len(repr(Identify().unset("x" * 5000))) < 100
