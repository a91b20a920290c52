"""Chromium, and a page in it that shows the test's own server."""

import pytest
from playwright.sync_api import expect, sync_playwright

from tests import needs

ANSWERED = "Failed to load resource: the server responded with a status of 4"


# Of the package and no longer: Playwright's event loop stands in the way of asynchronous tests elsewhere.
@pytest.fixture(scope="package")
def browser():
    executable = needs.chromium()
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server):
    """Opens a view of the page in a window of its own.

    Whatever a window complained of by the end of the test fails it: an exception, an error in the console
    (a violation of the security policy is one), a dialog, a request that left the server. That the API
    answered 4xx, which the browser logs by itself, is none.
    """
    complaints = []
    contexts = []

    def visit(view="live", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)

        def on_console(message):
            if message.type in ("error", "warning") and not message.text.startswith(ANSWERED):
                complaints.append(f"console: {message.text} {message.location}")

        def on_dialog(dialog):
            complaints.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        def on_request(request):
            if not request.url.startswith((server.url, "data:", "blob:")):
                complaints.append(f"request: {request.url}")

        page.on("console", on_console)
        page.on("dialog", on_dialog)
        page.on("request", on_request)
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        page.goto(f"{server.url}/#/{view}")
        expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "open")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []
