"""The Taxonomy API of the project that a command is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from antinode.cli.params.destination import read_destination
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed, NotSetUp

if TYPE_CHECKING:
    from antinode.plan._taxonomy import TaxonomyEntries
    from antinode.plan._taxonomy_api import TaxonomyClient


@contextmanager
def taxonomy(given: dict[str, Any]) -> Iterator[TaxonomyClient]:
    """The API of what `address_options` say. What it does not answer ends the command."""
    from antinode._errors import ConfigurationError  # noqa: PLC0415
    from antinode.plan._taxonomy_api import TaxonomyClient, TaxonomyError  # noqa: PLC0415 - not for help

    destination = read_destination(given)
    try:
        client = TaxonomyClient(destination.check(), destination.key(), destination.secret_key())
    except ConfigurationError as error:
        raise NotSetUp(str(error)) from None
    try:
        yield client
    except TaxonomyError as error:
        raise Failed(str(error)) from None
    finally:
        client.close()


def read_entries(client: TaxonomyClient, group_types: Iterable[str]) -> TaxonomyEntries:
    """What the project has planned."""
    with console.Waiting() as waiting:
        return client.read(group_types, waiting.tell)
