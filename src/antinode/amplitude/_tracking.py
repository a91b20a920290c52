"""Where an event comes from: the tracking plan, and the source."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from antinode.amplitude import constants

logger = logging.getLogger(constants.LOGGER_NAME)

PLAN_KEY_MAPPING: Final[dict[str, list[object]]] = {
    "branch": ["branch", str],
    "source": ["source", str],
    "version": ["version", str],
    "version_id": ["versionId", str],
}
"""The attributes of a plan: their names in an event, and their types."""

INGESTION_METADATA_KEY_MAPPING: Final[dict[str, list[object]]] = {
    "source_name": ["source_name", str],
    "source_version": ["source_version", str],
}
"""The same of ingestion metadata."""


class Plan:
    """The tracking plan that an event belongs to; give it as an event's `plan`, or a configuration's."""

    def __init__(
        self,
        branch: str | None = None,
        source: str | None = None,
        version: str | None = None,
        version_id: str | None = None,
    ) -> None:
        self.branch = branch
        self.source = source
        self.version = version
        self.version_id = version_id

    def get_plan_body(self) -> dict[str, str]:
        """What is sent of it. What is no string is logged and left out."""
        return _texts(self, PLAN_KEY_MAPPING)


class IngestionMetadata:
    """What an event was ingested from; give it as an event's `ingestion_metadata`, or a configuration's."""

    def __init__(self, source_name: str | None = None, source_version: str | None = None) -> None:
        self.source_name = source_name
        self.source_version = source_version

    def get_body(self) -> dict[str, str]:
        """What is sent of it. What is no string is logged and left out."""
        return _texts(self, INGESTION_METADATA_KEY_MAPPING)


def _texts(holder: object, names: Mapping[str, list[object]]) -> dict[str, str]:
    body: dict[str, str] = {}
    for name, (key, _) in names.items():
        value = getattr(holder, name)
        if not value:
            continue
        if isinstance(value, str):
            body[str(key)] = value
        else:
            logger.error("%s.%s expected %s but received %s.", type(holder).__name__, name, str, type(value))
    return body
