"""What is to be called as soon as the code of the client is loaded, by whoever must not load it himself."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable

hooks: list[Callable[[], object]] = []
