"""Django with a context for each request: `gunicorn examples.django_app:application`, or `uvicorn …:asgi`.

AMPLITUDE_API_KEY is the key; ANTINODE_SERVER_URL sends elsewhere, as to `antinode serve`;
ANTINODE_STORAGE is a directory for a spool; UPLOAD_INTERVAL is in seconds.
"""

import os
from collections.abc import AsyncIterator, Iterator

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

import antinode
from antinode.integrations.asgi import with_lifespan

settings.configure(
    SECRET_KEY="an example",  # noqa: S106 - nothing is signed here
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["antinode.integrations.django"],
    MIDDLEWARE=["antinode.integrations.django.middleware.antinode_middleware"],
    ANTINODE={
        "server_url": os.environ.get("ANTINODE_SERVER_URL"),
        "storage": os.environ.get("ANTINODE_STORAGE"),
        "upload_interval_in_sec": int(os.environ.get("UPLOAD_INTERVAL", "0")),
        "capture": ["path", "method", "language"],
        "exclude": "/health",
        "browser_identity": True,
        "context": f"{__name__}.signed_in",
    },
)


def signed_in(request: HttpRequest) -> dict[str, str]:
    """What an authentication tells: the cookie is signed in a real application."""
    return {"user_id": request.COOKIES["user"]} if "user" in request.COOKIES else {}


def log_in(_: HttpRequest, user: str) -> HttpResponse:
    antinode.add_context(user_id=user)
    antinode.log_event({"event_type": "Logged In"})
    response = HttpResponse(user)
    response.set_cookie("user", user)
    return response


def play(_: HttpRequest, title: str) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        yield title
        antinode.log_event({"event_type": "Song Played", "event_properties": {"title": title}})

    return StreamingHttpResponse(parts())


async def play_async(_: HttpRequest, title: str) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        yield title
        antinode.log_event({"event_type": "Song Played", "event_properties": {"title": title}})

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("login/<user>", log_in),
    path("songs/<title>", play_async if os.environ.get("EXAMPLE_ASYNC") else play),
    path("health", lambda _: HttpResponse("ok")),
]

django.setup()
application = get_wsgi_application()
asgi = with_lifespan(get_asgi_application())
