"""Litestar with a context for each request: `uvicorn examples.litestar_app:app`.

AMPLITUDE_API_KEY is the key; ANTINODE_SERVER_URL sends elsewhere, as to `antinode serve`;
UPLOAD_INTERVAL is in seconds.
"""

import os

from litestar import Litestar, Request, Response, get, post
from litestar.middleware import DefineMiddleware

import antinode
from antinode.integrations.asgi import AntinodeMiddleware, lifespan


@post("/login/{user:str}")
async def log_in(user: str) -> Response[str]:
    antinode.add_context(user_id=user)
    antinode.log_event({"event_type": "Logged In"})
    response = Response(user)
    response.set_cookie("user", user)
    return response


@get("/songs/{title:str}", sync_to_thread=True)
def play(title: str, request: Request) -> str:  # type: ignore[type-arg]
    antinode.add_context(user_id=request.cookies.get("user", "nobody"))
    antinode.log_event({"event_type": "Song Played", "event_properties": {"title": title}})
    return title


@get("/health")
async def health() -> str:
    return "ok"


app = Litestar(
    [log_in, play, health],
    middleware=[
        DefineMiddleware(
            AntinodeMiddleware,
            capture=("path", "method", "language"),
            exclude="/health",
            browser_identity=True,
        )
    ],
    lifespan=[
        lifespan(
            server_url=os.environ.get("ANTINODE_SERVER_URL"),
            upload_interval_in_sec=int(os.environ.get("UPLOAD_INTERVAL", "0")),
        )
    ],
)
