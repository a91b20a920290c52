"""A local Amplitude beside the code that uses it: for tests and notebooks."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

try:
    import httptools as _httptools  # noqa: F401 - asked for here, so that what is missing is told in one place
    import starlette as _starlette  # noqa: F401
    import uvicorn as _uvicorn  # noqa: F401
except ModuleNotFoundError as _missing:
    raise ImportError(
        f'antinode.server needs {_missing.name}, which an extra brings: pip install "antinode[server]"',
        name=_missing.name,
    ) from _missing

from antinode.plan._models import TrackingPlan
from antinode.server.client import Api
from antinode.server.engine import OnUpload
from antinode.server.faults.faults import Fault, parse
from antinode.server.http.server import Site
from antinode.server.plan_file import PlanFile
from antinode.server.rules import Rules
from antinode.server.settings import ServerSettings


class Running:
    """A server that runs, until its `with` block ends."""

    def __init__(self, url: str) -> None:
        self.url = url
        """`http://127.0.0.1:PORT`: the page is here."""
        self.server_url = f"{url}/2/httpapi"
        """What an SDK calls its server URL."""
        self.api = Api(url)
        """Asks what it holds, and steers it."""

    def __repr__(self) -> str:
        return f"<Running {self.url}>"


@contextlib.contextmanager
def running(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    data: Path | str | None = None,
    max_events: int | None = None,
    rules: Rules | None = None,
    faults: Sequence[Fault | str] = (),
    seed: int | None = None,
    plan: TrackingPlan | str | Path | None = None,
    on_upload: OnUpload | None = None,
) -> Iterator[Running]:
    """A local Amplitude in a thread of its own, for as long as the block lasts.

    Everything is kept in memory, or in the SQLite file `data`; in memory the newest 200,000 events, unless
    `max_events` says otherwise. `faults` are in force from the start, each a `Fault` or spelled as on the
    command line (`500@10%`); `seed` makes their chances repeatable. `plan`, a tracking plan or its file, is
    what Schema shows beside what comes; a file is read again when it changes. `on_upload` is called on the
    engine's thread after each upload.

    Raises OSError if the address or the file cannot be had, ValueError for a fault and `PlanError` of
    `antinode.plan` for a plan that cannot be read; at the end of the block, what went wrong inside of the
    server, if anything did.
    """
    settings = ServerSettings(
        host=host,
        port=port,
        data=None if data is None else Path(data),
        max_events=max_events,
        rules=Rules() if rules is None else rules,
        faults=tuple(parse(each) if isinstance(each, str) else each for each in faults),
        seed=seed,
        plan=PlanFile(Path(plan)) if isinstance(plan, (str, Path)) else plan,
        on_upload=on_upload,
    )
    thread = _Thread(settings)
    server = Running(thread.url())
    try:
        yield server
    finally:
        server.api.close()
        thread.end()
    if thread.errors:
        raise thread.errors[0]


class _Thread:
    """The thread with the server's event loop. It lives from the constructor to `end`."""

    def __init__(self, settings: ServerSettings) -> None:
        self.errors: list[Exception] = []
        """What went wrong while requests were answered; read after `end`."""
        self._settings = settings
        self._opened: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._closed: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="antinode-server", daemon=True)
        self._thread.start()

    def url(self) -> str:
        """The base URL, once the server listens. Raises what kept the server from opening."""
        try:
            return self._opened.result()[0]
        except BaseException:
            self._thread.join()
            raise

    def end(self) -> None:
        """Close the server and wait for its thread."""
        _, loop, told = self._opened.result()
        loop.call_soon_threadsafe(told.set)
        self._thread.join()
        self._closed.result()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            # The error is raised in the thread that waits for the server to open or to close.
            (self._closed if self._opened.done() else self._opened).set_exception(error)
        else:
            self._closed.set_result(None)

    async def _serve(self) -> None:
        site = Site(self._settings, self.errors.append)
        url = await site.open()
        told = asyncio.Event()
        self._opened.set_result((url, asyncio.get_running_loop(), told))
        try:
            await told.wait()
        finally:
            await site.close()
