"""aiohttp's clean-up, where the process goes on after the application."""

from __future__ import annotations

import asyncio

import pytest

import antinode
from antinode.testing import Endpoint
from tests.lifecycle.driver import KEY

web = pytest.importorskip("aiohttp.web")

from antinode.integrations.aiohttp import running  # noqa: E402 - only where it is installed


def test_application_that_is_cleaned_up_has_sent_what_it_logged(endpoint: Endpoint) -> None:
    """What was added to the clean-up later is cleaned up earlier, and what that logs is sent as well."""

    async def late(_: web.Application):  # type: ignore[no-untyped-def]
        yield
        antinode.get_instance("aiohttp").log_event({"event_type": "Late", "user_id": "user-1"})

    async def live() -> None:
        app = web.Application()
        app.cleanup_ctx.append(
            running(KEY, instance_name="aiohttp", server_url=endpoint.url, upload_interval_in_sec=600)
        )
        app.cleanup_ctx.append(late)
        runner = web.AppRunner(app)
        await runner.setup()
        antinode.get_instance("aiohttp").log_event({"event_type": "Early", "user_id": "user-1"})
        await runner.cleanup()

    asyncio.run(live())
    assert [each["event_type"] for each in endpoint.events] == ["Early", "Late"]
