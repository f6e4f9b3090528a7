"""POST /v1/divergence: its request, its answer and its examples."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from lossmeter.api.schemas.arrays import MASKABLE, UNIT_INTERVAL, Matrix2, Number, Vector, matrix
from lossmeter.api.schemas.document import Document, optional
from lossmeter.api.schemas.names import Names

Distributions = Annotated[Matrix2, WithJsonSchema(matrix(UNIT_INTERVAL))]
LogitRows = Annotated[Matrix2, WithJsonSchema(matrix(MASKABLE))]


class DivergenceRequest(Document):
    """Two distributions per row, each as probabilities or as logits."""

    exactly_one: ClassVar = (("p", "p_logits"), ("q", "q_logits"))

    p: Distributions = optional(
        "The first distribution of each row (the truth), `Float[n, classes]`: each in [0, 1], rows sum to "
        "1 within `tolerance`."
    )
    q: Distributions = optional(
        "The second distribution of each row (the model), of the same shape and rules as p."
    )
    p_logits: LogitRows = optional(
        'p as logits, `Float[n, classes]`; `"-Infinity"` masks a class: probability 0.'
    )
    q_logits: LogitRows = optional("q as logits, by the same rules.")
    unit: Literal["nats", "bits"] = Field(default="nats", description="Unit of every number of the answer.")
    tolerance: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=1e-6, description="How far the sum of a row of probabilities may be from 1; in [0, 1)."
    )
    include: Annotated[tuple[str, ...], Names(("contributions",))] = optional(
        "What the answer carries in addition; default: nothing."
    )


class DivergenceAnswer(BaseModel):
    """Every quantity for every row; infinity where q rules out what p allows."""

    p_entropy: Vector = Field(description="`Float[n]`: H(p), ≥ 0.")
    q_entropy: Vector = Field(description="`Float[n]`: H(q), ≥ 0.")
    cross_entropy: Vector = Field(description="`Float[n]`: H(p, q) = H(p) + KL(p‖q).")
    kl_divergence: Vector = Field(description="`Float[n]`: KL(p‖q) ≥ 0, never a tiny negative.")
    reverse_kl_divergence: Vector = Field(description="`Float[n]`: KL(q‖p) ≥ 0.")
    jensen_shannon: Vector = Field(
        description="`Float[n]`: (KL(p‖m) + KL(q‖m)) / 2 with m = (p+q)/2; 0 to ln 2 nats or 1 bit."
    )
    contributions: list[list[Number]] = optional(
        "`Float[n, classes]`: pointwise p log(p/q); rows sum to `kl_divergence`. Only when asked for in "
        "`include`."
    )


EXAMPLES: Final[dict[str, Any]] = {
    "probabilities": {
        "summary": "two distributions, in bits",
        "value": {"p": [[0.5, 0.5]], "q": [[0.25, 0.75]], "unit": "bits", "include": ["contributions"]},
    },
    "logits": {
        "summary": "two models' logits",
        "value": {"p_logits": [[2.0, 0.0, -1.0]], "q_logits": [[1.5, 0.5, -1.0]]},
    },
}
"""Named requests for the documentation."""
