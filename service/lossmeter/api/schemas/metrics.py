"""POST /v1/metrics: its request, its answer and its examples."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, Field

from lossmeter.api.schemas.arrays import Number, Vector
from lossmeter.api.schemas.batch import Binning, Window
from lossmeter.api.schemas.document import optional
from lossmeter.api.schemas.names import Names
from lossmeter.api.schemas.state import StateAnswer
from lossmeter.api.schemas.windows import SLICES_HELP, SliceAnswers
from lossmeter.engine import METRICS

MetricNames: TypeAlias = Annotated[tuple[str, ...], Names(tuple(METRICS), default=None)]
"""Names of metrics."""

Measurement: TypeAlias = Number | list[Vector] | dict[str, Number | Vector]
"""A number; the confusion matrix; or an object of numbers and lists."""

MEASUREMENTS_HELP: Final = (
    "By name: a number, an object of numbers and lists (one number per class, bin or entry), or the "
    "confusion matrix, `Float[classes, classes]`, rows by truth. Losses and their parts are in nats."
)
UNDEFINED_HELP: Final = (
    "Why metrics are missing from `metrics`, by name; or why one of their parts is `NaN`, by path, "
    "such as `roc_auc.per_class.3`; of a list with more than 256 of them by that of the list."
)


class MetricsRequest(Window):
    """A classifier's outputs and the truth. Exactly one of logits, probabilities and log_probabilities."""

    metrics: MetricNames = optional("Which metrics; default: all that apply. GET /v1/metrics explains them.")
    binning: Binning = "equal_width"
    include: Annotated[tuple[str, ...], Names(("state",))] = optional(
        "What the answer carries in addition; default: nothing. `state` is a summary of the batch that adds up "
        "with others: see /v1/merge."
    )


class MetricsAnswer(BaseModel):
    """The metrics, and why those that are missing are."""

    count: int = Field(ge=0, description="Rows measured.")
    ignored: int = Field(ge=0, description="Rows ignored because of `ignore_index`.")
    weight: Number = Field(
        description="The sum of the row weights: of class weight × sample weight, 1 where there are none."
    )
    class_weights: Vector = optional("`Float[classes]`, as used. Only if the request had any.")
    metrics: dict[str, Measurement] = Field(description=MEASUREMENTS_HELP)
    undefined: dict[str, str] = Field(description=UNDEFINED_HELP)
    slices: SliceAnswers = optional(SLICES_HELP)
    state: StateAnswer = optional("The state of the batch. Only when asked for in `include`.")


_THREE: Final[dict[str, Any]] = {
    "logits": [[2.0, 0.5, -1.0], [0.1, 0.2, 3.0], [1.1, 1.0, 0.3], [-0.5, 2.5, 0.0]],
    "targets": [0, 2, 1, 1],
}

EXAMPLES: Final[dict[str, Any]] = {
    "all": {
        "summary": "three classes, every metric",
        "description": "Three of four rows are right: the accuracy is 0.75.",
        "value": _THREE,
    },
    "binary": {
        "summary": "two classes, one probability per row",
        "value": {
            "probabilities": [0.9, 0.2, 0.7, 0.4],
            "targets": [1, 0, 0, 1],
            "metrics": ["roc_auc", "average_precision", "brier_score", "log_loss"],
        },
    },
    "calibration": {
        "summary": "calibration in five bins of equal mass",
        "value": _THREE
        | {
            "metrics": ["expected_calibration_error", "reliability_curve"],
            "bins": 5,
            "binning": "equal_mass",
            "temperature": 1.3,
        },
    },
    "slices": {
        "summary": "slices, clusters, and a state to be merged with others",
        "value": _THREE
        | {
            "metrics": ["accuracy"],
            "slices": {"region": ["north", "south", "north", "south"], "device": ["a", "a", "b", "b"]},
            "cluster": [17, 17, 4, 5],
            "include": ["state"],
            "state_encoding": "binary",
        },
    },
    "weights": {
        "summary": "balanced class weights, sample weights and an ignored row",
        "value": {
            "logits": [[2.0, 0.5], [0.3, 0.1], [-1.0, 1.0], [0.0, 0.0]],
            "targets": [0, 0, 1, -100],
            "class_weights": "balanced",
            "sample_weights": [1.0, 0.5, 2.0, 1.0],
            "ignore_index": -100,
            "metrics": ["accuracy", "balanced_accuracy", "confusion_matrix", "f1"],
        },
    },
}
"""Named requests for the documentation."""
