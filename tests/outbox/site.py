"""A Django site for the tests, in a process of its own: its database is in SITE_DATABASE, as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

DATABASES: Any = {"default": json.loads(os.environ.get("SITE_DATABASE", "{}"))}
INSTALLED_APPS = ["antinode.integrations.django", "antinode.outbox.django"]
ANTINODE = {
    "api_key": "0123456789abcdef0123456789abcdef",
    "server_url": os.environ.get("SITE_SERVER_URL", "http://127.0.0.1:9/2/httpapi"),
    "capture": ["path"],
}
LOGGING_CONFIG = None
USE_TZ = True


def environment(database: str, server_url: str, postgres: Path | None, directory: Path) -> dict[str, str]:
    """What a process needs for this site: with SQLite or PostgreSQL, whose socket is in `postgres`."""
    chosen = {"ENGINE": f"django.db.backends.{database}", "NAME": f"{directory}/site.sqlite"}
    if database == "postgresql":
        chosen.update(NAME="postgres", USER="postgres", HOST=str(postgres))
    return {
        "DJANGO_SETTINGS_MODULE": "tests.outbox.site",
        "SITE_DATABASE": json.dumps(chosen),
        "SITE_SERVER_URL": server_url,
    }
