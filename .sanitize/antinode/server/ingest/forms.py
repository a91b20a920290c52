"""The fields of a form: of a query, of an urlencoded body, or of a multipart one."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

_MAX_FIELDS: Final = 100
"""The APIs that take forms know five fields at most."""

_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NAME: Final = re.compile(
    rb'^content-disposition:[^\r\n]*;\s*name="([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE
)


def query_fields(query: str) -> dict[str, str]:
    """The parameters of a query. Of several with one name the last counts; far too many count as none."""
    # A query comes from outside as it is: lone surrogates in it could not be encoded again.
    query = query.encode("utf-8", "replace").decode()
    try:
        return dict(parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


def body_fields(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a body; none if it is no form. What is not UTF-8 is replaced."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return {}
    if kind != "multipart/form-data":
        return query_fields(body.decode("utf-8", "replace").strip())
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return {}
    return _parts(b"\r\n" + body, b"\r\n--" + (boundary[1] or boundary[2]).encode("utf-8", "replace"))


def _parts(body: bytes, delimiter: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    # What comes before the first delimiter is no part, nor what follows the last.
    for part in body.split(delimiter, _MAX_FIELDS)[1:]:
        head, found, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if found and name and not part.startswith(b"--"):
            fields[name[1].decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return fields
