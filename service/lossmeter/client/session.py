"""What the calls of a client have in common: whom they ask, how, and what they have learned of the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import lossmeter
from lossmeter.client import answers
from lossmeter.client.errors import DeadlineExceededError, LossmeterClientError
from lossmeter.client.retries import Policy
from lossmeter.client.steps import Answer, Exchange, Pause

if TYPE_CHECKING:
    from lossmeter.client.errors import TooLargeError
    from lossmeter.client.messages import Message
    from lossmeter.client.retries import Deadline
    from lossmeter.client.steps import Steps

SUCCESS: Final = 200

MAX_BYTES: Final = 64 << 20
"""The largest body that a server takes if nobody has set it otherwise."""


@dataclass(slots=True)
class Limits:
    """What the server takes in one request, as far as it is known; threads may learn at the same time.

    Attributes:
        max_bytes: most bytes of a body.
        max_elements: most numbers, if known.
    """

    max_bytes: int = MAX_BYTES
    max_elements: int | None = None

    def learn(self, error: TooLargeError) -> None:
        """Take over what a refusal tells; a smaller limit that was chosen stays."""
        if told := error.max_body_bytes:
            self.max_bytes = min(told, self.max_bytes)
        if told := error.max_elements:
            self.max_elements = min(told, self.max_elements or told)


@dataclass(slots=True)
class Session:
    """One client's view of its server.

    Attributes:
        base_url: of the server, with the path under which a proxy publishes it, without a slash at the end.
        policy: how failures are borne.
        limits: what one request may hold.
        binary: whether arrays travel as bytes; turned off by a server that reads JSON alone.
        key: what to show at the door, if anything.
    """

    base_url: str
    policy: Policy
    limits: Limits = field(default_factory=Limits)
    binary: bool = True
    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                f"base_url is an http or https address such as http://127.0.0.1:8000, not {self.base_url!r}"
            )
        self.base_url = self.base_url.rstrip("/")

    def exchange(self, method: str, path: str, deadline: Deadline, message: Message) -> Exchange:
        """A request that has the rest of the call's time.

        Raises:
            DeadlineExceededError: there is none.
        """
        left = deadline.left()
        if left is not None and left <= 0:
            raise DeadlineExceededError("the deadline of the call has passed")
        headers = {"User-Agent": f"lossmeter-client/{lossmeter.__version__}", **message.headers}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        if method == "POST":
            headers["Content-Length"] = str(message.size)
        return Exchange(
            method,
            f"{self.base_url}{path}" + (f"?{urlencode(message.query)}" if message.query else ""),
            headers,
            message.body,
            timeout=min((limit for limit in (self.policy.timeout, left) if limit is not None), default=None),
            seconds=left,
        )

    def ask(self, method: str, path: str, deadline: Deadline, message: Message) -> Steps[Answer]:
        """The answer to a request, of status 200, after as many attempts as it takes.

        Raises:
            LossmeterClientError: there was none, or another, at every attempt that the policy allows.
        """
        failure: LossmeterClientError | None = None
        retried = 0
        while True:
            try:
                answer = yield from self.attempt(method, path, deadline, message)
                if answer.status == SUCCESS:
                    return answer
                raise answers.refusal(answer)
            except DeadlineExceededError as error:
                raise error from failure or error.__cause__
            except LossmeterClientError as error:
                failure = error
            yield Pause(self.policy.pause(failure, retried, deadline))
            retried += 1

    def attempt(self, method: str, path: str, deadline: Deadline, message: Message) -> Steps[Answer]:
        """The answer to a request that is sent once, whatever its status."""
        answer: Answer = yield self.exchange(method, path, deadline, message)
        return answer
