"""Right usage of the integrations; checked by mypy, never run."""

import dramatiq
import rq
from aiohttp import web
from django.core.asgi import get_asgi_application
from dramatiq.brokers.stub import StubBroker
from litestar import Litestar
from litestar.middleware import DefineMiddleware
from redis import Redis
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session
from starlette.applications import Starlette

import antinode
from antinode.integrations import aiohttp as of_aiohttp
from antinode.integrations import asgi
from antinode.integrations import sqlalchemy as of_sqlalchemy
from antinode.integrations.django import log_on_commit
from antinode.integrations.dramatiq import AntinodeMiddleware
from antinode.integrations.rq import AntinodeQueue, AntinodeWorker, WorkerMixin

event = antinode.Event("Order Placed", user_id="user-20391")


def with_sessions(
    session: Session,
    registry: scoped_session[Session],
    asynchronous: AsyncSession,
    asynchronous_registry: async_scoped_session[AsyncSession],
) -> None:
    of_sqlalchemy.log_on_commit(session, event)
    of_sqlalchemy.log_on_commit(registry, {"event_type": "Order Placed", "user_id": "user-20391"})
    of_sqlalchemy.log_on_commit(asynchronous, event, client=antinode.get_instance("billing"))
    of_sqlalchemy.log_on_commit(asynchronous_registry, event, once="order-88231")


log_on_commit(event)
log_on_commit({"event_type": "Order Placed"}, using="other", client=antinode.get_instance(), once="order-1")


class Mine(WorkerMixin, rq.SimpleWorker):
    """A worker of the application's own."""


queue: rq.Queue = AntinodeQueue(connection=Redis())
worker: rq.Worker = AntinodeWorker([queue], connection=Redis())
middleware: dramatiq.Middleware = AntinodeMiddleware()
StubBroker().add_middleware(AntinodeMiddleware())


def path_of(request: web.Request) -> dict[str, str]:
    """What else of a request goes into its context."""
    return {"platform": request.path}


served = web.Application(middlewares=[of_aiohttp.antinode_middleware(capture=("path",), context=path_of)])
served.cleanup_ctx.append(of_aiohttp.running("KEY", upload_interval_in_sec=1))

starlette = Starlette(lifespan=asgi.lifespan("KEY"))
starlette.add_middleware(asgi.AntinodeMiddleware, capture="path")
asgi.with_lifespan(starlette)
asgi.with_lifespan(get_asgi_application())
Litestar(middleware=[DefineMiddleware(asgi.AntinodeMiddleware)], lifespan=[asgi.lifespan("KEY")])
