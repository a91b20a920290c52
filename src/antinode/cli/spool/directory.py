"""What all of the commands do with the directory that each is given."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from antinode._spool.format import parse_segment_name
from antinode._spool.inspection.damage import DIRECTORY as DAMAGED
from antinode._spool.inspection.inspect import SegmentSummary, survey
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Says on a terminal what is taking its time; ends the command if the directory cannot be read."""
    try:
        with console.Waiting(patience_s=0) as waiting:
            waiting.tell(f"Reading {path}")
            yield
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise Failed(f"{path} cannot be read: {error.strerror or error}") from None


def segment_names(path: str) -> list[str]:
    """The names of all files that are segments by their name, in the order in which they were begun."""
    return sorted(name for name in os.listdir(path) if parse_segment_name(name))


def unreadable(path: str, segments: Sequence[SegmentSummary]) -> list[str]:
    """Names of segments that the survey had to leave out, although they are there."""
    known = {os.path.basename(segment.path) for segment in segments}
    return [name for name in segment_names(path) if name not in known]


def surveyed(path: str) -> tuple[list[SegmentSummary], list[str]]:
    """What is in the directory: the segments that can be read, and the names of those that cannot."""
    segments = survey(path)
    return segments, unreadable(path, segments)


def set_aside(path: str) -> set[str]:
    """The files in which damaged places of the spool are kept for a person to look at."""
    try:
        names = os.listdir(os.path.join(path, DAMAGED))
    except OSError:
        return set()
    return {name for name in names if not name.endswith(".json")}
