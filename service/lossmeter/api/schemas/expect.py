"""POST /v1/expect: its request, its answer and its examples."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

from lossmeter.api.schemas.arrays import Integer, Number
from lossmeter.api.schemas.batch import Predictions, SampleWeights, Temperature, Truth
from lossmeter.api.schemas.class_weights import WeightsChoice
from lossmeter.api.schemas.document import optional
from lossmeter.api.schemas.losses import LossChoices


class ExpectRequest(Predictions):
    """Predictions, and the truth once it is known. Exactly one of logits, probabilities and log_probabilities."""

    targets: Truth = optional(
        "The truth, as in /v1/score, once it is known: the answer then has `realised` and `z`. Default: none."
    )
    losses: LossChoices = optional(
        "Which losses, by name or as objects, each name once: those of /v1/losses, and `log_loss` (cross-entropy) and "
        "`brier_score` (squared error). Default: `log_loss`, `brier_score` and `focal`."
    )
    class_weights: WeightsChoice = optional(
        '`Float[classes]` ≥ 0; `"balanced"` or a scheme object need `targets`. Default: none.'
    )
    sample_weights: SampleWeights = optional("`Float[n]` ≥ 0: the weight of each row. Default: none.")
    ignore_index: Integer = optional(
        "Rows whose class index equals it count nowhere; needs `targets`. Default: none."
    )
    temperature: Temperature = Field(
        default=1.0, description="Logits are divided by it first; > 0. Other than 1 it needs `logits`."
    )
    belief_temperature: Temperature = optional(
        "What logits, or the logarithms of probabilities, are divided by where they say what is true, such as "
        "`temperature` of /v1/calibrate; > 0. The predictions that are scored stay. Default: `temperature`."
    )


class ExpectedLoss(BaseModel):
    """A mean loss in nats, as the probabilities promise it."""

    expected: Number = Field(description="Its expectation, if every truth is drawn from its row.")
    standard_deviation: Number = Field(description="Of the mean over the rows, if they are independent.")
    realised: Number = optional("What it turned out to be. Only with `targets`.")
    z: Number = optional(
        "(realised − expected) / standard_deviation. Beyond ±3 or so the probabilities do not keep their word: above 0 "
        "they are too sure, below too unsure. Only with `targets`."
    )


class ExpectAnswer(BaseModel):
    """What the model itself expects."""

    losses: dict[str, ExpectedLoss] = Field(description="By the name of each loss.")


EXAMPLES: Final[dict[str, Any]] = {
    "unlabelled": {
        "summary": "what to expect before labels come",
        "value": {"probabilities": [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2]]},
    },
    "labelled": {
        "summary": "labels have come: did the probabilities keep their word?",
        "description": "The first row was sure to 98 %, and wrong: the log loss lies far above what was promised.",
        "value": {
            "probabilities": [[0.98, 0.02], [0.9, 0.1], [0.2, 0.8]],
            "targets": [1, 0, 1],
            "losses": ["log_loss", {"name": "focal", "gamma": 1.0}],
        },
    },
    "recalibrated": {
        "summary": "under a belief that /v1/calibrate has tempered",
        "value": {
            "logits": [[4.0, 0.5, -1.0], [0.1, 0.2, 6.0]],
            "belief_temperature": 2.5,
            "losses": ["log_loss"],
        },
    },
}
"""Named requests for the documentation."""
