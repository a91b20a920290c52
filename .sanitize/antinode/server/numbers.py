"""The bounds of the values that the server is given, which JavaScript can count to."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

MAX_ID: Final = 2**53 - 1

Natural = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
Id = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
