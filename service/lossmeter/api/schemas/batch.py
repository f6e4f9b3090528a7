"""What the requests that carry a batch have in common: predictions, the truth, weights, and what slices it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

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
    whole,
)
from lossmeter.api.schemas.class_weights import MOST_CLASSES, WeightsChoice
from lossmeter.api.schemas.document import Document, optional
from lossmeter.api.schemas.names import Labels
from lossmeter.api.schemas.state import StateEncoding
from lossmeter.api.schemas.strings import Cluster, Slices

Truth = Annotated[
    VectorOrMatrix, WithJsonSchema(either(vector(CLASS_INDEX), matrix(UNIT_INTERVAL), vector(UNIT_INTERVAL)))
]
"""Class indices or distributions."""

SampleWeights = Annotated[Vector1, WithJsonSchema(vector(NOT_NEGATIVE))]
Temperature = Annotated[float, Field(gt=0)]
Tolerance = Annotated[float, Field(ge=0, lt=1)]

# The range stands before what reads 3.0 as 3: behind it, Pydantic has no word of JSON Schema for it.
Bins = Annotated[
    int,
    Field(
        ge=1,
        le=1000,
        description="How many bins of confidence calibration is measured in, 1 to 1000: bin b holds confidences "
        "in (b/bins, (b+1)/bins], the first one 0, too.",
    ),
    BeforeValidator(whole),
]
Binning = Annotated[
    Literal["equal_width", "equal_mass"],
    Field(
        description="Bins of the same width, or of the same weight: then their edges are quantiles of this "
        "batch, and do not add up with those of another."
    ),
]


class Predictions(Document):
    """What a classifier said of each row. Exactly one of logits, probabilities and log_probabilities."""

    exactly_one: ClassVar = (("logits", "probabilities", "log_probabilities"),)

    logits: Logits = optional(
        "Unnormalised scores, `Float[n, classes]`, or of two classes `Float[n]`: the score of class 1 against "
        "0 for class 0. /v1/score takes rank 1 with a binary loss only, and with it `Float[n, labels]`, too. "
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
    """A batch that may be sliced, and leave a state behind that adds up with others."""

    temperature: Temperature = Field(
        default=1.0,
        description="Logits are divided by it first; > 0, without unit. Gradients are with respect to the "
        "logits as sent. Other than 1 it needs `logits`.",
    )
    slices: Slices = optional(
        "Columns to slice by, an object of `String[n]`: one value per row for each dimension, such as "
        '`{"region": ["north", "south"]}`; up to 16 dimensions, and 10000 different values in all. Default: none.'
    )
    cluster: Cluster = optional(
        "Rows that belong together, such as those of one user: `String[n]` or `Int[n]`. Intervals then "
        "count clusters, not rows. Merged states must not share a cluster. Default: every row by itself."
    )
    bins: Bins = 15
    k: Annotated[int, Field(ge=1, le=MOST_CLASSES), BeforeValidator(whole)] = Field(
        default=5,
        description="A row counts for `top_k_accuracy` if its class is among the k most probable; ≥ 1. Of equals, "
        "the lower index is the more probable.",
    )
    state_encoding: StateEncoding = "json"
    labels: Labels = optional(
        "Which series of the exported metrics this request belongs to: up to 16 short strings by name, "
        'e.g. `{"model": "fraud", "version": "3"}`. They change nothing in the answer. Default: none.'
    )
