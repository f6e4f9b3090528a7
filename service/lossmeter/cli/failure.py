"""How a command gives up: with a message for the person who typed it, never with a traceback."""

from __future__ import annotations

from typing import Final

REFUSED: Final = 1
BAD_USAGE: Final = 2


class Failure(Exception):  # noqa: N818  (it is a way to end, not an error of the program)
    """The command cannot go on.

    Attributes:
        status: the exit status, ``REFUSED`` or ``BAD_USAGE``.
    """

    def __init__(self, message: str, status: int = REFUSED) -> None:
        super().__init__(message)
        self.status = status
