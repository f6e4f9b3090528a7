"""What the requests that carry a batch have in common: predictions, the truth, weights, and what slices it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, WithJsonSchema

from lossmeter.api.schemas.arrays import (
    CLASS_INDEX,
    NOT_NEGATIVE,
    UNIT_INTERVAL,
    Integer,
    Logits,
    LogProbabilities,
    Probabilities,
    Vector1,
    VectorOrMatrix,
    either,
    matrix,
    vector,
)
from lossmeter.api.schemas.class_weights import WeightsChoice
from lossmeter.api.schemas.document import Document, optional
from lossmeter.api.schemas.names import Labels

Truth = Annotated[
    VectorOrMatrix, WithJsonSchema(either(vector(CLASS_INDEX), matrix(UNIT_INTERVAL), vector(UNIT_INTERVAL)))
]
"""Class indices or distributions."""

SampleWeights = Annotated[Vector1, WithJsonSchema(vector(NOT_NEGATIVE))]
Temperature = Annotated[float, Field(gt=0)]
Tolerance = Annotated[float, Field(ge=0, lt=1)]


class Predictions(Document):
    """What a classifier said of each row. Exactly one of logits, probabilities and log_probabilities."""

    exactly_one: ClassVar = (("logits", "probabilities", "log_probabilities"),)

    logits: Logits = optional(
        "Unnormalised scores, `Float[n, classes]`, or with a binary loss `Float[n]` or `Float[n, labels]`. "
        '`"-Infinity"` masks a class: probability 0. `"NaN"` and `"Infinity"` are refused, but in ignored '
        "rows."
    )
    probabilities: Probabilities = optional(
        "Probabilities, of the same shapes: each in [0, 1]; rows sum to 1 within `tolerance` and are "
        "never renormalised. Of rank 1, or with a binary loss, each is the probability of a 1, and nothing "
        "is summed."
    )
    log_probabilities: LogProbabilities = optional(
        'Natural logarithms of probabilities, of the same shapes, each ≤ 0 (`"-Infinity"` for probability '
        "0); the logsumexp of a row is 0 within `tolerance`."
    )
    tolerance: Tolerance = Field(
        default=1e-6,
        description="How far a row's sum may be from 1, for probabilities and for soft targets; in [0, 1).",
    )


class Batch(Predictions):
    """Predictions beside the truth."""

    targets: Truth = Field(
        description="The truth: class indices `Int[n]` from 0, or one distribution per row, `Float[n, "
        "classes]`, one-hot or soft, each row summing to 1 within `tolerance`. With a binary loss: 0, 1 "
        "or between, of the input's shape."
    )
    class_weights: WeightsChoice = optional(
        '`Float[classes]` ≥ 0; or `"balanced"` or a scheme object, computed from this request\'s targets '
        "and returned. A binary loss of rank 1 takes two: the weights of 0 and of 1; of rank 2 one per "
        "label. Default: none."
    )
    sample_weights: SampleWeights = optional("`Float[n]` ≥ 0: the weight of each row. Default: none.")
    ignore_index: Integer = optional(
        "Rows whose class index equals it count nowhere: loss 0, gradient 0 and 0 in all else that the "
        "answer has of the row, even if it holds NaN. Needs class indices as targets. Default: none."
    )


class Window(Batch):
    """A batch of one model at one temperature."""

    temperature: Temperature = Field(
        default=1.0,
        description="Logits are divided by it first; > 0, without unit. Gradients are with respect to the "
        "logits as sent. Other than 1 it needs `logits`.",
    )
    labels: Labels = optional(
        "Which series of the exported metrics this request belongs to: up to 16 short strings by name, "
        'e.g. `{"model": "fraud", "version": "3"}`. They change nothing in the answer. Default: none.'
    )
