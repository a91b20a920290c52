"""FastAPI with a context for each request: `uvicorn examples.fastapi_app:app`.

    curl -X POST localhost:8000/login/user-20391
    curl localhost:8000/songs/blue-in-green

AMPLITUDE_API_KEY is the key; ANTINODE_SERVER_URL sends elsewhere, as to `antinode serve`;
ANTINODE_STORAGE is a directory for a spool; UPLOAD_INTERVAL is in seconds. Prometheus
scrapes /metrics, for the dashboard in examples/grafana-dashboard.json.
"""

import os
from typing import Annotated

from fastapi import Cookie, FastAPI, Response
from prometheus_client import make_asgi_app

import antinode
from antinode.integrations import prometheus
from antinode.integrations.asgi import AntinodeMiddleware, lifespan

app = FastAPI(
    lifespan=lifespan(
        server_url=os.environ.get("ANTINODE_SERVER_URL"),
        storage=os.environ.get("ANTINODE_STORAGE"),
        upload_interval_in_sec=int(os.environ.get("UPLOAD_INTERVAL", "0")),
    )
)
app.add_middleware(
    AntinodeMiddleware,
    capture=("path", "method", "language"),
    exclude=("/health", "/metrics"),
    browser_identity=True,
)
prometheus.register()
app.mount("/metrics", make_asgi_app())


@app.post("/login/{user}")
async def log_in(user: str, response: Response) -> dict[str, str]:
    response.set_cookie("user", user)
    antinode.add_context(user_id=user)
    antinode.log_event({"event_type": "Logged In"})
    return {"user": user}


@app.get("/songs/{title}")
def play(title: str, user: Annotated[str | None, Cookie()] = None) -> dict[str, str]:
    antinode.add_context(user_id=user or "nobody")
    antinode.log_event({"event_type": "Song Played", "event_properties": {"title": title}})
    return {"title": title}


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ok": True}
