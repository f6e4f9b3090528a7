"""Whether the caller of a request is still there: nothing is computed for nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from starlette.types import Message, Receive


def gone() -> HTTPException:
    """The answer to a caller who has gone, which nobody reads."""
    return HTTPException(400, "The caller has gone.")


def check_caller(receive: Receive) -> None:
    """Refuses to go on for a caller who has hung up.

    Raises:
        HTTPException: 400, as ``gone`` has it.
    """
    if has_gone(receive):
        raise gone()


def has_gone(receive: Receive) -> bool:
    """Whether the caller has hung up, once the whole request is here; it is asked, and not waited for.

    Starlette's ``Request.is_disconnected`` asks the same within a cancel scope, which costs as much as a small request.
    """
    asking = cast("Coroutine[Any, Any, Message]", receive())
    try:
        asking.send(None)
    except StopIteration as told:
        return bool(told.value["type"] == "http.disconnect")
    asking.close()
    return False
