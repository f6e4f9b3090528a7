"""POST /v1/softmax: its request, its answer and its examples."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, WithJsonSchema

from lossmeter.api.schemas.arrays import MASKABLE, Matrix, Matrix2, Vector, matrix
from lossmeter.api.schemas.document import Document


class SoftmaxRequest(Document):
    """Logits to turn into probabilities."""

    logits: Annotated[Matrix2, WithJsonSchema(matrix(MASKABLE))] = Field(
        description='Unnormalised scores, `Float[n, classes]`; `"-Infinity"` masks a class: probability 0.'
    )
    temperature: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="Logits are divided by it first; > 0, without unit."
    )


class SoftmaxAnswer(BaseModel):
    """Probabilities and what belongs to them; everything in nats."""

    probabilities: Matrix = Field(description="`Float[n, classes]`, each in [0, 1]; every row sums to 1.")
    log_probabilities: Matrix = Field(
        description='`Float[n, classes]`, natural logarithms; `"-Infinity"` where a class is masked.'
    )
    log_sum_exp: Vector = Field(description="`Float[n]`: log Σ_c exp(logit_c / temperature) of each row.")
    entropy: Vector = Field(description="`Float[n]`: the entropy of each row, in nats, 0 to ln(classes).")


EXAMPLES: Final[dict[str, Any]] = {
    "two_rows": {
        "summary": "two rows of three classes",
        "value": {"logits": [[2.0, 1.0, 0.1], [0.0, 0.0, 0.0]]},
    },
    "masked": {
        "summary": "a masked class and a temperature",
        "value": {"logits": [[2.0, 1.0, "-Infinity"]], "temperature": 2.0},
    },
}
"""Named requests for the documentation."""
