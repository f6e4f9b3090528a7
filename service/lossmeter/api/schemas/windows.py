"""What answers say of the rows behind a state, and of slices of them."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, Field

from lossmeter.api.schemas.arrays import Number
from lossmeter.api.schemas.document import optional

Level: TypeAlias = Annotated[
    float,
    Field(ge=0.5, lt=1, description="Of confidence intervals, from 0.5 to below 1."),
]

Interval: TypeAlias = Annotated[list[Number], Field(min_length=2, max_length=2)]
"""Low and high."""


class WindowAnswer(BaseModel):
    """Rows and their mean loss. What could not be told is left out; `caution` or `undefined` says why."""

    count: int = Field(ge=0, description="Rows that are not ignored.")
    weight: Number = Field(description="The sum of the weights of those of a finite loss.")
    units: int = Field(
        ge=0, description="Rows of positive weight, or clusters of them: what errors are reckoned from."
    )
    infinite: int = Field(ge=0, description="Rows of positive weight whose loss is infinite.")
    loss: Number = optional("The weighted mean loss; infinite if any loss is.")
    finite_loss: Number = optional("The weighted mean of the finite losses, which the next two are about.")
    standard_error: Number = optional("The standard error of `finite_loss`.")
    interval: Interval = optional(
        "Low and high of the confidence interval of `finite_loss`, corrected for skewness."
    )
    caution: str = optional("Why the interval is not to be relied upon. Left out where it is.")


class SliceAnswer(WindowAnswer):
    """The rows that have one value in one dimension."""

    log_loss: Number = optional("Their mean log loss.")
    brier_score: Number = optional("Their mean squared error over all classes, 0 to 2.")
    accuracy: Number = optional("The share of rows whose most probable class is the true one.")
    top_k_accuracy: Number = optional("The share of rows whose true class is among the k most probable.")
    confidence: Number = optional("The mean probability of the most probable class.")


SliceAnswers: TypeAlias = dict[str, dict[str, SliceAnswer]]
"""By dimension and value."""

SLICES_HELP: Final = (
    "By dimension and value, those of most weight first. Of more than 100 values of a dimension, the others are added "
    "up as `other`. Only where rows came with slices."
)
