"""Right usage of the integrations; checked by mypy, never run."""

import dramatiq
import rq
from dramatiq.brokers.stub import StubBroker
from redis import Redis
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

import antinode
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
