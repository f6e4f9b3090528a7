"""POST /v1/report: its request, its answer and its examples."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from lossmeter.api.schemas.arrays import Number
from lossmeter.api.schemas.document import Document, optional
from lossmeter.api.schemas.examples import good, shards
from lossmeter.api.schemas.metrics import MEASUREMENTS_HELP, UNDEFINED_HELP, Measurement, MetricNames
from lossmeter.api.schemas.state import StateChoice
from lossmeter.api.schemas.windows import SLICES_HELP, Level, SliceAnswers, WindowAnswer


class ReportRequest(Document):
    """A state to be read."""

    state: StateChoice = Field(
        description="A state as an answer of /v1/score, /v1/metrics or /v1/merge had it."
    )
    level: Level = 0.95
    metrics: MetricNames = optional(
        "Which metrics; default: all. Those that need every row are in `undefined`: GET /v1/metrics tells which."
    )


class ReportAnswer(WindowAnswer):
    """What a state says. All losses are in nats, whatever the unit of the request that left it."""

    ignored: int = Field(ge=0, description="Rows that were ignored.")
    level: float = Field(description="As requested.")
    quantiles: dict[str, Number] = Field(
        description="By their share: the smallest loss that so much of the weight does not exceed, before weights, "
        "within 1 %."
    )
    metrics: dict[str, Measurement] = Field(description=MEASUREMENTS_HELP)
    undefined: dict[str, str] = Field(description=UNDEFINED_HELP)
    slices: SliceAnswers = optional(SLICES_HELP)


EXAMPLES: Final[dict[str, Any]] = {
    "window": {
        "summary": "a window of 48 rows",
        "value": {"state": good(), "metrics": ["accuracy", "log_loss", "roc_auc"]},
    },
    "few": {
        "summary": "a shard of three rows, too few to rely upon",
        "value": {"state": shards()[0], "level": 0.9, "metrics": []},
    },
}
"""Named requests for the documentation."""
