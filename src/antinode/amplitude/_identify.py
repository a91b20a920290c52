"""`Identify`: operations on the properties of a user or a group."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from antinode.amplitude import constants
from antinode.amplitude._properties import copied, objection

if TYPE_CHECKING:
    from typing_extensions import Self

logger = logging.getLogger(constants.LOGGER_NAME)

_UNCHECKED: Final = frozenset({constants.IDENTITY_OP_ADD, constants.IDENTITY_OP_UNSET})


class Identify:
    """Operations on properties, one for each property; later ones on the same are logged and left out.

    Every method returns the object itself, so that calls can be chained.
    """

    def __init__(self) -> None:
        self._properties_set: set[str] = set()
        self._properties: dict[str, Any] = {}

    @property
    def user_properties(self) -> dict[str, Any]:
        """A copy of the operations so far, by operation and property."""
        copy: dict[str, Any] = copied(self._properties)
        return copy

    def set(self, key: str, value: Any) -> Self:
        """Set a property."""
        return self._operate(constants.IDENTITY_OP_SET, key, value)

    def set_once(self, key: str, value: Any) -> Self:
        """Set a property that has no value yet."""
        return self._operate(constants.IDENTITY_OP_SET_ONCE, key, value)

    def append(self, key: str, value: Any) -> Self:
        """Add a value, or each of a list, at the end of a list."""
        return self._operate(constants.IDENTITY_OP_APPEND, key, value)

    def prepend(self, key: str, value: Any) -> Self:
        """Add a value, or each of a list, at the beginning of a list."""
        return self._operate(constants.IDENTITY_OP_PREPEND, key, value)

    def pre_insert(self, key: str, value: Any) -> Self:
        """Add what a list does not have yet, at its beginning."""
        return self._operate(constants.IDENTITY_OP_PRE_INSERT, key, value)

    def post_insert(self, key: str, value: Any) -> Self:
        """Add what a list does not have yet, at its end."""
        return self._operate(constants.IDENTITY_OP_POST_INSERT, key, value)

    def remove(self, key: str, value: Any) -> Self:
        """Take a value, or each of a list, out of a list."""
        return self._operate(constants.IDENTITY_OP_REMOVE, key, value)

    def add(self, key: str, value: float) -> Self:
        """Add to a number; a negative value subtracts."""
        return self._operate(constants.IDENTITY_OP_ADD, key, value)

    def unset(self, key: str) -> Self:
        """Remove a property."""
        return self._operate(constants.IDENTITY_OP_UNSET, key, constants.UNSET_VALUE)

    def clear_all(self) -> Self:
        """Remove all properties. Takes the place of everything before it."""
        self._properties = {constants.IDENTITY_OP_CLEAR_ALL: constants.UNSET_VALUE}
        return self

    def is_valid(self) -> bool:
        """Whether there is any operation."""
        return bool(self._properties)

    def _operate(self, operation: str, key: str, value: Any) -> Self:
        if constants.IDENTITY_OP_CLEAR_ALL in self._properties or key in self._properties_set:
            logger.error("Key or clear all operation already set.")
        elif why := _objection(operation, key, value):
            logger.error("Identify left %s of a property out: %s.", operation, why)
        else:
            self._properties.setdefault(operation, {})[key] = value
            self._properties_set.add(key)
        return self


def _objection(operation: str, key: Any, value: Any) -> str | None:
    if operation == constants.IDENTITY_OP_ADD and not isinstance(value, int | float | Decimal):
        return f"{type(value).__name__} is not a number"
    return None if operation in _UNCHECKED else objection(key, value)
