"""Wrong usage of the integrations, each an error to mypy; never run."""

import sqlalchemy

import antinode
from antinode.integrations import aiohttp as of_aiohttp
from antinode.integrations import asgi
from antinode.integrations import sqlalchemy as of_sqlalchemy
from antinode.integrations.django import log_on_commit
from antinode.integrations.dramatiq import AntinodeMiddleware

event = antinode.Event("Order Placed", user_id="user-20391")


def wrong(engine: sqlalchemy.Engine) -> None:
    of_sqlalchemy.log_on_commit(engine, event)  # type: ignore[arg-type]


of_sqlalchemy.log_on_commit(event)  # type: ignore[call-arg]
log_on_commit({"user_id": "user-20391"})  # type: ignore[arg-type]
log_on_commit(event, database="other")  # type: ignore[call-arg]
AntinodeMiddleware("API_KEY")  # type: ignore[call-arg]
of_aiohttp.antinode_middleware(["path"])  # type: ignore[call-arg]
of_aiohttp.running("KEY", upload_interval=1)  # type: ignore[call-arg]
asgi.with_lifespan(None)  # type: ignore[arg-type]
