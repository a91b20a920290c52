"""A plan's file: what it may say, and what is told of what it may not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings

from antinode.plan import PlanError, TrackingPlan, parse_plan, read_plan
from antinode.plan._writing import file_schema, to_document, to_json, to_yaml
from tests.examples import examples
from tests.plan.strategies import SCHEMAS

GUIDE = (Path(__file__).parents[2] / "docs" / "tracking-plan.md").read_text(encoding="utf-8")
SHOP = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[0]


def problems(text: str, **how: Any) -> str:
    with pytest.raises(PlanError) as caught:
        parse_plan(text, name="plan.yaml", **how)
    return str(caught.value)


def test_the_guide_s_plan_is_one() -> None:
    """The plan that docs/tracking-plan.md shows is read, and accepted by the schema for editors."""
    plan = parse_plan(SHOP)
    assert plan.events["Order Placed"].owners == ("checkout",)
    assert plan.events["Order Sent"].is_retired
    jsonschema_rs.validate(json.loads(file_schema()), to_document(plan))


def test_problems_name_line_path_and_what_to_write() -> None:
    """All of them at once."""
    text = SHOP.replace("type: number", "type: float").replace("owners", "ownrs")
    text = text.replace("required: [order_id,", "required: [order_ide,").replace("retired", "gone")
    told = problems(text).splitlines()
    assert [each.partition(": ")[0] for each in told] == [
        "plan.yaml:7",
        "plan.yaml:10",
        "plan.yaml:19",
        "plan.yaml:21",
    ]
    assert 'events."Order Placed".ownrs: is no key of an event: write `owners`' in told[0]
    assert "total.type: 'float' is no type of JSON: write `number`" in told[1]
    assert "there is no property 'order_ide': write `order_id`" in told[2]
    assert "'gone' is no status: write `active` or `retired`" in told[3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a plan is a mapping, not null: begin with `version: 1`"),
        ("version: 2", "version: it must be 1, not 2"),
        ("version: 1\nversion: 1", "plan.yaml: line 2: `version` is there twice"),
        ("version: [", "this is no YAML"),
        ("version: !!python/object/apply:os.system [id]", "the tag"),
        ("version: 1\nevents: {A: {properties: {b: {anyOf: []}}}}", "it takes type, enum"),
        ("version: 1\nevents: {A: {properties: {b: {pattern: '('}}}}", "is no regular expression"),
        (
            "version: 1\nevents: {A: {properties: {b: {minimum: .inf}}}}",
            "it is a number, not '.inf'",
        ),
        ("version: 1\nevents: {A: {properties: {b: {minLength: 0.5}}}}", "it is a whole number from 0 on"),
        ("version: 1\nevents: {' ': {}}", "must not be blank"),
        ("version: 1\nevents: [A]", "plan.yaml:2: events: it is a mapping of names, not an array of 1"),
        ("version: 1\nname: &a [*a]", "an alias stands within its own anchor"),
        ("{" * 1200, "nested too deeply"),
        ("version: 1\n? [a]\n: 1", "a key must be text"),
    ],
)
def test_what_is_no_plan(text: str, told: str) -> None:
    """It is told in words, and nothing in it is run."""
    assert told in problems(text)


def test_aliases_are_bounded() -> None:
    """A file of a few hundred bytes that unfolds to a thousand million values is refused."""
    layers = "\n".join(f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))
    assert "unfold to more" in problems(f"version: 1\nx-0: &a0 [1]\n{layers}")


def test_aliases_and_merges_share_properties() -> None:
    """Properties that several events have are written once."""
    plan = parse_plan(
        "version: 1\nx-shared: &shared {tenant: {type: string}}\n"
        "events:\n  A: {properties: *shared}\n  B: {properties: {<<: *shared, total: {type: number}}}\n"
    )
    assert list(plan.events["A"].schema.properties) == ["tenant"]
    assert set(plan.events["B"].schema.properties) == {"tenant", "total"}


def test_texts_stay_texts() -> None:
    """As in YAML 1.2: Norway's code is no boolean, a day no date, and a time no number."""
    plan = parse_plan(
        "version: 1\nevents: {A: {properties: {b: {enum: [no, on, 2024-01-01, 12:30, 1_000]}}}}"
    )
    assert plan.events["A"].schema.properties["b"].enum == ("no", "on", "2024-01-01", "12:30", "1_000")


@pytest.mark.parametrize("text", ['{"version": 1, "version": 1}', '{"version": NaN}', "[" * 100_000, "{"])
def test_json_that_is_no_plan(text: str) -> None:
    """JSON is refused by the same rules."""
    assert problems(text, is_json=True)


def test_files(tmp_path: Path) -> None:
    """A file is YAML unless it is called .json; what is no text, or too large, is refused."""
    plan = parse_plan(SHOP)
    (tmp_path / "plan.json").write_text(to_json(plan), encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(SHOP, encoding="utf-8")
    assert read_plan(tmp_path / "plan.json") == read_plan(tmp_path / "plan.yaml") == plan
    (tmp_path / "plan.yaml").write_bytes(b"\xff")
    with pytest.raises(PlanError, match="not UTF-8"):
        read_plan(tmp_path / "plan.yaml")
    (tmp_path / "plan.yaml").write_bytes(b" " * (16 * 1024 * 1024 + 1))
    with pytest.raises(PlanError, match="at most 16 MB"):
        read_plan(tmp_path / "plan.yaml")


@settings(max_examples=examples(20))
@given(SCHEMAS)
def test_what_is_written_is_read(keywords: dict[str, Any]) -> None:
    """A plan comes back from its file, YAML or JSON, and editors accept the file."""
    document = {"version": 1, "events": {"A": {"properties": {"b": keywords}}}}
    plan: TrackingPlan = parse_plan(json.dumps(document), is_json=True)
    assert parse_plan(to_yaml(plan)) == parse_plan(to_json(plan), is_json=True) == plan
    jsonschema_rs.validate(json.loads(file_schema()), document)
