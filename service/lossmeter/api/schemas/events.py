"""/v1/events and /v1/feedback: their requests, their answers and their examples."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from lossmeter.api.schemas.batch import Truth
from lossmeter.api.schemas.document import Document, optional
from lossmeter.api.schemas.metrics import MetricNames
from lossmeter.api.schemas.names import Labels, Names
from lossmeter.api.schemas.problem import Offender
from lossmeter.api.schemas.report import ReportAnswer
from lossmeter.api.schemas.windows import Level
from lossmeter.engine.options import Input
from lossmeter.errors import InvalidInputError
from lossmeter.wire.cloudevents import LONGEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL_METRICS: Final = ("accuracy", "expected_calibration_error")

_FLAGS: Final = {"true": True, "false": False}


def _flag(value: object) -> object:
    """The query has only text."""
    return _FLAGS.get(value, value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise InvalidInputError.at(detail="must hold printable characters alone", value=text)
    return text


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InvalidInputError.at(detail="must be a day such as 2026-11-30", value=text) from None


def _usable(targets: Any) -> Any:  # noqa: ANN401 - an array
    """What no prediction could fit is refused before it waits for one."""
    _refuse(~(np.isfinite(targets) & (targets >= 0)), targets, "must be a number of at least 0")
    if targets.ndim == 1 and (targets > 1).any():
        _refuse(targets != np.floor(targets), targets, "must be a class, as one of them is greater than 1")
    return targets


def _refuse(wrong: NDArray[np.bool_], targets: NDArray[Any], detail: str) -> None:
    """Names the first that is wrong, if one is."""
    if wrong.any():
        first = tuple(int(axis[0]) for axis in np.nonzero(wrong))
        raise InvalidInputError.at(*first, detail=detail, value=targets[first])


Day: TypeAlias = Annotated[str, Field(min_length=10, max_length=10), AfterValidator(_day)]
"""A date in UTC."""


class FeedbackRequest(Document):
    """What was true, of everything that models predicted under an id."""

    id: Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_printable)] = Field(
        description="Of the inference: the header `Ce-Id` that its caller sent, or what KServe's logger gave it."
    )
    targets: Annotated[Truth, AfterValidator(_usable)] = Field(
        description="The truth of each of its rows: class indices `Int[n]` from 0, or distributions `Float[n, "
        "classes]`; where the model gives one number per row, 0, 1 or between."
    )
    labels: Labels = optional(
        'Labels for the series beside those of the model, such as `{"version": "3", "slice": "mobile"}`. Default: none.'
    )


class FeedbackAnswer(BaseModel):
    """What became of it."""

    outcome: Literal["waiting", "scored", "duplicate"] = Field(
        description="`waiting`: kept until the prediction comes. `scored`. `duplicate`: it had been told before, and "
        "changed nothing."
    )
    rows: int = Field(ge=0, description="Rows that were scored.")


class EventsQuery(Document):
    """What the numbers of a model are, where that is not what the settings say of all."""

    input: Input = optional("What its outputs are.")
    output: Annotated[str, Field(min_length=1)] = optional("The output that is scored, by name.")
    targets: Annotated[str, Field(min_length=1)] = optional("The input that holds the truth, by name.")
    binary: Annotated[bool, BeforeValidator(_flag)] = optional(
        "Whether one number per row is that of the second of two classes."
    )


class EventsAnswer(BaseModel):
    """What became of the events. All that was not refused is on the disk."""

    waiting: int = Field(ge=0, description="Kept until their other half comes.")
    scored: int = Field(ge=0, description="Made a pair with what was there.")
    duplicate: int = Field(ge=0, description="Had come before, and changed nothing.")
    passed_over: int = Field(ge=0, description="Of types that tell nothing here.")
    refused: int = Field(ge=0, description="Of a batch, those that `errors` is about; a single one is a 422.")
    rows: int = Field(ge=0, description="Rows that were scored.")
    errors: list[Offender] = optional(
        "Of a batch, what is wrong with the first that were refused.", max_length=20
    )


class EventsReportQuery(Document):
    """Of which days and series, and what is told of each."""

    since: Day = optional("The first day, UTC; default: six days before the last.")
    until: Day = optional("The last day, UTC; default: today.")
    labels: Labels = optional('Only series with these labels, such as `{"model": "fraud"}`. Default: all.')
    level: Level = 0.95
    metrics: MetricNames = optional(
        f"Which metrics, as /v1/report has them; default: {', '.join(USUAL_METRICS)}."
    )
    include: Annotated[tuple[str, ...], Names(("state",))] = optional(
        "`state`: what /v1/compare and /v1/merge take, as a base64 string. Default: nothing."
    )


class SeriesReport(BaseModel):
    """What a series came to. Rows with another number of classes are a series of their own."""

    labels: dict[str, str] = Field(description="Its labels.")
    since: str = Field(
        description="The first day of the period with rows, UTC: that on which they were scored."
    )
    until: str = Field(description="The last one.")
    report: ReportAnswer
    state: str = optional("Its state.")


class Waiting(BaseModel):
    """What waits for its other half."""

    requests: int = Field(ge=0, description="Requests without an answer.")
    predictions: int = Field(ge=0, description="Predictions without the truth.")
    truths: int = Field(ge=0, description="Truths without a prediction.")


class EventsReport(BaseModel):
    """What events came to."""

    series: list[SeriesReport] = Field(description="By their labels.")
    waiting: Waiting
    rows: int = Field(
        ge=0, description="In the store: exchanges and truths, also those that are only known again."
    )
    bytes: int = Field(ge=0, description="Of their arrays.")


class CloudEvent(BaseModel):
    """An event in JSON (CloudEvents 1.0.2). Other attributes, such as `inferenceservicename`, are taken as well."""

    specversion: Literal["1.0", "0.3"]
    id: str = Field(min_length=1, max_length=LONGEST)
    source: str = Field(min_length=1, max_length=LONGEST)
    type: str = Field(min_length=1, max_length=LONGEST)
    data: Any = optional("JSON, or text.")
    data_base64: str = optional("Bytes.")


_RESPONSE: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "4bd2a5c0",
    "source": "http://localhost:9081/",
    "type": "org.kubeflow.serving.inference.response",
    "inferenceservicename": "fraud",
    "namespace": "shop",
    "component": "predictor",
    "datacontenttype": "application/json",
    "data": {
        "model_name": "fraud",
        "outputs": [{"name": "p", "shape": [2, 2], "datatype": "FP32", "data": [0.9, 0.1, 0.4, 0.6]}],
    },
}

EXAMPLES: Final[dict[str, Any]] = {
    "response": {"summary": "what a model answered, in structured mode", "value": _RESPONSE},
    "feedback": {
        "summary": "what was true, as an event",
        "value": {
            "specversion": "1.0",
            "id": "0001",
            "source": "/chargebacks",
            "type": "io.lossmeter.feedback",
            "data": {"id": "4bd2a5c0", "targets": [0, 1]},
        },
    },
}
"""Named events for the documentation."""

FEEDBACK_EXAMPLES: Final[dict[str, Any]] = {
    "classes": {"summary": "two rows", "value": {"id": "4bd2a5c0", "targets": [0, 1]}},
    "labels": {
        "summary": "with labels for the series",
        "value": {"id": "9e107d9d", "targets": [1], "labels": {"slice": "mobile"}},
    },
}
"""Named requests for the documentation."""
