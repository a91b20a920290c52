"""JSON, written and read by orjson where there is one, and by msgspec elsewhere (free-threaded Python)."""

from __future__ import annotations

from typing import Any, Final

from antinode._json import by_msgspec

orjson: Any
try:
    import orjson
except ImportError:
    orjson = None

LIBRARY: Final = "msgspec" if orjson is None else "orjson"
"""What writes and reads."""

dumps: Final = by_msgspec.dumps if orjson is None else orjson.dumps
"""A value of JSON's types, a date, a time or a UUID as text. Raises TypeError for what cannot be."""

loads: Final = by_msgspec.loads if orjson is None else orjson.loads
"""Text as values. Raises ValueError for what is no JSON."""

fragment: Final = by_msgspec.fragment if orjson is None else orjson.Fragment
"""What stands for a text that is JSON already, within a value that is written."""
