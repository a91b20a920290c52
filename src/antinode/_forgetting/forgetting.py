"""Forgetting users wherever antinode keeps their events, and asking Amplitude to forget them too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from antinode._forgetting.results import DeletionError, Forgotten

if TYPE_CHECKING:
    from antinode._delivery.shell.sender import Sender
    from antinode._forgetting.people import PeopleToForget
    from antinode._forgetting.user_privacy import UserPrivacyApi
    from antinode._options import Options


def forget_here(sender: Sender | None, options: Options, people: PeopleToForget) -> Forgotten:
    """Forget people in all that these options name. Raises OSError when a disk refuses; see `Client.forget`.

    Without a sender that is at work, what is in the spool is left there by processes that have ended.
    """
    found = Forgotten()
    if sender is not None and not sender.is_closed:
        from antinode._spool.errors import SpoolError  # noqa: PLC0415 - seldom called

        try:
            taken, in_use = sender.forget(people.own)
        except SpoolError as error:
            raise OSError(str(error)) from error
        found = Forgotten(queued=taken.queued, spooled=taken.stored, in_flight=taken.in_flight, in_use=in_use)
    elif options.storage is not None and os.path.isdir(options.storage):
        found = forget_in_spool(options.storage, people)
    if options.dead_letters is not None:
        from antinode._forgetting.letters import forget_letters  # noqa: PLC0415 - only where they are kept

        letters = forget_letters(options.dead_letters, people.own_letter)
        found = msgspec.structs.replace(found, dead_letters=letters)
    return found


def forget_in_spool(directory: str, people: PeopleToForget) -> Forgotten:
    """Forget people in what ended processes have left. Raises OSError when the disk refuses."""
    from antinode._spool.forgetting import forget_left  # noqa: PLC0415 - only with a spool

    left = forget_left(directory, people.own)
    return Forgotten(spooled=left.forgotten, in_use=left.in_use)


def forget_there(api: UserPrivacyApi, people: PeopleToForget, requester: str, found: Forgotten) -> Forgotten:
    """Ask Amplitude to delete people too. Raises `DeletionError`, which tells what was `found` here."""
    try:
        jobs = api.delete(people, requester)
    except DeletionError as error:
        error.forgotten = found
        raise
    finally:
        api.close()
    return msgspec.structs.replace(found, jobs=tuple(jobs))
