"""Events of inference servers as calls: what was true goes in, and what it came to comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from lossmeter.client import answers, messages, scoring
from lossmeter.client.results import Answer
from lossmeter.wire import json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from numpy.typing import ArrayLike

    from lossmeter.client.session import Session
    from lossmeter.client.steps import Steps


def feedback(
    session: Session,
    id: str,  # noqa: A002 - its name
    targets: ArrayLike,
    *,
    labels: Mapping[str, str] | None = None,
) -> Steps[Answer]:
    """Tell what was true of an inference that the server hears of by events.

    Args:
        session: the client's.
        id: of the inference: the ``Ce-Id`` that its caller sent, or what the logger gave it.
        targets: the truth of each of its rows, classes or distributions.
        labels: for its series, beside those of the model.

    Returns:
        ``outcome``, which is ``waiting``, ``scored`` or ``duplicate``, and how many ``rows`` were scored.
    """
    document = {"id": id, "targets": targets, "labels": labels}
    return Answer((yield from scoring.post(session, "/v1/feedback", document)))


def events(  # noqa: PLR0913 - one argument for each option
    session: Session,
    *,
    since: date | str | None = None,
    until: date | str | None = None,
    labels: Mapping[str, str] | None = None,
    level: float | None = None,
    metrics: Collection[str] | None = None,
    include: Collection[str] | None = None,
) -> Steps[Answer]:
    """What events came to, of every series with these labels, over these days (UTC, both included).

    With ``include=["state"]`` each of ``series`` has the ``state`` that ``compare`` and ``merge`` take.
    """
    options: dict[str, Any] = {
        "since": since,
        "until": until,
        "labels": None if labels is None else json.encode(dict(labels)).decode(),
        "level": level,
        "metrics": None if metrics is None else ",".join(metrics),
        "include": None if include is None else ",".join(include),
    }
    query = urlencode({name: value for name, value in options.items() if value is not None})
    message = messages.Message({"Accept": answers.JSON})
    answer = yield from session.ask("GET", f"/v1/events?{query}", session.policy.begin(), message)
    return Answer(answers.document(answer))
