"""The fields of a request's head, as ASGI has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope


def field(scope: Scope, name: bytes) -> str:
    """What is said under a name in lower case; an empty string if nothing is.

    RFC 9110, section 5.3: "A recipient MAY combine multiple field lines within a field section that have the same
    field name into one field line, without changing the semantics of the message, by appending each subsequent field
    line value to the initial field line value in order, separated by a comma".
    """
    found = [value for known, value in scope["headers"] if known == name]
    return b", ".join(found).decode("latin-1") if found else ""
