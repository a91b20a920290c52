"""Schema, driven as a person would: what came, by itself and beside a plan."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from antinode.plan import parse_plan, read_plan
from tests.server.conftest import event

PLAN = parse_plan("""
version: 1
name: Shop
events:
  Order Placed:
    description: A customer has paid.
    owners: [checkout]
    properties:
      total: {type: number, description: With tax.}
      currency: {type: string, enum: [EUR, USD]}
      order_id: {type: string}
      coupon: {type: string}
    required: [order_id]
  Cart Opened: {}
  Wishlist Opened: {}
  Order Sent: {status: retired}
user_properties:
  plan: {type: string}
""")


def row(page, name):
    return page.get_by_test_id("schema-property").filter(has=page.get_by_role("rowheader", name=name))


def entry(page, name):
    return page.get_by_test_id("schema-row").filter(has_text=name)


def test_the_schema_shows_types_and_properties_as_they_were_seen(visit, post):
    """Types, how often each is filled, examples; the list is searched by properties too."""
    post(event(1, event_type="Order Placed", event_properties={"total": 12, "currency": "EUR"}))
    post(event(2, event_type="Order Placed", event_properties={"total": 12.5}), event(3, event_type="Opened"))
    page = visit("schema")
    types = page.get_by_test_id("schema-row")
    expect(types).to_have_count(2)
    page.get_by_test_id("schema-search").fill("CURR")
    expect(types).to_have_count(1)
    types.first.click()
    expect(page.get_by_test_id("schema-title")).to_have_text("Order Placed")
    total, currency = (
        page.get_by_test_id("schema-property").filter(
            has=page.get_by_role("rowheader", name=name, exact=True)
        )
        for name in ("total", "currency")
    )
    expect(total).to_contain_text("integer 50")
    expect(total).to_contain_text("number 50")
    expect(total).to_contain_text("100")
    expect(currency).to_contain_text('"EUR"')
    expect(currency).to_contain_text("50")
    post(event(4, event_type="Order Placed", event_properties={"currency": "USD"}))
    expect(currency).to_contain_text('"USD"')
    page.get_by_test_id("schema-events").click()
    expect(page.get_by_test_id("view-live")).to_be_visible()


def test_the_schema_has_no_type_that_did_not_come(visit, post):
    page = visit("schema/Order%20Placed")
    expect(page.get_by_text("No such event type came.")).to_be_visible()
    expect(page.get_by_text("No events yet.")).to_be_visible()
    post(event(1, event_type="Order Placed"))
    expect(page.get_by_text("No event of this type has properties.")).to_be_visible()


def shop(post):
    post(
        event(1, event_type="Order Placed", event_properties={"order_id": "1", "total": "12.50"}),
        event(2, event_type="Order Placed", event_properties={"order_id": "2", "currency": "GBP"}),
        event(3, event_type="Order Placed", event_properties={"totl": 7, "currency": "EUR"}),
        event(4, event_type="Order Placd", event_properties={"order_id": "4"}),
        event(5, event_type="Order Sent"),
        event(6, event_type="Cart Opened"),
        event(7, event_type="$identify", user_properties={"$set": {"plna": "pro"}}),
    )


@pytest.mark.parametrize("server", [PLAN], indirect=True)
def test_beside_a_plan_what_deviates_is_marked(visit, post):
    """Each event type and property: new, missing, mistyped, invalid, incomplete, retired; in words, too."""
    shop(post)
    page = visit("schema")
    marks = {
        "Order Placed": "deviating",
        "Order Placd": "new",
        "Order Sent": "retired",
        "Wishlist Opened": "missing",
    }
    for name, mark in marks.items():
        expect(entry(page, name).get_by_test_id("mark")).to_have_text(mark)
    for name in ("Cart Opened", "$identify"):
        expect(entry(page, name)).to_be_visible()
        expect(entry(page, name).get_by_test_id("mark")).to_have_count(0)
    entry(page, "Order Placed").click()
    expect(page.get_by_text("A customer has paid.")).to_be_visible()
    marks = {
        "total": "mistyped",
        "currency": "invalid",
        "order_id": "incomplete",
        "coupon": "missing",
        "totl": "new",
    }
    for name, mark in marks.items():
        expect(row(page, name).get_by_test_id("mark")).to_have_text(mark)
    expect(row(page, "total mistyped")).to_contain_text("string")
    expect(row(page, "total mistyped").get_by_test_id("planned-types")).to_have_text("planned: number")
    expect(row(page, "totl").get_by_test_id("deviation")).to_contain_text("did you mean total?")
    expect(row(page, "currency").get_by_test_id("deviation")).to_contain_text("must be one of 'EUR', 'USD'")
    row(page, "currency").get_by_role("link", name="event 2").click()
    expect(page.get_by_test_id("view-live")).to_be_visible()


@pytest.mark.parametrize("server", [PLAN], indirect=True)
def test_the_filter_shows_what_deviates_alone(visit, post):
    """Event types, properties of users and properties of an event; the count beside it is that of them."""
    shop(post)
    page = visit("schema")
    expect(page.get_by_test_id("schema-row")).to_have_count(7)
    expect(page.get_by_test_id("schema-plan")).to_contain_text("Not as planned (6)")
    page.get_by_test_id("schema-deviating").check()
    expect(page.get_by_test_id("schema-row")).to_have_count(5)
    entry(page, "User properties").click()
    expect(row(page, "plna").get_by_test_id("mark")).to_have_text("new")
    expect(row(page, "plan missing")).to_contain_text("never")
    page.get_by_test_id("schema-deviating").uncheck()
    expect(page.get_by_test_id("schema-row")).to_have_count(7)


def test_a_long_reading_goes_on_by_itself(visit, post):
    """Of events that one reading does not come to the end of, all are shown soon, though no more arrive."""
    for start in range(0, 2_000, 1_000):
        post(
            *(event(n, event_properties={f"p{k}": k for k in range(20)}) for n in range(start, start + 1_000))
        )
    page = visit("schema")
    expect(page.get_by_test_id("schema-row")).to_contain_text("2,000")
    expect(page.get_by_text("still to be read")).to_have_count(0)


@pytest.mark.parametrize("server", [PLAN, None], indirect=True)
def test_what_came_is_downloaded_as_a_plan(visit, post, server, tmp_path):
    """Merged with the plan that there is; without one, what came alone. The API gives the same."""
    shop(post)
    page = visit("schema")
    with page.expect_download() as download:
        page.get_by_test_id("plan-yaml").click()
    assert download.value.suggested_filename == "tracking-plan.yaml"
    file = Path(tmp_path / "tracking-plan.yaml")
    download.value.save_as(file)
    assert file.read_text(encoding="utf-8") == server.api.tracking_plan()
    plan = read_plan(file)
    has_plan = page.get_by_test_id("schema-deviating").count() == 1
    assert ("Wishlist Opened" in plan.events) == has_plan
    assert plan.events["Order Placd"].schema.required == ("order_id",)
    assert plan.events["Order Placed"].schema.properties["total"].types == (
        ("number", "string") if has_plan else ("string",)
    )


@pytest.mark.parametrize("server", ["plan.json"], indirect=True)
def test_a_plan_that_changes_is_shown(visit, post, tmp_path):
    """What came is held to the new one, and one that cannot be read is told with what is wrong."""
    post(event(1, event_type="Order Placed"))
    page = visit("schema")
    mark = entry(page, "Order Placed").get_by_test_id("mark")
    expect(mark).to_have_text("new")
    (tmp_path / "plan.json").write_text('{"version": 1, "events": {"Order Placed": {}}}', encoding="utf-8")
    expect(mark).to_have_count(0)
    error = page.get_by_test_id("schema-plan-error")
    expect(error).to_have_count(0)
    (tmp_path / "plan.json").write_text('{"version": 1, "evnts": {}}', encoding="utf-8")
    expect(error).to_contain_text("plan.json: evnts: is no key of a plan: write `events`")
    expect(mark).to_have_count(0)
