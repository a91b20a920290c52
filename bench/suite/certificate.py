"""A certificate for the sink, and the authority that a client has to trust for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import trustme


class Certificate(NamedTuple):
    """Paths of PEM files."""

    key: str
    """The sink's key and certificate."""
    authority: str


def make_certificate(directory: Path) -> Certificate:
    """One for `localhost`, in files of this directory."""
    made = Certificate(str(directory / "key.pem"), str(directory / "ca.pem"))
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(made.key)
    authority.cert_pem.write_to_path(made.authority)
    return made
