"""POST /v1/score: in one request if the server takes it, else in parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lossmeter.client import answers, messages, slices
from lossmeter.client.batch import plain
from lossmeter.client.errors import InvalidInputError, TooLargeError, UnsupportedMediaTypeError
from lossmeter.client.parts import Whole
from lossmeter.wire import json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lossmeter.client.batch import Batch
    from lossmeter.client.results import Scores
    from lossmeter.client.retries import Deadline
    from lossmeter.client.session import Session
    from lossmeter.client.steps import Steps

PATH: Final = "/v1/score"

_BESIDE_STATES: Final = 64

USUAL: Final = ("losses", "gradients", "kl")
"""What an answer carries if nobody says it."""


def score(session: Session, batch: Batch, deadline: Deadline) -> Steps[Scores]:
    """The scores of a batch of any size."""
    if room(session, batch) >= batch.size:
        try:
            return (yield from once(session, batch, deadline))
        except TooLargeError as error:
            session.limits.learn(error)
            if batch.size == 1:
                raise
    batch.check_can_be_cut()
    # A state takes no weights that another shard would not have, which the server says.
    if batch.has_scheme and "state" not in batch.options.get("include", ()):
        batch = batch.with_weights(batch.counts())
    return (yield from _in_parts(session, batch, deadline))


def once(session: Session, batch: Batch, deadline: Deadline) -> Steps[Scores]:
    """The scores of a batch that goes in one request; a server that reads no bytes gets JSON, at once and then on."""
    # The names of slices would be lost among the dotted names of npz.
    accept = answers.JSON if "slices" in batch.options else f"{answers.NPZ}, {answers.JSON};q=0.5"
    binary = session.binary
    message = messages.codec(batch, binary=binary).write(batch, accept)
    try:
        answer = yield from session.ask("POST", PATH, deadline, message)
    except UnsupportedMediaTypeError:
        if not binary:
            raise
        session.binary = False
        return (yield from once(session, batch, deadline))
    return messages.scores(answer, batch.dtype)


def post(session: Session, path: str, fields: Mapping[str, Any]) -> Steps[dict[str, Any]]:
    """The document that answers a document without None; arrays are NumPy's on both sides, and float64."""
    given = {name: messages.wide(plain(value)) for name, value in fields.items() if value is not None}
    answer = yield from session.ask("POST", path, session.policy.begin(), messages.document(given))
    return answers.document(answer)


def encoding(include: Collection[str] | None) -> dict[str, str]:
    """The option that makes a state of the answer text, if one is asked for."""
    return {"state_encoding": "binary"} if "state" in (include or ()) else {}


def room(session: Session, batch: Batch) -> int:
    """How many rows like these fit in a request, as far as is known; at least 1."""
    limits = session.limits
    fixed, each = messages.codec(batch, binary=session.binary).room(batch)
    rows = min(batch.size, (limits.max_bytes - fixed) // max(each, 1))
    if limits.max_elements is not None:
        fixed, each = messages.numbers(batch)
        rows = min(rows, (limits.max_elements - fixed) // max(each, 1))
    return max(rows, 1)


def _in_parts(session: Session, batch: Batch, deadline: Deadline) -> Steps[Scores]:
    reduction = batch.options.get("reduction", "mean")
    whole = Whole(batch.size, reduction, batch.options.get("normalization", "weight"))
    asked = _adding_up(batch).saying(reduction="none" if reduction == "none" else "sum")
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
    return (yield from _with_state(session, batch, whole))


def _adding_up(batch: Batch) -> Batch:
    """The batch asking for a state if it has slices: of all that an answer tells of them, the errors do not add up."""
    include = batch.options.get("include", USUAL)
    if "slices" not in batch.options or "state" in include:
        return batch
    return batch.saying(include=[*include, "state"], **encoding(["state"]))


def _with_state(session: Session, batch: Batch, whole: Whole) -> Steps[Scores]:
    """The scores with what was asked of the state, and what the state says of the slices."""
    scores = whole.scores()
    if not whole.states:
        return scores
    state = yield from merge(session, whole.states)
    if "state" in batch.options.get("include", USUAL):
        scores = replace(scores, state=state)
    if "slices" in batch.options:
        report = yield from post(session, "/v1/report", {"state": state, "metrics": []})
        scores = replace(scores, slices=slices.in_unit(report["slices"], scores.unit))
    return scores


def merge(session: Session, states: Sequence[Any]) -> Steps[str]:
    """One state, as text, of all the rows behind these, which are added up by as many as fit in a request."""
    groups = _grouped(states, session.limits.max_bytes)
    merged = []
    for group in groups:
        found = yield from post(session, "/v1/merge", {"states": group, "state_encoding": "binary"})
        merged.append(str(found["state"]))
    return merged[0] if len(merged) == 1 else (yield from merge(session, merged))


def _grouped(states: Sequence[Any], most: int) -> list[list[Any]]:
    """The states in groups of so many bytes of text, but of two at least: or there would be no end."""
    groups: list[list[Any]] = [[]]
    size = _BESIDE_STATES
    for state in states:
        length = len(state) + 3 if isinstance(state, str) else len(json.encode(state)) + 1
        if size + length > most and len(groups[-1]) > 1:
            groups.append([])
            size = _BESIDE_STATES
        groups[-1].append(state)
        size += length
    return groups
