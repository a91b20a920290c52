"""How a command says that it cannot do what it was asked.

click.ClickException
├── Failed             exit code 1: the thing asked for failed; another attempt may not
└── click.UsageError   exit code 2: the command has to be written differently
    └── NotSetUp       exit code 2: something has to be installed or set up first
"""

from __future__ import annotations

import rich_click as click

EXIT_FAILED = 1
"""For a command that has told itself what failed."""


class Failed(click.ClickException):
    """The thing asked for failed. The message says why, and what to do about it."""

    exit_code = EXIT_FAILED


class NotSetUp(click.ClickException):
    """Something has to be installed or set up first. The message says what."""

    exit_code = 2
