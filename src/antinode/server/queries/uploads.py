"""Uploads and counts, as the JSON API shows them."""

from __future__ import annotations

from typing import Any, Final

from antinode.server.models import Count, ProblemCount, UploadPage, UploadQuery, UploadView
from antinode.server.storage.sql import as_number
from antinode.server.storage.store import EventStore

_TOP: Final = 50

_UPLOAD: Final = f"SELECT {', '.join(UploadView.__struct_fields__)} FROM uploads"  # noqa: S608 - names of ours


class Records:
    """Reads uploads and what was counted."""

    def __init__(self, store: EventStore) -> None:
        self._all = store.connection.execute

    def uploads(self, query: UploadQuery) -> UploadPage:
        limit = min(max(query.limit, 1), 10_000)
        clauses, values = ["1"], list[Any]()
        if query.before is not None:
            clauses.append("id < ?")
            values.append(as_number(query.before))
        if query.failed is not None:
            clauses.append("status <> 200" if query.failed else "status = 200")
        if query.path is not None:
            clauses.append("path = ?")
            values.append(query.path)
        rows = self._all(
            f"{_UPLOAD} WHERE {' AND '.join(clauses)} ORDER BY id DESC LIMIT ?", (*values, limit + 1)
        ).fetchall()
        found = [
            UploadView(**dict(zip(UploadView.__struct_fields__, each, strict=True))) for each in rows[:limit]
        ]
        return UploadPage(uploads=found, next_before=found[-1].id if len(rows) > limit else None)

    def upload(self, upload_id: int) -> UploadView | None:
        """The upload of this id; None if there is none, or no longer."""
        found = self._all(f"{_UPLOAD} WHERE id = ?", (as_number(upload_id),)).fetchone()
        return (
            None
            if found is None
            else UploadView(**dict(zip(UploadView.__struct_fields__, found, strict=True)))
        )

    def counts(self, kind: str) -> list[Count]:
        """The most frequent names of a kind, with their counts."""
        rows = self._all(
            "SELECT name, count FROM tallies WHERE kind = ? ORDER BY count DESC, name LIMIT ?", (kind, _TOP)
        )
        return [Count(name=name, count=count) for name, count in rows]

    def problems(self) -> list[ProblemCount]:
        rows = self._all("SELECT code, severity, count, message, seq FROM problems ORDER BY count DESC, code")
        return [
            ProblemCount(code=code, severity=severity, count=count, message=message, seq=seq)
            for code, severity, count, message, seq in rows
        ]

    def sums(self, step_ms: int, since_ms: int) -> list[tuple[int, tuple[int, int, int, int, int]]]:
        """What the kept uploads since then add up to, by steps of so many milliseconds, oldest first."""
        rows = self._all(
            "SELECT received_at / ?1 * ?1, sum(accepted), sum(duplicates), sum(rejected + returned),"
            " count(*), sum(status <> 200) FROM uploads WHERE received_at >= ?2 GROUP BY 1 ORDER BY 1",
            (step_ms, since_ms),
        )
        return [
            (at, (accepted, duplicates, refused, count, failed))
            for at, accepted, duplicates, refused, count, failed in rows
        ]
