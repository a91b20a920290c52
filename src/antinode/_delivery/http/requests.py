"""What stands before the body of a request."""

from __future__ import annotations

from collections.abc import Mapping


def request_head(target: str, host: str, headers: Mapping[str, str], length: int) -> bytes:
    """The request line and headers of a POST with a body of so many bytes.

    Raises `ValueError` for what would not stay on its line, or is no Latin-1: a request's own headers are
    an application's.
    """
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {length}", "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    ends = len(lines) - 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise ValueError("a header cannot be sent: names and values must each be on one line")
    return head
