"""`antinode codegen`: a module of typed events."""

from __future__ import annotations

import csv
import difflib
import gzip
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import antinode
from antinode.plan import PlannedEvent, PropertySchema, TrackingPlan, parse_plan
from antinode.plan._codegen import to_module
from antinode.plan._writing import to_yaml
from antinode.testing import capture
from tests.cli.nursery import run
from tests.examples import examples
from tests.plan.test_commands import DATA
from tests.plan.test_reading import SHOP

NAMES = st.one_of(
    st.text(min_size=1, max_size=8),
    st.sampled_from(
        ["class", "None", "user_id", "str", "int", "Any", "to_dict", "__init__", "a b", "a_b", "a-b"]
    ),
    st.sampled_from(['"""', "\\", "1", "_", "größe", "ﬁ", "\x1b", "self", "event", "properties", "x"]),
).filter(lambda name: bool(name.strip()))


def executed(text: str) -> dict[str, Any]:
    module: dict[str, Any] = {"__name__": "events"}
    exec(compile(text, "events.py", "exec"), module)  # noqa: S102 - what is tried
    return module


def described(held: list[str], text: str, kind: str) -> PropertySchema:
    """A property of this type: an array is of objects, and an object has these properties, and one within."""
    if kind == "string":
        return PropertySchema(types=("string",), description=text)
    if kind == "array":
        return PropertySchema(types=("array",), items=described(held, text, "object"))
    inner = PropertySchema(types=("object",), properties={"a": PropertySchema()})
    properties = {name: PropertySchema(types=("string",), description=text) for name in held} | {"in": inner}
    return PropertySchema(types=("object",), properties=properties, required=tuple(held[:1]))


@settings(max_examples=examples(15))
@given(
    st.dictionaries(NAMES, st.lists(NAMES, max_size=5, unique=True), max_size=4),
    st.text(max_size=20),
    st.sampled_from(["string", "object", "array"]),
)
def test_any_name_becomes_a_class_and_an_attribute(
    events: dict[str, list[str]], text: str, kind: str
) -> None:
    """The module is Python, has each event once, and its events have the names that the plan has.

    So have the objects in them, whose required properties are those of the plan.
    """
    plan = TrackingPlan(
        events={
            name: PlannedEvent(
                name,
                PropertySchema(
                    properties={each: described(held, text, kind) for each in held},
                    required=tuple(held[:2]),
                    takes_others=False,
                ),
                description=text,
            )
            for name, held in events.items()
        },
        name=text,
    )
    module = to_module(plan)
    assert module == to_module(plan)
    made = executed(module)
    listed = [made[name] for name in made["__all__"]]
    kinds = [each for each in listed if issubclass(each, antinode.TypedEvent)]
    objects = [each for each in listed if each not in kinds]
    assert len(objects) == (0 if kind == "string" else 2 * sum(map(len, events.values())))
    for each in objects:
        assert set(each.__annotations__) in [{"a"}, *({*held, "in"} for held in events.values())]
        assert each.__required_keys__ in [set(), *(set(held[:1]) for held in events.values())]
    assert {each._event_type for each in kinds} == set(events)
    for each in kinds:
        names = each._names
        assert set(names.values()) == set(events[each._event_type])
        event = each(**names)
        assert event.to_dict()["event_properties"] == {key: key for key in names.values()}


def test_the_guide_s_plan() -> None:
    """Docstrings, keyword-only attributes, what is optional last, objects, nothing of retired events."""
    text = to_module(parse_plan(SHOP))
    assert (
        text.partition("\n\n\n")[2]
        == '''class _OrderPlacedItemsRequired(TypedDict):
    sku: str


class OrderPlacedItems(_OrderPlacedItemsRequired, total=False):
    """`items[]` of the event Order Placed."""

    quantity: int


class OrderPlaced(antinode.TypedEvent, event_type="Order Placed"):
    """A customer has paid.

    Owners: checkout.
    """

    currency: Literal["EUR", "USD"]
    order_id: str
    """As in the shop's database."""
    total: float
    coupon: str | None = None
    items: list[OrderPlacedItems] | None = None
'''
    )


def test_an_object_that_is_to_have_others_is_any_dict() -> None:
    """Where the plan says so itself, and still says so when it was written anew."""
    plan = parse_plan(SHOP.replace("          required: [sku]", "          additionalProperties: true"))
    assert "items: list[dict[str, Any]] | None = None" in to_module(parse_plan(to_yaml(plan)))


def test_a_change_of_the_plan_changes_what_it_is_about() -> None:
    """A property that becomes required moves, and every other line stays."""
    before = to_module(parse_plan(SHOP)).splitlines()
    after = to_module(parse_plan(SHOP.replace("currency]", "currency, coupon]"))).splitlines()
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert changed == ["+     coupon: str", "-     coupon: str | None = None"]


def rows() -> list[dict[str, str]]:
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def properties_of(row: dict[str, str]) -> dict[str, str]:
    return {key: row[key] for key in row if key not in ("event", "user_id", "timestamp")}


def test_regenerating_changes_nothing(shop: Path) -> None:
    """The same plan gives the same bytes, which `--check` sees; another module fails it."""
    before = (shop / "shop_events.py").read_bytes()
    assert run("codegen", "plan.json", cwd=shop).stdout.encode() == before
    assert run("codegen", "plan.json", "-o", "shop_events.py", "--check", cwd=shop).returncode == 0
    (shop / "other.py").write_bytes(before + b"#")
    done = run("codegen", "plan.json", "-o", "other.py", "--check", cwd=shop)
    assert done.returncode == 1
    assert "is not what the plan gives" in " ".join(done.stderr.split())
    assert run("codegen", "plan.json", "--check", cwd=shop).returncode == 2


def test_the_shop_is_sent_with_its_classes(shop: Path) -> None:
    """Five hundred rows as typed events are the events that dicts of them are."""
    module = executed((shop / "shop_events.py").read_text(encoding="utf-8"))
    kinds = {module[name]._event_type: module[name] for name in module["__all__"]}
    with capture() as captured:
        for row in rows()[:500]:
            kind = kinds[row["event"]]
            given = {key: properties_of(row)[name] for key, name in kind._names.items()}
            antinode.log_event(kind(**given, user_id=row["user_id"]))
        for row, event in zip(rows()[:500], captured.events, strict=True):
            assert event["event_type"] == row["event"]
            assert event["user_id"] == row["user_id"]
            assert event["event_properties"] == properties_of(row)
