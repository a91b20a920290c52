"""Whose a spool's directory and files may be: what is in them is sent under this process's key."""

from __future__ import annotations

import os
import stat


class NotOurs(PermissionError):
    """A file of another user's, who may have written into it what they liked. It is left alone."""

    def __init__(self, problem: str) -> None:
        super().__init__(0, problem)


def refusal(status: os.stat_result) -> str:
    """Why a file or directory with this status is not used; empty when it is this user's, or root's.

    Always empty on Windows, where the permissions of the directory decide.
    """
    if os.name == "nt" or status.st_uid in (0, os.geteuid()):
        return ""
    return f"it belongs to another user (uid {status.st_uid})"


def risk(status: os.stat_result) -> str:
    """Who else may write to a directory of this status; empty when nobody."""
    if os.name == "nt":
        return ""
    if status.st_mode & stat.S_IWOTH:
        return "every user of this machine may write to it"
    return "its group may write to it" if status.st_mode & stat.S_IWGRP else ""


def exposed(path: str) -> str:
    """What lets others put another file in the place of this one; empty when nothing does.

    Every directory on the way counts, links on it included: whoever may rename in one of them decides where
    the path leads.
    """
    seen: set[str] = set()
    for way in (os.path.abspath(path), os.path.realpath(path)):
        directory = os.path.dirname(way)
        while directory not in seen:
            seen.add(directory)
            try:
                status = os.stat(directory)
            except OSError:
                status = None  # not there yet
            if status is not None and (problem := _lets_rename(status)):
                return f"{directory}: {problem}"
            directory = os.path.dirname(directory)
    return ""


def _lets_rename(status: os.stat_result) -> str:
    is_sticky = bool(status.st_mode & stat.S_ISVTX)  # as /tmp: only a file's owner may move it
    return refusal(status) or ("" if is_sticky else risk(status))
