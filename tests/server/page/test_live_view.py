"""Live, driven as a person would."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.server.conftest import API_KEY, event

NOBODY = {"event_type": "Song Skipped", "insert_id": "insert-nobody"}
SAMPLED = re.compile(r"Sampled: showing 200 of [\d,]+$")


@pytest.fixture
def live(visit):
    return visit("live")


def rows(page):
    return page.get_by_test_id("event-row")


def types(page):
    return page.get_by_test_id("event-row-type")


def test_before_the_first_event_the_page_says_how_to_point_an_sdk_at_the_server(live, server):
    """The address in the lines to copy is the server's own."""
    expect(live.get_by_test_id("snippets")).to_be_visible()
    expect(live.get_by_test_id("snippet-code")).to_contain_text(server.server_url)


def test_events_appear_as_they_arrive_newest_first(live, post):
    """Nobody reloads the page."""
    post(event(1, event_type="First"))
    expect(types(live)).to_have_text(["First"])
    post(event(2, event_type="Second"))
    expect(types(live)).to_have_text(["Second", "First"])


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("filter-type", "Song Played", ["Song Played"]),
        ("filter-user", "user-2", ["Song Liked"]),
        ("filter-text", "bossa nova", ["Song Liked"]),
        ("filter-library", "elsewhere/1.0", ["Song Shared"]),
    ],
)
def test_a_filter_leaves_the_events_that_match(live, post, field, value, shown):
    """Also of those that come later; without it all are there again."""
    sent = [
        event(1, event_type="Song Played", user_id="user-1"),
        event(2, event_type="Song Liked", user_id="user-2", event_properties={"genre": "bossa nova"}),
        event(3, event_type="Song Shared", user_id="user-3", library="elsewhere/1.0"),
    ]
    post(*sent)
    expect(rows(live)).to_have_count(3)
    live.get_by_test_id(field).fill(value)
    expect(types(live)).to_have_text(shown)
    post(*({**each, "insert_id": f"again-{each['insert_id']}"} for each in sent))
    expect(types(live)).to_have_text(shown * 2)
    live.get_by_test_id("filter-clear").click()
    expect(rows(live)).to_have_count(6)


def test_a_filter_that_nothing_matches_says_so_and_leads_to_the_look_up(live, post):
    """Who searches for a missing event is told what may have become of it."""
    post(event(1))
    live.get_by_test_id("filter-text").fill("insert-of-no-event")
    expect(live.get_by_test_id("no-matches")).to_be_visible()


def test_paused_the_list_stands_still_and_counts_what_waits(live, post):
    """Resumed, it shows what came meanwhile."""
    post(event(1, event_type="Before"))
    expect(types(live)).to_have_text(["Before"])
    live.get_by_test_id("pause").click()
    post(event(2, event_type="Meanwhile"), event(3, event_type="Meanwhile"))
    expect(live.get_by_test_id("waiting")).to_have_text("2 waiting")
    expect(types(live)).to_have_text(["Before"])
    live.get_by_test_id("pause").click()
    expect(types(live)).to_have_text(["Meanwhile", "Meanwhile", "Before"])


def test_what_came_but_was_not_drawn_when_it_was_paused_is_counted(live, post):
    """Between an event's arrival and the list's next drawing, nothing is lost from sight."""
    post(event(1, event_type="Before"))
    expect(types(live)).to_have_text(["Before"])
    live.evaluate(
        """async ([path, body]) => {
            const { live } = await import("/assets/live.js");
            const wanted = live.arrived + 1;
            await fetch(path, { method: "POST", body, headers: { "Content-Type": "application/json" } });
            while (live.arrived < wanted) await new Promise((resolve) => setTimeout(resolve));
            document.querySelector("[data-pause]").click();
        }""",
        ["/2/httpapi", json.dumps({"api_key": API_KEY, "events": [event(2, event_type="Meanwhile")]})],
    )
    expect(live.get_by_test_id("waiting")).to_have_text("1 waiting")
    expect(types(live)).to_have_text(["Before"])


def test_a_click_opens_an_event_whole(live, post):
    """With its JSON, its request and what became of it."""
    post(event(1, event_properties={"genre": "bossa nova"}))
    rows(live).click()
    detail = live.get_by_test_id("event-detail")
    expect(detail).to_contain_text("Song Played")
    expect(detail.get_by_test_id("event-json")).to_contain_text("bossa nova")
    expect(detail.get_by_test_id("event-request")).to_contain_text("POST /2/httpapi")
    expect(detail.get_by_test_id("event-summary")).not_to_be_empty()
    live.get_by_test_id("close-event").click()
    expect(detail).to_have_count(0)


def test_events_are_walked_opened_and_closed_by_key(live, post):
    """`j` goes down, Enter opens, Escape closes and goes back to the line."""
    post(event(1, event_type="First"), event(2, event_type="Second"))
    expect(rows(live)).to_have_count(2)
    live.keyboard.press("j")
    live.keyboard.press("j")
    opened = rows(live).filter(has_text="First")
    expect(opened).to_be_focused()
    live.keyboard.press("Enter")
    detail = live.get_by_test_id("event-detail")
    expect(detail.get_by_role("heading", level=2)).to_have_text("First")
    expect(detail.get_by_role("heading", level=2)).to_be_focused()
    live.keyboard.press("Escape")
    expect(detail).to_have_count(0)
    expect(opened).to_be_focused()


def test_digits_go_between_the_views_and_the_slash_to_the_search(live):
    """Escape leaves the field again, and a question mark lists the keys."""
    live.keyboard.press("2")
    expect(live.get_by_test_id("view-users")).to_be_visible()
    live.keyboard.press("1")
    expect(live.get_by_test_id("view-live")).to_be_visible()
    live.keyboard.press("/")
    expect(live.get_by_test_id("filter-text")).to_be_focused()
    live.keyboard.press("Escape")
    expect(live.get_by_test_id("filter-text")).not_to_be_focused()
    live.keyboard.press("?")
    expect(live.get_by_test_id("keys-dialog")).to_be_visible()
    live.keyboard.press("Escape")
    expect(live.get_by_test_id("keys-dialog")).to_have_count(0)


def test_problems_are_counted_by_kind_and_a_count_is_a_filter(live, post, server):
    """Pressed once it shows the events that have it, pressed again all."""
    post(event(1))
    post(NOBODY)
    expect(rows(live)).to_have_count(2)
    (problem,) = server.api.events(event_type="Song Skipped")[0].problems
    count = live.get_by_test_id("problem-count").and_(live.locator(f'[data-code="{problem.code}"]'))
    expect(count).to_have_text(f"{problem.code} 1")
    count.click()
    expect(types(live)).to_have_text(["Song Skipped"])
    count.click()
    expect(rows(live)).to_have_count(2)


def test_an_event_with_a_problem_says_what_to_change(live, post, server):
    """In the words of the API, on the event itself."""
    post(NOBODY)
    (problem,) = server.api.events()[0].problems
    expect(live.get_by_test_id("event-row-problem")).to_have_text(problem.code)
    rows(live).click()
    expect(live.get_by_test_id("event-problems")).to_contain_text(problem.field)
    expect(live.get_by_test_id("event-problems")).to_contain_text(problem.message.replace("`", ""))


def test_a_reset_empties_the_list(live, post):
    """After a question, and also on a page that did not ask for it."""
    post(event(1))
    expect(rows(live)).to_have_count(1)
    live.get_by_test_id("reset").click()
    live.get_by_test_id("reset-confirm").click()
    expect(rows(live)).to_have_count(0)
    expect(live.get_by_test_id("snippets")).to_be_visible()


def test_under_load_the_page_samples_says_so_and_still_answers(live, post, server):
    """Tens of thousands of events go by while somebody opens one and filters."""
    extent = live.get_by_test_id("extent")
    said = ""
    sent = 0
    has_opened = False
    # It says so only while they come: once they end, the newest are all there again. A browser that gets
    # hardly any processor time takes long to fill its list.
    while sent < 20_000 or (not has_opened and sent < 4_000_000):
        post(*(event(sent + each) for each in range(2000)), path="/batch")
        sent += 2000
        said = said if SAMPLED.match(said) else extent.inner_text()
        # Not before: the list stands still while somebody reads an event.
        if SAMPLED.match(said) and not has_opened:
            rows(live).first.click()
            expect(live.get_by_test_id("event-json")).to_be_visible()
            has_opened = True
    assert has_opened, said
    assert rows(live).count() == 200
    post(event(sent, event_type="Needle"))
    live.get_by_test_id("filter-type").fill("Needle")
    expect(types(live)).to_have_text(["Needle"])
    expect(extent).to_have_text("1 event")
    assert server.api.stats().totals.events == sent + 1
