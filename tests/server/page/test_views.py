"""Users, Groups, Uploads, Schema, Overview and Faults, driven as a person would."""

import re

import urllib3
from playwright.sync_api import expect

from tests.server.conftest import API_KEY, event

CUT_OFF = '{"events": [{"event_type": "Song'


def identify(number, user_id, **user_properties):
    return event(number, event_type="$identify", user_id=user_id, user_properties={"$set": user_properties})


def row(page, name):
    return page.get_by_test_id("property-row").filter(
        has=page.get_by_role("rowheader", name=name, exact=True)
    )


def test_a_user_is_found_by_a_part_of_its_id_or_by_its_device(visit, post):
    """The list follows the typing."""
    post(event(1, user_id="user-ada", device_id="phone-of-ada"), event(2, user_id="user-bob"))
    page = visit("users")
    users = page.get_by_test_id("user-row")
    expect(users).to_have_count(2)
    page.get_by_test_id("user-search").fill("ada")
    expect(users).to_have_count(1)
    expect(users).to_contain_text("user-ada")
    page.get_by_test_id("user-search").fill("phone-of")
    expect(users).to_contain_text("user-ada")
    page.get_by_test_id("user-search").fill("nobody")
    expect(users).to_have_count(0)


def test_a_user_has_its_properties_what_set_each_and_its_timeline(visit, post):
    """A property set again is by the later identify; the link opens that event."""
    post(identify(1, "user-ada", plan="free", city="London"))
    post(event(2, user_id="user-ada"))
    post(identify(3, "user-ada", plan="pro"))
    page = visit("users")
    page.get_by_test_id("user-row").click()
    expect(page.get_by_test_id("user-title")).to_have_text("user-ada")
    expect(row(page, "plan")).to_contain_text("pro")
    expect(row(page, "city")).to_contain_text("London")
    timeline = page.get_by_test_id("user-timeline").get_by_test_id("event-row-type")
    expect(timeline).to_have_text(["$identify", "Song Played", "$identify"])
    row(page, "city").get_by_test_id("set-by").click()
    expect(page.get_by_test_id("event-json")).to_contain_text("London")
    page.keyboard.press("Escape")
    row(page, "plan").get_by_test_id("set-by").click()
    expect(page.get_by_test_id("event-json")).to_contain_text("pro")


def test_a_group_has_its_properties_and_the_events_that_name_it(visit, post):
    """As the last group identify left them."""
    post(
        event(
            1, event_type="$groupidentify", groups={"org": "Acme"}, group_properties={"$set": {"seats": 7}}
        ),
        event(2, event_type="Song Shared", groups={"org": "Acme"}),
        event(3, event_type="Song Played"),
    )
    page = visit("groups")
    page.get_by_test_id("group-row").click()
    expect(page.get_by_test_id("group-title")).to_have_text("org: Acme")
    expect(row(page, "seats")).to_contain_text("7")
    expect(page.get_by_test_id("group-timeline")).to_contain_text("Song Shared")
    expect(page.get_by_test_id("group-timeline")).not_to_contain_text("Song Played")


def test_a_failed_upload_opens_on_the_body_that_was_answered(visit, post, http, server):
    """The answer as JSON, and the beginning of what was sent."""
    post(event(1))
    answered = http.request("POST", f"{server.url}/2/httpapi", body=CUT_OFF)
    page = visit("uploads")
    uploads = page.get_by_test_id("upload-row")
    expect(uploads).to_have_count(2)
    page.get_by_test_id("uploads-failed").click()
    expect(uploads).to_have_count(1)
    expect(uploads).to_have_attribute("data-status", "400")
    uploads.click()
    expect(page.get_by_test_id("upload-answer")).to_contain_text(answered.json()["error"])
    expect(page.get_by_test_id("upload-body")).to_have_text(CUT_OFF)
    uploads.click()
    expect(page.get_by_test_id("upload-detail")).to_have_count(0)
    page.get_by_test_id("uploads-good").click()
    expect(uploads).to_have_attribute("data-status", "200")


def test_an_upload_leads_to_its_events(visit, post):
    """Live then shows those alone."""
    post(event(1, event_type="First"))
    post(event(2, event_type="Second"))
    page = visit("uploads")
    page.get_by_test_id("upload-row").last.click()
    page.get_by_test_id("upload-events").click()
    expect(page.get_by_test_id("event-row-type")).to_have_text(["First"])


def test_the_overview_counts_and_draws(visit, post):
    """What comes while it is open is counted too."""
    page = visit("overview")
    expect(page.get_by_test_id("tile-events")).to_contain_text("0")
    post(event(1), event(2), event(3, user_id="user-2", event_type="Song Liked"))
    post(event(1))
    post(event(4, user_id=None, device_id=None))
    figures = {"events": "3", "duplicates": "1", "users": "2", "uploads": "3", "rejected": "20%"}
    for name, figure in figures.items():
        expect(page.get_by_test_id(f"tile-{name}").locator(".tile-value")).to_have_text(figure)
    for name in ("events", "uploads"):
        chart = page.get_by_test_id(f"chart-{name}")
        expect(chart.locator("canvas")).to_be_visible()
        expect(chart.locator(".plot")).to_have_attribute("aria-label", re.compile(r"accepted 3|failed 1"))
        assert chart.locator("canvas").evaluate(IS_DRAWN)
    expect(page.get_by_test_id("chart-types").get_by_role("listitem")).to_have_text(
        [re.compile("Song Played"), re.compile("Song Liked")]
    )
    page.get_by_test_id("chart-types").get_by_role("link", name="Song Liked").click()
    expect(page.get_by_test_id("event-row-type")).to_have_text(["Song Liked"])


IS_DRAWN = """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    .some(value => value !== 0)"""


def test_a_fault_is_added_hits_the_next_upload_and_is_over(visit, post):
    """By the form; what the form did not ask for is as ever."""
    page = visit("faults")
    expect(page.get_by_test_id("no-faults")).to_be_visible()
    page.locator('[data-kind="answer"]').get_by_test_id("fault-status").select_option("503")
    page.get_by_test_id("fault-add-answer").click()
    expect(page.get_by_test_id("fault-active")).to_contain_text("answer 503")
    assert post(event(1)).status == 503
    assert post(event(2)).status == 200
    expect(page.get_by_test_id("fault-over")).to_contain_text("1 hit")


def test_a_fault_is_taken_back(visit, post):
    """By its button, before it hit anything."""
    page = visit("faults")
    page.get_by_test_id("fault-spelling").fill("500@100%")
    page.get_by_test_id("fault-add-spelled").click()
    expect(page.get_by_test_id("fault-active")).to_be_visible()
    page.get_by_test_id("fault-remove").click()
    expect(page.get_by_test_id("no-faults")).to_be_visible()
    assert post(event(1)).status == 200


def test_a_fault_that_cannot_be_read_is_refused_in_words(visit, server):
    """And none is added."""
    page = visit("faults")
    page.get_by_test_id("fault-spelling").fill("499@sometimes")
    page.get_by_test_id("fault-add-spelled").click()
    expect(page.get_by_test_id("failure")).to_contain_text("499")
    assert server.api.faults() == []


def test_an_event_is_looked_up_by_its_insert_id(visit, post):
    """One that came twice was stored once; one that never came is said to be unknown."""
    post(event(1))
    post(event(1))
    page = visit("event/insert-1")
    expect(page.get_by_test_id("event-view")).to_contain_text("Came 2 times")
    unknown = visit("event/insert-of-no-event")
    expect(unknown.get_by_test_id("event-view")).to_contain_text("No event with this insert_id has come.")


def test_the_reader_changes_the_theme_and_it_stays(visit):
    """System, light, dark; also after the page is loaded again."""
    page = visit("live")
    for choice in ("light", "dark"):
        page.get_by_test_id("theme").click()
        expect(page.get_by_test_id("theme")).to_have_attribute("data-theme-choice", choice)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_page_finds_a_server_that_was_reset_by_a_script(visit, post, server):
    """The list on show is of what the server holds now."""
    post(event(1, event_type="Before"))
    page = visit("live")
    expect(page.get_by_test_id("event-row-type")).to_have_text(["Before"])
    server.api.reset()
    post(event(1, event_type="After"))
    expect(page.get_by_test_id("event-row-type")).to_have_text(["After"])


def test_long_numbers_keep_their_digits_in_every_view(visit, post):
    """JavaScript would round them: in lists, in properties of users and groups, and in the event itself."""
    long, longer = 9007199254740993, 123456789012345678901234
    post(event(1, user_id=longer, event_properties={"tx": long, "cart": [{"id": longer}]}))
    post(identify(2, longer, wallet=long))
    describe = {"groups": {"org": "Acme"}, "group_properties": {"$set": {"ledger": longer}}}
    post(event(3, event_type="$groupidentify", **describe))
    page = visit("users")
    page.get_by_test_id("user-row").filter(has_text=str(longer)).click()
    expect(page.get_by_test_id("user-title")).to_have_text(str(longer))
    expect(row(page, "wallet")).to_contain_text(str(long))
    timeline = page.get_by_test_id("user-timeline")
    expect(timeline).to_contain_text(f'"tx":{long},"cart":[{{"id":{longer}}}]')
    row(page, "wallet").get_by_test_id("set-by").click()
    expect(page.get_by_test_id("event-json")).to_contain_text(str(long))
    page = visit("groups")
    page.get_by_test_id("group-row").click()
    expect(row(page, "ledger")).to_contain_text(str(longer))


def test_a_deleted_user_leaves_the_page(visit, post, server, http):
    """Without a reload: out of the users, and out of the events."""
    post(event(1, user_id="user-ada"), event(2, user_id="user-bob"))
    users, live = visit("users"), visit("live")
    expect(users.get_by_test_id("user-row")).to_have_count(2)
    expect(live.get_by_text("user-ada").first).to_be_visible()
    answer = http.request(
        "POST",
        f"{server.url}/api/2/deletions/users",
        json={"user_ids": ["user-ada"]},
        headers=urllib3.make_headers(basic_auth=f"{API_KEY}:any"),
    )
    assert answer.status == 200
    expect(users.get_by_test_id("user-row")).to_have_count(1)
    expect(users.get_by_test_id("user-row")).to_contain_text("user-bob")
    expect(live.get_by_text("user-ada")).to_have_count(0)
    expect(live.get_by_text("user-bob").first).to_be_visible()
