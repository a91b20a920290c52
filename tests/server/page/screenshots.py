"""Makes the pictures of the page that the documents show.

python -m tests.server.page.screenshots docs/images
"""

import csv
import gzip
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import urllib3
from playwright.sync_api import Browser, Page, expect, sync_playwright

from antinode.plan import parse_plan
from antinode.server import Running, running
from tests import needs

Sent = dict[str, Any]

DATA = Path(__file__).parents[3] / "examples" / "data" / "ecom.csv.gz"
API_KEY = "0123456789abcdef0123456789abcdef"
EVENTS = 1_200
LIBRARIES = ("antinode/0.1.0", "amplitude-analytics-node/1.3.8", "amplitude-ts/2.11.0")
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 780}

# By the server's clock, so that the pictures are the same whenever they are made.
START_MS = 1_772_445_300_000
STEPS_MS = (2_000, 1_000, 4_000, 1_000, 3_000, 2_000, 9_000)

# What a developer gets wrong on the first day.
MISTAKES: tuple[Sent, ...] = (
    {"event_type": "checkout_completed", "revenue": "49.90"},
    {"event_type": "checkout_completed", "user_id": "1042", "price": 49.9},
    {"event_type": "add_to_cart", "user_id": "user_0007", "time": "2026-03-02T10:23:32Z"},
    {"event_type": "add_to_cart", "user_id": "user_0007", "userProperties": {"plan": "pro"}},
    {"event_type": "product_view", "user_id": "user_0011", "time": START_MS // 1000},
    {"event_type": "checkout_completed", "user_id": "user_0070", "revenue": "49.90", "price": 49.9},
)

PLANNED = ("home", "catalog", "search", "filter_results", "add_to_cart", "cart", "promo_page", "wishlist_add")
SESSION = {"session": {"type": "string"}, "channel": {"type": "string"}}
PLAN = {
    "version": 1,
    "name": "Shop",
    "events": {
        **{name: {"properties": SESSION, "required": ["session"]} for name in PLANNED},
        "product_view": {
            "description": "Somebody looks at a product.",
            "owners": ["catalogue"],
            "properties": {
                "session": {"type": "integer", "description": "As in the shop's database."},
                "channel": {"type": "string", "enum": ["email", "organic", "paid_search", "social"]},
                "sku": {"type": "string"},
            },
            "required": ["session", "sku"],
        },
        "purchase": {"properties": SESSION, "required": ["session"]},
        "payment_error": {"status": "retired"},
        "gift_wrapped": {"properties": SESSION},
    },
}


def clickstream() -> Iterator[Sent]:
    """The shop's events by time of day, so that users interleave; a few are identifies."""
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["timestamp"][11:])[-EVENTS:]
    for number, row in enumerate(rows):
        common = {
            "user_id": row["user_id"],
            "device_id": f"device-of-{row['user_id']}",
            "insert_id": f"shop-{number:05}",
            "platform": row["platform"],
        }
        if number % 9 == 0:
            properties = {"channel": row["acquisition_channel"], "lifecycle": row["user_lifecycle"]}
            yield {
                **common,
                "event_type": "$identify",
                "user_properties": {"$set": properties, "$add": {"visits": 1}},
            }
        else:
            yield {
                **common,
                "event_type": row["event"],
                "event_properties": {"session": row["session_id"], "channel": row["acquisition_channel"]},
                "groups": {"cohort": row["user_cohort"]},
            }


def fill(server: Running) -> None:
    """Send the shop's events over some minutes of the server's clock, with mistakes and accidents."""
    random = Random(7)
    steps = cycle(STEPS_MS)
    mistakes = iter(MISTAKES)
    accidents = {0.2: "503", 0.45: "500-after", 0.6: "drop-before", 0.7: "429:user=user_0070@next=1"}
    with urllib3.PoolManager(retries=False) as http:

        def post(events: list[Sent], number: int) -> None:
            now = server.api.advance_clock(next(steps)).now_ms
            library = LIBRARIES[number % len(LIBRARIES)]
            stamped = [{"time": now - 900, "library": library, **each} for each in events]
            path = "/batch" if number % 5 == 0 else "/2/httpapi"
            packed = gzip.compress(json.dumps({"api_key": API_KEY, "events": stamped}).encode())
            headers = {"Content-Type": "application/json", "User-Agent": library}
            if number % len(LIBRARIES) == 0:
                headers["Content-Encoding"] = "gzip"
            else:
                packed = gzip.decompress(packed)
            with suppress(urllib3.exceptions.HTTPError):
                http.request("POST", server.url + path, body=packed, headers=headers)

        events = list(clickstream())
        sent = number = 0
        while sent < len(events):
            for share in [each for each in accidents if sent >= each * len(events)]:
                server.api.add_faults(accidents.pop(share))
            batch = events[sent : sent + random.randint(3, 20)]
            post(batch, number)
            if number % 12 == 5:
                post(batch[:2], number)
            if sent > 0.94 * len(events) and (mistake := next(mistakes, None)):
                post([mistake], number)
            sent += len(batch)
            number += 1
    server.api.add_faults("500@10%", "delay:2s:path=/batch@20%")


def open_page(browser: Browser, server: Running, view: str, scheme: str, size: dict[str, int]) -> Page:
    """A view of the page in a window of its own."""
    page = browser.new_page(viewport=size, color_scheme=scheme, timezone_id="UTC", locale="en-GB")
    # The page leaves out the date of what came today.
    page.clock.set_system_time(server.api.clock().now_ms / 1000)
    page.goto(f"{server.url}/#/{view}")
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "open")
    return page


def make(folder: Path) -> None:
    """Write every picture into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = parse_plan(json.dumps(PLAN), is_json=True)
    with sync_playwright() as playwright, running(seed=1, plan=plan) as server:
        browser = playwright.chromium.launch(executable_path=needs.chromium(), args=["--no-sandbox"])
        server.api.set_clock(START_MS)
        fill(server)
        problem = server.api.events(problem="missing_id")[0].seq
        failed = next(each.id for each in server.api.uploads(failed=True) if each.status == 400)
        pictures = {
            "live-light": ("live", "older", DESK),
            "live-dark": ("live", "older", DESK),
            "event-light": (f"live?event={problem}", "event-problems", DESK),
            "users-light": ("users/user_0070", "user-timeline", DESK),
            "uploads-dark": (f"uploads?upload={failed}", "upload-answer", DESK),
            "schema-light": ("schema/product_view", "schema-title", DESK),
            "schema-dark": ("schema/product_view", "schema-title", DESK),
            "overview-light": ("overview", "chart-libraries", DESK),
            "overview-dark": ("overview", "chart-libraries", DESK),
            "faults-light": ("faults", "rules-form", DESK),
            "phone": ("live", "older", PHONE),
        }
        for name, (view, shows, size) in pictures.items():
            page = open_page(browser, server, view, "dark" if name.endswith("dark") else "light", size)
            expect(page.get_by_test_id(shows)).to_be_visible()
            expect(page.get_by_text("still to be read")).to_have_count(0)
            page.screenshot(path=folder / f"{name}.png", animations="disabled")
            page.close()
        browser.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
