"""The request body around the records: joined, never re-encoded (reference, section 2.2)."""

from __future__ import annotations

import json

from antinode._delivery.core.loops import join
from antinode._delivery.record import Delivery


class Envelope:
    """Builds request bodies for one API key."""

    def __init__(self, api_key: str, *, min_id_length: int | None = None) -> None:
        options = "" if min_id_length is None else f',"options":{{"min_id_length":{min_id_length}}}'
        self._head = f'{{"api_key":{json.dumps(api_key)},"events":['.encode()
        self._tail = f"]{options}}}".encode()

    @property
    def size(self) -> int:
        """Bytes that a body has beside its events and the commas between them."""
        return len(self._head) + len(self._tail)

    def wrap(self, records: list[Delivery]) -> bytes:
        return join(self._head, records, self._tail)
