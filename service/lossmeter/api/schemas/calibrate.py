"""POST /v1/calibrate: its request, its answer and its examples."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from lossmeter.api.schemas.arrays import Number, Vector
from lossmeter.api.schemas.batch import Batch, Binning, Bins
from lossmeter.api.schemas.document import optional

Method = Literal["temperature", "vector"]


class CalibrateRequest(Batch):
    """Held-out predictions and the truth. Exactly one of logits, probabilities and log_probabilities."""

    method: Method = Field(
        default="temperature",
        description="`temperature`: one number that all logits are to be divided by. `vector`: a scale and a bias "
        "for each class; what the rows leave open, or would let grow without end, is held by a ridge of 1e-6.",
    )
    bins: Bins = 15
    binning: Binning = "equal_width"


class CalibrateAnswer(BaseModel):
    """How the logits are best scaled, and what that is worth. What could not be told is left out, with the reason."""

    method: Method = Field(description="As requested.")
    temperature: Number = optional("What logits are to be divided by, > 0. Only of `temperature`.")
    scales: Vector = optional("`Float[classes]`: what logits are to be multiplied by. Only of `vector`.")
    biases: Vector = optional("`Float[classes]`: what is then to be added to them. Only of `vector`.")
    log_loss_before: Number = Field(description="The weighted mean log loss as sent, in nats.")
    log_loss_after: Number = optional("The same once scaled: the least there is, in nats.")
    miscalibration: Number = optional("What the scaling removes of the log loss, in nats, ≥ 0.")
    reliability_curve_before: dict[str, Vector] = optional("As `reliability_curve` of /v1/metrics, as sent.")
    reliability_curve_after: dict[str, Vector] = optional("The same once scaled.")
    count: int = Field(ge=0, description="Rows that were fitted.")
    ignored: int = Field(ge=0, description="Rows ignored because of `ignore_index`.")
    iterations: int = Field(ge=0, description="Steps that the solver took.")
    gradient_norm: Number = optional("The largest slope that is left at the optimum. Only of `vector`.")
    undefined: dict[str, str] = Field(
        description="Why fields are missing that this method has; empty if none is."
    )


_SURE: Final[dict[str, Any]] = {
    "logits": [[4.0, 0.5, -1.0], [0.1, 0.2, 6.0], [3.1, 1.0, 0.3], [-0.5, 5.5, 0.0], [4.0, 3.0, 1.0]],
    "targets": [0, 2, 1, 1, 0],
}

EXAMPLES: Final[dict[str, Any]] = {
    "temperature": {
        "summary": "a model that is too sure",
        "description": "It is sure of a row that is wrong: the temperature is above 1.",
        "value": _SURE,
    },
    "vector": {
        "summary": "a scale and a bias per class",
        "value": {
            "probabilities": [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.55, 0.45], [0.1, 0.9], [0.4, 0.6]],
            "targets": [0, 1, 1, 0, 1, 0],
            "method": "vector",
        },
    },
}
"""Named requests for the documentation."""
