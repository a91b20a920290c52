"""The request body around the records: joined, never re-encoded (reference, section 2.2)."""

from __future__ import annotations

from antinode._delivery.core.loops import join
from antinode._delivery.record import Record
from antinode._protocol.endpoints import Endpoint


class Envelope:
    """Builds request bodies of one API key for one endpoint."""

    def __init__(
        self, api_key: str, endpoint: Endpoint = Endpoint.HTTP_V2, *, min_id_length: int | None = None
    ) -> None:
        self._head, self._tail = endpoint.frame(api_key, min_id_length)

    @property
    def size(self) -> int:
        """Bytes of a body without its events and the commas between them."""
        return len(self._head) + len(self._tail)

    def wrap(self, records: list[Record]) -> bytes:
        return join(self._head, records, self._tail)
