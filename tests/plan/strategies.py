"""Events and schemas of every kind that a plan knows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["total", "order id", "no", "a.b", "", "größe", "$set", "x-1", "null"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([0.5, 1.0, -2.25, 1e300]),
    st.sampled_from(["", "free", "pro", "no", "1", "2024-01-01", "a: b", "# c", "\x1b[31m", "\U0001f600"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "event_type": st.sampled_from(["Order Placed", "order_placed", "yes", "$identify"]),
            "event_properties": st.dictionaries(NAMES, VALUES, max_size=4),
        },
        optional={"user_properties": st.dictionaries(NAMES, SCALARS, max_size=2)},
    ),
    max_size=12,
)

_TYPES = ["string", "number", "integer", "boolean", "object", "array", "null"]
_SEVERAL = st.lists(st.sampled_from(_TYPES), min_size=1, max_size=3, unique=True)
_COUNTS = st.integers(0, 3)


def _keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(st.sampled_from(_TYPES), _SEVERAL),
            "enum": st.lists(SCALARS, min_size=1, max_size=4),
            "minimum": st.integers(-3, 3),
            "maximum": st.integers(-3, 3),
            "exclusiveMinimum": st.integers(-3, 3),
            "exclusiveMaximum": st.integers(-3, 3),
            "minLength": _COUNTS,
            "maxLength": _COUNTS,
            "pattern": st.sampled_from(["^f", "o$", "[0-9]"]),
            "minItems": _COUNTS,
            "maxItems": _COUNTS,
            "items": inner,
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "additionalProperties": st.booleans(),
        },
    )


SCHEMAS = st.recursive(st.just({}), _keywords, max_leaves=4)
