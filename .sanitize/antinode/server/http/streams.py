"""Answers that are not one piece of JSON: the live stream, and an archive."""

from __future__ import annotations

import contextlib
from pathlib import Path

import anyio
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from antinode.server.http.engine_thread import Worker


class LiveStream(Response):
    """Sends the live stream until the client or the server ends it."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, receive, group.cancel_scope)
            stream = self._worker.live.messages(self._worker.totals)
            async with contextlib.aclosing(stream):
                async for message in stream:
                    await send({"type": "http.response.body", "body": message, "more_body": True})
            group.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class ExportFile(FileResponse):
    """Sends a temporary file, and deletes it whatever happens."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, media_type="application/zip", filename="export.zip")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            Path(self.path).unlink(missing_ok=True)


async def _until_gone(receive: Receive, ends: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    ends.cancel()
