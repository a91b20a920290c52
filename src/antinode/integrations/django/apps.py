"""The application that makes the client ready."""

from __future__ import annotations

from django.apps import AppConfig

import antinode
from antinode.integrations.django.settings import capture, options


class AntinodeConfig(AppConfig):
    """Calls `antinode.init` with what `settings.ANTINODE` says, once Django is set up."""

    name = "antinode.integrations.django"
    label = "antinode"
    verbose_name = "antinode"

    def ready(self) -> None:
        """Make the default instance ready. Raises `ConfigurationError` for what the settings say wrongly."""
        capture()
        antinode.init(**options())
