"""A relay that runs in a thread beside the test."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple

from antinode.relay.figures import Delivering
from antinode.relay.front.app import Front
from antinode.relay.front.site import FrontSettings, RelaySite
from antinode.relay.intake import Intake
from antinode.relay.projects import Projects


class RunningRelay(NamedTuple):
    url: str
    """The base URL."""
    front: Front
    loop: asyncio.AbstractEventLoop

    @property
    def server_url(self) -> str:
        return f"{self.url}/2/httpapi"


@contextlib.contextmanager
def running_relay(
    projects: Projects,
    make_intake: Callable[[], Intake],
    *,
    delivering: Callable[[Intake], Delivering] | None = None,
    drain_within_s: float = 0.0,
    **more: Any,
) -> Iterator[RunningRelay]:
    """A relay on a port of its own. `make_intake` is called on the event loop's thread, and `more` are
    arguments of `RelaySite`, or settings of the front. A mistake of ours that a request brought to light is
    raised at the end."""
    settings = {key: more.pop(key) for key in list(more) if key in FrontSettings.__struct_fields__}
    opened: Future[tuple[RunningRelay, asyncio.Event]] = Future()
    errors: list[BaseException] = []

    async def serve() -> None:
        intake = make_intake()
        site = RelaySite(
            FrontSettings(port=0, finish_within_s=5.0, drain_within_s=drain_within_s, **settings),
            projects,
            intake,
            delivering=None if delivering is None else delivering(intake),
            on_error=errors.append,
            **more,
        )
        url = await site.open()
        told = asyncio.Event()
        opened.set_result((RunningRelay(url, site.front, asyncio.get_running_loop()), told))
        try:
            await told.wait()
        finally:
            await site.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if opened.done():
                errors.append(error)
            else:
                opened.set_exception(error)

    thread = threading.Thread(target=run, name="test-relay", daemon=True)
    thread.start()
    relay, told = opened.result(120)
    try:
        yield relay
    finally:
        relay.loop.call_soon_threadsafe(told.set)
        thread.join(120)
    if errors:
        raise errors[0]
