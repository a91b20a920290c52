"""What PyInstaller is to pack with antinode: it finds these hooks by an entry point of the distribution."""

from __future__ import annotations

import os


def get_hook_dirs() -> list[str]:
    """Where the hooks are; PyInstaller calls this."""
    return [os.path.dirname(__file__)]
