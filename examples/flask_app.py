"""Flask with a context for each request: `gunicorn examples.flask_app:app`.

AMPLITUDE_API_KEY is the key; ANTINODE_SERVER_URL sends elsewhere, as to `antinode serve`;
ANTINODE_STORAGE is a directory for a spool; UPLOAD_INTERVAL is in seconds.
"""

import os
from collections.abc import Iterator

from flask import Flask, Response, request

import antinode
from antinode.integrations.flask import Antinode

app = Flask(__name__)
app.config["ANTINODE_OPTIONS"] = {
    "server_url": os.environ.get("ANTINODE_SERVER_URL"),
    "storage": os.environ.get("ANTINODE_STORAGE"),
    "upload_interval_in_sec": int(os.environ.get("UPLOAD_INTERVAL", "0")),
}
Antinode(app, capture=("path", "method", "language"), exclude="/health", browser_identity=True)


@app.before_request
def know_the_user() -> None:
    """What an authentication does: the cookie is signed in a real application."""
    if "user" in request.cookies and request.path != "/health":
        antinode.add_context(user_id=request.cookies["user"])


@app.post("/login/<user>")
def log_in(user: str) -> Response:
    antinode.add_context(user_id=user)
    antinode.log_event({"event_type": "Logged In"})
    response = Response(user)
    response.set_cookie("user", user)
    return response


@app.get("/songs/<title>")
def play(title: str) -> Response:
    def parts() -> Iterator[str]:
        yield title
        antinode.log_event({"event_type": "Song Played", "event_properties": {"title": title}})

    return Response(parts())


@app.get("/health")
def health() -> str:
    return "ok"
