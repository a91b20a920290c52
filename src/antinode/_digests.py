"""SHA-256, of Python's own small module where there is one: hashlib loads OpenSSL, much of `init`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def _find() -> Callable[[bytes], Any]:
    for name in ("_sha2", "_sha256"):  # from Python 3.12 on, and before
        try:
            found: Callable[[bytes], Any] = importlib.import_module(name).sha256
        except (ImportError, AttributeError):
            continue
        return found
    from hashlib import sha256 as of_openssl  # noqa: PLC0415 - of a Python that was built without its own

    return of_openssl


sha256: Callable[[bytes], Any] = _find()
