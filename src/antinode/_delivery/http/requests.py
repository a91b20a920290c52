"""What stands before the body of a request."""

from __future__ import annotations

from collections.abc import Mapping


def request_front(target: str, host: str, headers: Mapping[str, str]) -> bytes:
    """The request line and headers of a POST; its length and an empty line are to follow.

    Raises `ValueError` for what would not stay on its line, or is no Latin-1: a request's own headers are
    an application's.
    """
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    front = "".join([f"{line}\r\n" for line in lines]).encode("latin-1")
    if front.count(b"\n") != len(lines) or front.count(b"\r") != len(lines) or b"\0" in front:
        raise ValueError("a header cannot be sent: names and values must each be on one line")
    return front
