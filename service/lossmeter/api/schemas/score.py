"""POST /v1/score: its request, its answer and an example for every loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from lossmeter.api.schemas.arrays import Matrix, Number, Vector
from lossmeter.api.schemas.batch import Window
from lossmeter.api.schemas.document import optional
from lossmeter.api.schemas.losses import LossChoice
from lossmeter.api.schemas.names import Names
from lossmeter.api.schemas.state import StateAnswer
from lossmeter.api.schemas.windows import SLICES_HELP, SliceAnswers
from lossmeter.engine import LOSSES
from lossmeter.engine.losses import DivergenceLoss

if TYPE_CHECKING:
    from lossmeter.engine import Loss

PARTS: Final = ("losses", "gradients", "kl", "contributions", "probabilities", "state")
USUAL_PARTS: Final = PARTS[:3]

Reduction = Literal["mean", "sum", "none"]
Unit = Literal["nats", "bits"]


class ScoreRequest(Window):
    """A classifier's outputs and the truth. Exactly one of logits, probabilities and log_probabilities."""

    loss: LossChoice = Field(
        default="cross_entropy",
        description="A loss's name, or an object with its name and parameters: see /v1/losses.",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0,
        description="α in [0, 1): targets become (1−α)·t + α spread evenly over the classes that are not "
        "masked (whose probability as sent is not exactly 0); for binary losses t(1−α) + α/2.",
    )
    reduction: Reduction = Field(
        default="mean",
        description="`mean`, `sum`, or `none`: then `loss` is null and the sum is differentiated.",
    )
    normalization: Literal["weight", "count"] = Field(
        default="weight",
        description="What `mean` divides by: the sum of the row weights, or the number of rows not ignored.",
    )
    unit: Unit = Field(
        default="nats",
        description="Unit of every loss, entropy, divergence and gradient of the answer; bits are nats / "
        "ln 2.",
    )
    epsilon: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        default=0.0,
        description="Probabilities are clipped to at least this, in [0, 0.5); their gradient is then 0. "
        "`kl` and `contributions` are of the clipped ones, `probabilities` of the answer are not. 0 never "
        "clips: a certain miss costs infinity.",
    )
    include: Annotated[tuple[str, ...], Names(PARTS, default=USUAL_PARTS)] = optional(
        "What the answer carries. `state` is a summary of the batch that adds up with others: see /v1/merge."
    )


class KLBreakdown(BaseModel):
    """Where the cross-entropy comes from: the truth's own entropy, and the model's divergence from it."""

    target_entropy: Vector = Field(description="`Float[n]`: H(p) of the targets after smoothing.")
    cross_entropy: Vector = Field(
        description="`Float[n]`: H(p, q) before weights; target_entropy + kl_divergence to the last digit."
    )
    kl_divergence: Vector = Field(description="`Float[n]`: KL(p‖q) ≥ 0, never a tiny negative.")
    by_class: Vector = Field(
        description="`Float[classes]`: the share of the weighted mean KL that falls on each true class; "
        "it adds up. Of a binary loss: of the truths 0 and 1 for `Float[n]`, of each label for `Float[n, "
        "labels]`."
    )


class ScoreAnswer(BaseModel):
    """The loss, and what was asked for in `include`."""

    loss: Number | None = Field(description="The reduced loss; null only with reduction `none`.")
    reduction: Reduction = Field(description="As requested.")
    unit: Unit = Field(description="Unit of every loss, entropy, divergence and gradient here.")
    denominator: Number = Field(
        description="What a mean is divided by, told with every reduction; 0 if no row has weight, and "
        "then loss is 0."
    )
    count: int = Field(ge=0, description="Rows scored.")
    ignored: int = Field(ge=0, description="Rows ignored because of `ignore_index`.")
    class_weights: Vector = optional("`Float[classes]`, as used. Only if the request had any.")
    losses: Vector = optional(
        "`Float[n]`: weighted, unreduced; with `mean`, loss × denominator is their sum."
    )
    gradients: Matrix = optional(
        "The shape of the input: the gradient of `loss` (of the sum for reduction `none`) with respect to "
        "the array as sent."
    )
    kl: KLBreakdown = optional("The KL breakdown of every row.")
    contributions: Matrix = optional("`Float[n, classes]`: pointwise p log(p/q), before weights.")
    probabilities: Matrix = optional("`Float[n, classes]`: the model's, after temperature.")
    slices: SliceAnswers = optional(SLICES_HELP)
    state: StateAnswer = optional("The state of the batch.")


def _example(loss: type[Loss]) -> dict[str, Any]:
    """A small request for a loss, with the defaults of its parameters spelt out."""
    parameters = {parameter.name: parameter.default for parameter in loss.parameters().values()}
    spelt = {name: default for name, default in parameters.items() if default is not None}
    batch: dict[str, Any] = {"logits": [[2.0, 0.5, -1.0], [0.1, 0.2, 3.0]], "targets": [0, 1]}
    if issubclass(loss, DivergenceLoss):
        # From a one-hot truth some divergences are always infinite: true, but no example.
        batch["targets"] = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]
    if loss.binary:
        batch = {"logits": [2.2, -1.3, 0.4], "targets": [1, 0, 0]}
    return {
        "summary": f"{loss.name}: {loss.title}",
        "description": loss.summary,
        "value": batch | {"loss": {"name": loss.name, **spelt}},
    }


EXAMPLES: Final[dict[str, Any]] = {
    "five_classes": {
        "summary": "five classes, the truth got a tenth: ln 10",
        "description": "Cross-entropy of a one-hot truth that was given probability 0.1: ln 10 ≈ 2.302585 "
        "nats.",
        "value": {"probabilities": [[0.1, 0.5, 0.1, 0.1, 0.2]], "targets": [[1, 0, 0, 0, 0]]},
    },
    **{name: _example(loss) for name, loss in LOSSES.items()},
    "soft_targets": {
        "summary": "soft targets, with the KL breakdown in bits",
        "value": {
            "logits": [[2.0, 0.5, -1.0]],
            "targets": [[0.7, 0.2, 0.1]],
            "unit": "bits",
            "include": ["kl", "contributions", "probabilities"],
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
        },
    },
    "masked": {
        "summary": "a masked class and label smoothing",
        "value": {
            "logits": [[2.0, 0.5, "-Infinity"], [0.1, "-Infinity", 3.0]],
            "targets": [0, 2],
            "label_smoothing": 0.1,
            "temperature": 1.5,
        },
    },
    "slices": {
        "summary": "the loss by slice, and a state to be merged with others",
        "value": {
            "logits": [[2.0, 0.5, -1.0], [0.1, 0.2, 3.0], [1.1, 1.0, 0.3]],
            "targets": [0, 2, 1],
            "slices": {"device": ["desk", "mobile", "mobile"]},
            "include": ["state"],
            "state_encoding": "binary",
        },
    },
    "multi_label": {
        "summary": "several labels per row, with a binary loss",
        "value": {
            "logits": [[1.2, -0.7, 0.1], [-2.0, 0.4, 3.1]],
            "targets": [[1, 0, 1], [0, 0, 1]],
            "loss": "binary_cross_entropy",
        },
    },
}
"""Named requests for the documentation; the first is what Swagger UI shows."""
