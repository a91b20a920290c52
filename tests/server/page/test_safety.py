"""Nothing that a client sends is ever executed, and every view holds on every screen."""

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.server.conftest import API_KEY, event

VIEWS = ("live", "users", "groups", "uploads", "schema", "overview", "faults")

# Each sets `executed` if any part of it ever runs.
MARKUP = (
    "<img src=x onerror=\"window.executed='image'\">",
    "</script><script>window.executed='script'</script>",
    "javascript:window.executed='url'",
    "\"'><svg onload=window.executed='svg'>",
    "{{7*7}} ${window.executed='template'}",
)

ADDRESSES = (
    "event/{}",
    "users/{}",
    "groups/{0}/{0}",
    "{}",
    "live?event_type={0}&upload_id={0}&event={0}",
    "uploads?upload={}",
)

IS_WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


def hostile(number, markup):
    """An event with the markup wherever a client may write what it likes."""
    return event(
        number,
        event_type=markup,
        user_id=markup,
        device_id=markup,
        insert_id=markup,
        library=markup,
        groups={markup: markup},
        event_properties={markup: markup, "nested": [{markup: [markup]}]},
        user_properties={markup: markup, "__proto__": markup, "link": markup},
    )


@pytest.fixture
def filled(post, http, server):
    """The server has got markup in each place, and problems and failures with it."""
    for number, markup in enumerate(MARKUP):
        post(hostile(number, markup))
        group = {"group_type": markup, "group_value": markup, "group_properties": {markup: markup}}
        fields = {"api_key": API_KEY, "identification": json.dumps([group])}
        http.request("POST", f"{server.url}/groupidentify", fields=fields, encode_multipart=False)
        post(event(100 + number, event_type=markup, user_id=None, device_id=None, platform=[markup]))
        http.request("POST", f"{server.url}/batch", body=f"{{{markup}", headers={"User-Agent": markup})
    assert {each.event_type for each in server.api.events(outcome="accepted")} >= set(MARKUP)


def go(page, address):
    """As when the address in the browser is changed by hand."""
    page.evaluate("hash => { location.hash = hash }", f"#/{address}")
    expect(page.locator("main")).to_be_visible()
    check(page)


def check(page):
    """Nothing ran, and no element was made of what a client sent."""
    assert page.evaluate("window.executed") is None
    assert page.locator("img[src=x], svg[onload], main script, a[href^='javascript' i]").count() == 0


@pytest.mark.usefixtures("filled")
def test_markup_is_shown_as_text_in_every_view(visit):
    """In lists, details, properties, charts and their legends, and in what filters and links say."""
    page = visit("live")
    for markup in MARKUP:
        line = page.get_by_test_id("event-row").filter(has=page.get_by_text(markup, exact=True)).last
        line.click()
        expect(page.get_by_test_id("event-detail").get_by_role("heading", level=2)).to_have_text(markup)
        expect(page.get_by_test_id("event-json")).to_contain_text(json.dumps(markup)[1:-1])
        check(page)
        page.keyboard.press("Escape")
    page.get_by_test_id("filter-text").fill(MARKUP[0])
    expect(page.get_by_test_id("filter-text")).to_have_value(MARKUP[0])
    check(page)

    for view in ("user", "group"):
        page.get_by_test_id(f"nav-{view}s").click()
        for markup in MARKUP:
            page.get_by_test_id(f"{view}-row").filter(has_text=markup).first.click()
            expect(page.get_by_test_id(f"{view}-title")).to_contain_text(markup)
            expect(page.get_by_test_id(f"{view}-properties")).to_contain_text(markup)
            check(page)

    page.get_by_test_id("nav-uploads").click()
    page.get_by_test_id("uploads-failed").click()
    failed = page.get_by_test_id("upload-row")
    expect(failed).to_have_count(2 * len(MARKUP))
    for each in range(len(MARKUP)):
        failed.nth(each).click()
        expect(page.get_by_test_id("upload-detail")).to_be_visible()
        check(page)

    page.get_by_test_id("nav-overview").click()
    for markup in MARKUP:
        expect(page.get_by_test_id("chart-types")).to_contain_text(markup)
    check(page)


@pytest.mark.usefixtures("filled")
def test_markup_in_an_address_is_text_too(visit):
    """A link to the page from elsewhere can say what it likes."""
    page = visit("live")
    for path in ADDRESSES:
        for markup in MARKUP:
            go(page, path.format(markup))
            go(page, path.format(quote(markup, safe="")))


INHERITED = ("__proto__", "constructor", "toString", "hasOwnProperty", "valueOf")


@pytest.mark.parametrize("name", INHERITED)
def test_a_name_that_every_object_inherits_is_no_view(visit, name):
    """An address of it is told to lead nowhere, as any other that does."""
    page = visit("live")
    for address in (name, f"{name}/{name}", f"{name}?{name}={name}"):
        go(page, address)
        expect(page.get_by_role("heading", name="There is no view of this name.")).to_be_visible()
    go(page, f"overview?span={name}")
    expect(page.get_by_test_id("view-overview")).to_be_visible()


def test_names_that_every_object_inherits_are_shown_as_any_other(visit, post, server):
    """As types of events, ids, groups and properties, in lists, details and charts."""
    for number, name in enumerate(INHERITED):
        texts = dict.fromkeys(("event_type", "user_id", "library", "insert_id"), name)
        properties = {name: name}
        post(
            event(
                number, **texts, groups={name: name}, event_properties=properties, user_properties=properties
            )
        )
    page = visit("live")
    for name in INHERITED:
        page.get_by_test_id("event-row").filter(has=page.get_by_text(name, exact=True)).first.click()
        expect(page.get_by_test_id("event-detail").get_by_role("heading", level=2)).to_have_text(name)
        expect(page.get_by_test_id("event-detail").locator(".outcome").first).to_have_text("✓accepted")
        page.keyboard.press("Escape")
    for name in INHERITED:
        go(page, f"users/{name}")
        expect(page.get_by_test_id("user-title")).to_contain_text(name)
        expect(page.get_by_test_id("user-properties")).to_contain_text(name)
    go(page, "overview")
    for name in INHERITED:
        expect(page.get_by_test_id("chart-types")).to_contain_text(name)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_scrolls_sideways_on_a_phone(visit, scheme, server):
    """Nor does an open event, with ids and types as long as they may be."""
    seq = server.api.events(outcome="accepted")[0].seq
    page = visit("live", viewport={"width": 360, "height": 780}, color_scheme=scheme)
    for view in (*VIEWS, f"live?event={seq}", "users/%3Cimg"):
        go(page, view)
        name = view.split("?")[0].split("/")[0]
        expect(page.get_by_test_id(f"view-{name}")).to_have_count(1)
        if "event=" in view:
            expect(page.get_by_test_id("event-json")).to_be_visible()
        assert not page.evaluate(IS_WIDE), view


BRIGHTNESS = """() => getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).slice(0, 3)
    .reduce((sum, part) => sum + Number(part), 0)"""


def test_the_page_is_light_or_dark_as_the_system_is(visit):
    """Without a choice of the reader's, also when the system changes its mind."""
    page = visit("overview", color_scheme="light")
    light = page.evaluate(BRIGHTNESS)
    page.emulate_media(color_scheme="dark")
    assert light > 600
    assert page.evaluate(BRIGHTNESS) < 150
