"""aiohttp with a context for each request: `python -m aiohttp.web examples.aiohttp_app:make_app`.

AMPLITUDE_API_KEY is the key; ANTINODE_SERVER_URL sends elsewhere, as to `antinode serve`;
UPLOAD_INTERVAL is in seconds.
"""

import os

from aiohttp import web

import antinode
from antinode.integrations.aiohttp import antinode_middleware, running


async def log_in(request: web.Request) -> web.Response:
    user = request.match_info["user"]
    antinode.add_context(user_id=user)
    antinode.log_event({"event_type": "Logged In"})
    response = web.Response(text=user)
    response.set_cookie("user", user)
    return response


async def play(request: web.Request) -> web.StreamResponse:
    title = request.match_info["title"]
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(title.encode())
    antinode.log_event({"event_type": "Song Played", "event_properties": {"title": title}})
    await response.write_eof()
    return response


async def health(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def signed_in(request: web.Request) -> dict[str, str]:
    """What an authentication tells: the cookie is signed in a real application."""
    return {"user_id": request.cookies["user"]} if "user" in request.cookies else {}


def make_app(_: list[str]) -> web.Application:
    app = web.Application(
        middlewares=[
            antinode_middleware(
                capture=("path", "method", "language"),
                exclude="/health",
                browser_identity=True,
                context=signed_in,
            )
        ]
    )
    app.cleanup_ctx.append(
        running(
            server_url=os.environ.get("ANTINODE_SERVER_URL"),
            upload_interval_in_sec=int(os.environ.get("UPLOAD_INTERVAL", "0")),
        )
    )
    app.router.add_post("/login/{user}", log_in)
    app.router.add_get("/songs/{title}", play)
    app.router.add_get("/health", health)
    return app
