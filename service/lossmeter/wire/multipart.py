"""A form with one file in it (RFC 7578), as a browser sends it: the file is a view of the body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lossmeter.errors import MalformedBodyError

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")
_LONGEST_HEAD: Final = 8192


def read_file(body: Buffer, boundary: str) -> memoryview:
    """The content of the only part of a form.

    Args:
        body: the whole form.
        boundary: the parameter of the Content-Type header.

    Raises:
        MalformedBodyError: it is no form, or has no part or several.
    """
    # RFC 2046, 5.1.1: what a boundary may consist of, and where it stands.
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedBodyError("The Content-Type header has no boundary that is one.")
    if isinstance(body, memoryview):
        raise MalformedBodyError("A form in a form is not taken.")
    mark = b"--" + boundary.encode("ascii")
    if not body.startswith(mark + b"\r\n"):
        raise MalformedBodyError("The body does not begin with the boundary of the Content-Type header.")
    head = body.find(b"\r\n\r\n", len(mark), len(mark) + _LONGEST_HEAD)
    end = body.find(b"\r\n" + mark, max(head, 0))
    if head < 0 or end < 0:
        raise MalformedBodyError("The form is cut off, or its part has no headers.")
    if not body.startswith(b"--", end + 2 + len(mark)):
        raise MalformedBodyError(
            "The form has several parts; one file is taken, and options go into the query."
        )
    return memoryview(body)[head + 4 : end]
