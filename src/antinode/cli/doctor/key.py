"""The API key: whether there is one, and whether it looks like one. It is never shown, nor a part of it."""

from __future__ import annotations

import os
import re

from antinode._api_key import check_api_key, placeholder_warning
from antinode._errors import ConfigurationError
from antinode._protocol.endpoints import is_amplitude_host
from antinode._protocol.words import counted
from antinode.cli.doctor.findings import DoctorFinding
from antinode.cli.params.destination import Destination

_TOPIC = "API key"


def check_key(destination: Destination) -> DoctorFinding:
    """The key that `antinode.init` would use with these options."""
    given = destination.api_key or os.environ.get("AMPLITUDE_API_KEY")
    if not given:
        if destination.is_local:
            return DoctorFinding(_TOPIC, "ok", "none is set, and a local server takes any")
        return DoctorFinding(
            _TOPIC,
            "problem",
            "none is set",
            "Set AMPLITUDE_API_KEY to that of the project, or give it to antinode.init; "
            "it is in the project's settings.",
        )
    where = "given with --api-key" if destination.api_key else "set in AMPLITUDE_API_KEY"
    try:
        key = check_api_key(given)
    except ConfigurationError as error:
        return DoctorFinding(
            _TOPIC, "problem", f"{where}: {error}", "Copy it from the project's settings once more."
        )
    if warning := placeholder_warning(key):
        is_taken = destination.is_local
        return DoctorFinding(_TOPIC, "warning" if is_taken else "problem", f"{where}: {warning}")
    if re.fullmatch("[0-9a-f]{32}", key) or not is_amplitude_host(destination.url()):
        return DoctorFinding(_TOPIC, "ok", f"{where}, {counted(len(key), 'character')}")
    letters = counted(len(key), "character")
    return DoctorFinding(
        _TOPIC,
        "warning",
        f"{where}, but it has {letters}, and Amplitude's keys are 32 hexadecimal digits",
        "Check that it is the API key and not the secret key or another service's; --send tries it out.",
    )
