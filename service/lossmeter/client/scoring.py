"""POST /v1/score: in one request if the server takes it, else in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lossmeter.client import messages
from lossmeter.client.errors import InvalidInputError, TooLargeError, UnsupportedMediaTypeError
from lossmeter.client.parts import Whole

if TYPE_CHECKING:
    from lossmeter.client.batch import Batch
    from lossmeter.client.retries import Deadline
    from lossmeter.client.session import Session
    from lossmeter.client.steps import Steps
    from lossmeter.engine import Scores

PATH = "/v1/score"


def score(session: Session, batch: Batch, deadline: Deadline) -> Steps[Scores]:
    """The scores of a batch of any size."""
    if room(session, batch) >= batch.size:
        try:
            return (yield from once(session, batch, deadline))
        except TooLargeError as error:
            session.limits.learn(error)
            if batch.size == 1:
                raise
    batch.check_lengths()
    return (yield from _in_parts(session, batch.with_weights(), deadline))


def once(session: Session, batch: Batch, deadline: Deadline) -> Steps[Scores]:
    """The scores of a batch that goes in one request; a server that reads no bytes gets JSON, now and from now on."""
    codec = messages.codec(binary=session.binary)
    try:
        answer = yield from session.ask("POST", PATH, deadline, codec.write(batch))
    except UnsupportedMediaTypeError:
        if not session.binary:
            raise
        session.binary = False
        return (yield from once(session, batch, deadline))
    return messages.scores(answer, batch.dtype)


def room(session: Session, batch: Batch) -> int:
    """How many rows like these fit in a request, as far as is known; at least 1."""
    limits, rows = session.limits, batch.size
    if limits.max_bytes is not None:
        fixed, each = messages.codec(binary=session.binary).room(batch)
        rows = min(rows, (limits.max_bytes - fixed) // max(each, 1))
    if limits.max_elements is not None:
        fixed, each = messages.numbers(batch)
        rows = min(rows, (limits.max_elements - fixed) // max(each, 1))
    return max(rows, 1)


def _in_parts(session: Session, batch: Batch, deadline: Deadline) -> Steps[Scores]:
    reduction = batch.options.get("reduction", "mean")
    whole = Whole(batch.size, reduction, batch.options.get("normalization", "weight"))
    asked = batch.saying(reduction="none" if reduction == "none" else "sum")
    start, most = 0, batch.size // 2
    while start < batch.size:
        rows = min(most, room(session, asked), batch.size - start)
        try:
            part = yield from once(session, asked.part(start, start + rows), deadline)
        except TooLargeError as error:
            session.limits.learn(error)
            if rows == 1:
                raise
            # Also where the refusal is a proxy's, which tells no limit.
            most = rows // 2
        except InvalidInputError as error:
            raise error.at_row(start) from None
        else:
            whole.put(start, part)
            start += rows
    return whole.scores()
