"""What both clients say to httpx2: how they are opened, what they send, and what its failures mean.

httpx2, because it continues httpx, whose last release is of 2024, with the same names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import httpx2

from lossmeter.client.errors import (
    ConnectionFailedError,
    DeadlineExceededError,
    LossmeterClientError,
    UnexpectedAnswerError,
)
from lossmeter.client.retries import Policy
from lossmeter.client.session import MAX_BYTES, Limits, Session
from lossmeter.client.steps import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lossmeter.client.steps import Buffer, Exchange

H = TypeVar("H")
"""A client of httpx2."""
T = TypeVar("T")
"""A transport of httpx2."""

LATE: Final = "the deadline of the call passed while an answer was awaited"

_FINAL: Final = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)


class Connection(ABC, Generic[H, T]):
    """A client of one server, whatever its way of waiting.

    The arguments are told at ``Client``.

    Attributes:
        session: what all calls have in common.
    """

    def __init__(  # noqa: PLR0913 - what one may want to say, each with a default
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout: float | None = 30.0,
        deadline: float | None = 120.0,
        retries: int = 5,
        max_bytes: int = MAX_BYTES,
        binary: bool = True,
        transport: T | None = None,
        http: H | None = None,
    ) -> None:
        policy = Policy(retries, deadline, timeout)
        self.session = Session(base_url, policy, Limits(max_bytes), binary, api_key)
        self._is_owner = http is None
        self._http: H = self._open(transport) if http is None else http

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.session.base_url!r})"

    @abstractmethod
    def _open(self, transport: T | None) -> H:
        """A client of httpx2 on this transport."""


def words(step: Exchange) -> dict[str, Any]:
    """What ``build_request`` of either client takes, but for the body."""
    return {
        "method": step.method,
        "url": step.url,
        "headers": dict(step.headers),
        "timeout": step.timeout,
    }


def answer(response: httpx2.Response, body: Buffer) -> Answer:
    """The answer that a response and its body are."""
    return Answer(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, body
    )


@contextmanager
def translated(step: Exchange) -> Iterator[None]:
    """Raises what httpx2 raises as the errors of this package.

    Raises:
        LossmeterClientError: whatever failed.
    """
    try:
        yield
    except httpx2.TimeoutException as error:
        if step.timeout == step.seconds:
            raise DeadlineExceededError(LATE) from error
        raise ConnectionFailedError(f"the connection stood still for too long: {_said(error)}") from error
    except httpx2.TransportError as error:
        if isinstance(error, _FINAL):
            raise LossmeterClientError(f"the request cannot be sent: {_said(error)}") from error
        raise ConnectionFailedError(f"the connection failed: {_said(error)}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise UnexpectedAnswerError(f"the answer cannot be read: {_said(error)}") from error
    except TimeoutError as error:
        raise DeadlineExceededError(LATE) from error


def _said(error: Exception) -> str:
    """The kind of failure, and what httpx2 says of it, which may be nothing."""
    return f"{type(error).__name__}{f' ({error})' if str(error) else ''}"
