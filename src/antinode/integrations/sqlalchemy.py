"""SQLAlchemy: events that are logged when the transaction commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from sqlalchemy import event as events
from sqlalchemy.engine import Connection
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, SessionTransaction

from antinode.integrations._held import HeldEvent

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
    from sqlalchemy.orm import scoped_session

    from antinode import Client, Event, EventDict, TypedEvent

    AnySession: TypeAlias = Session | AsyncSession | scoped_session[Any] | async_scoped_session[Any]

__all__ = ["log_on_commit"]

_KEY: Final = "antinode.log_on_commit"


def log_on_commit(
    session: AnySession,
    event: EventDict | Event | TypedEvent,
    *,
    client: Client | None = None,
    once: str | None = None,
) -> None:
    """Log the event when the session commits; never if the transaction, or its savepoint, is rolled back.

    As `session.add` does, it begins the transaction if there is none yet. A session that has joined the
    transaction of a connection, as in tests, logs when that one's COMMIT is sent. The values of the event,
    its `time` and its context are those of this call. `client` is another than the default instance, `once`
    as for `log_event`. A fault of the event is told in the log, also under `strict=True`. Raises
    `InvalidRequestError` without a transaction in a session with `autobegin=False`.
    """
    held = HeldEvent(event, client=client, once=once)
    target = _sync(session)
    innermost = target.get_nested_transaction() or target.get_transaction()
    if innermost is None:
        if not target.autobegin:
            raise InvalidRequestError("log_on_commit() needs a transaction: call session.begin() first")
        innermost = target.begin()
    _waiting_in(target).setdefault(innermost, _Waiting()).add(held)


def _sync(session: Any) -> Session:
    """The session behind a registry and behind an asynchronous one."""
    for name in ("registry", "sync_session"):
        behind = getattr(session, name, None)
        if behind is not None:
            session = behind() if name == "registry" else behind
    if not isinstance(session, Session):
        raise TypeError(f"log_on_commit() takes a session first, not {type(session).__name__}")
    return session


class _Waiting:
    """The events of one transaction or savepoint; once it has committed, they wait no more."""

    def __init__(self) -> None:
        self.held: list[HeldEvent] = []
        self.has_committed = False

    def add(self, held: HeldEvent) -> None:
        if self.has_committed:
            # By another listener to the same commit.
            held.log()
        else:
            self.held.append(held)


def _waiting_in(session: Session) -> dict[SessionTransaction, _Waiting]:
    waiting: dict[SessionTransaction, _Waiting] = session.info.setdefault(_KEY, {})
    return waiting


def _committed(session: Session) -> None:
    """Hand over what waited for a savepoint to what is around it, and log what waited for the whole."""
    waiting: dict[SessionTransaction, _Waiting] | None = session.info.get(_KEY)
    if not waiting:
        return
    savepoint = session.get_nested_transaction()
    ended = savepoint or session.get_transaction()
    if ended is None or ended not in waiting:
        return
    held, waiting[ended].held = waiting[ended].held, []
    if savepoint is not None:
        around = savepoint.parent
        while around is not None and around.parent is not None and not around.nested:
            around = around.parent
        if around is not None:
            waiting.setdefault(around, _Waiting()).held.extend(held)
        return
    outer = next((bind for bind in _binds(session) if bind.in_transaction()), None)
    if outer is not None:
        _outer_of(outer).hold(held)
        return
    waiting[ended].has_committed = True
    for each in held:
        each.log()


def _ended(session: Session, transaction: SessionTransaction) -> None:
    """Forget what still waits for a transaction that is over: it was rolled back."""
    waiting: dict[SessionTransaction, _Waiting] | None = session.info.get(_KEY)
    if waiting:
        waiting.pop(transaction, None)


events.listen(Session, "after_commit", _committed)
events.listen(Session, "after_transaction_end", _ended)


def _binds(session: Session) -> list[Connection]:
    """The connections that the session was given, whose transactions are not its own."""
    return [
        bind
        for bind in (session.bind, *getattr(session, "binds", {}).values())
        if isinstance(bind, Connection)
    ]


class _Outer:
    """What waits for the transaction of a connection, and how deep in its savepoints.

    A savepoint that was made before the first event came is not counted; all that waits then is inside it.
    """

    def __init__(self, connection: Connection) -> None:
        self._depth = 0
        self._held: list[tuple[int, HeldEvent]] = []
        for name, heard in {
            "commit": self._log,
            "commit_twophase": self._log,
            "rollback": self._forget,
            "rollback_twophase": self._forget,
            "savepoint": self._begin,
            "release_savepoint": self._release,
            "rollback_savepoint": self._roll_back,
        }.items():
            # SQLAlchemy looks at how many arguments a listener takes.
            events.listen(connection, name, lambda *_, heard=heard: heard())

    def hold(self, held: list[HeldEvent]) -> None:
        self._held.extend((self._depth, each) for each in held)

    def _log(self) -> None:
        held, self._held, self._depth = self._held, [], 0
        for _, each in held:
            each.log()

    def _forget(self) -> None:
        self._held, self._depth = [], 0

    def _begin(self) -> None:
        self._depth += 1

    def _release(self) -> None:
        self._depth = depth = max(0, self._depth - 1)
        self._held = [(min(at, depth), each) for at, each in self._held]

    def _roll_back(self) -> None:
        self._held = [(at, each) for at, each in self._held if at < self._depth]
        self._depth = max(0, self._depth - 1)


_outers: WeakKeyDictionary[Connection, _Outer] = WeakKeyDictionary()


def _outer_of(connection: Connection) -> _Outer:
    outer = _outers.get(connection)
    if outer is None:
        outer = _outers[connection] = _Outer(connection)
    return outer
