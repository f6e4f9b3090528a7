"""POST /v1/compare: its request, its answer and its examples."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from lossmeter.api.schemas.arrays import REAL, Number, Vector, Vector1, either, vector
from lossmeter.api.schemas.batch import SampleWeights
from lossmeter.api.schemas.document import Document, optional
from lossmeter.api.schemas.examples import good, worse
from lossmeter.api.schemas.state import StateChoice
from lossmeter.api.schemas.strings import Cluster
from lossmeter.api.schemas.windows import Interval, Level, WindowAnswer

Losses = Annotated[Vector1, WithJsonSchema(vector(either(REAL, {"const": "Infinity"})))]
Verdict = Literal["ok", "worse", "inconclusive"]


class CompareRequest(Document):
    """Two states; or the losses of two models on the same rows."""

    exactly_one: ClassVar = (("reference", "reference_losses"),)
    needs: ClassVar = {
        "reference": "current",
        "current": "reference",
        "reference_losses": "current_losses",
        "current_losses": "reference_losses",
        "sample_weights": "reference_losses",
        "cluster": "reference_losses",
    }

    reference: StateChoice = optional("The state of the window, or of the model, to compare with.")
    current: StateChoice = optional("The state of the window, or of the model, that may be worse.")
    reference_losses: Losses = optional(
        "`Float[n]`: unweighted losses of the reference on each row, such as `losses` of /v1/score. Paired with "
        "`current_losses`, row by row, a difference is found with far fewer rows."
    )
    current_losses: Losses = optional("`Float[n]`: losses of the current model on the same rows.")
    sample_weights: SampleWeights = optional("`Float[n]` ≥ 0: the weight of each row. Only with losses.")
    cluster: Cluster = optional(
        "Rows that belong together, such as those of one user: `String[n]` or `Int[n]`. Only with losses; a state "
        "has its own."
    )
    threshold: float = Field(
        default=0.0,
        description="How much worse is too much, in the unit of the losses (of states: nats). May be negative: then "
        "`ok` means better by so much.",
    )
    level: Level = 0.95


class DriftAnswer(BaseModel):
    """How far the mix of classes of the current window is from that of the reference; in nats."""

    reference: Vector = Field(description="`Float[classes]`: shares of the classes in the reference.")
    current: Vector = Field(description="`Float[classes]`: shares of the classes now.")
    kl_divergence: Number = Field(description="KL(current‖reference).")
    jensen_shannon: Number = Field(description="In [0, ln 2], never infinite.")
    psi: Number = Field(
        description="The population stability index, KL(current‖reference) + KL(reference‖current); infinite where one "
        "window has a class that the other has not."
    )
    psi_by_class: Vector = Field(description="`Float[classes]` ≥ 0: its terms, which add up to it.")
    psi_smoothed: Number = Field(
        description="The same with half a row added to every class of either window."
    )
    psi_by_chance: Number = Field(description="What it is on average where nothing has drifted.")
    absent_in_reference: list[int] = Field(description="Classes that only the current window has.")
    absent_in_current: list[int] = Field(description="Classes that only the reference has.")


class SplitAnswer(BaseModel):
    """A change of the mean loss in parts that add up to it: mix + label_shift + within + residual."""

    mix: Number = Field(description="Because more, or fewer, rows come from slices that cost more.")
    label_shift: Number = Field(
        description="Because true classes that cost more are more, or less, frequent."
    )
    within: Number = Field(description="Because the same class in the same slice costs more, or less.")
    residual: Number = Field(description="What rounding leaves: a unit in the last place, or 0.")


class SliceChangeAnswer(BaseModel):
    """A slice in both windows, and its share of the change of the whole."""

    dimension: str = Field(description="Which dimension.")
    value: str = Field(description="The slice's value in it.")
    reference: WindowAnswer = optional("What it was; left out if it is new.")
    current: WindowAnswer = optional("What it is; left out if it is gone.")
    difference: Number = optional("Of the mean losses of the slice.")
    interval: Interval = optional("Of `difference`, for this slice alone.")
    p_value: Number = optional("Of no difference, for this slice alone.")
    adjusted_p_value: Number = optional(
        "The same with regard to how many slices were looked at (Holm): below 0.05 for any of them in one of twenty "
        "comparisons in which none has changed."
    )
    contribution: Number = Field(
        description="What the slice adds to the change of the whole: the sum of the next three."
    )
    mix: Number = Field(description="Because it has more, or fewer, of the rows.")
    label_shift: Number = Field(description="Because its true classes are others.")
    within: Number = Field(description="Because the same class in it costs more, or less.")
    caution: str = optional("Why interval and p-values are not to be relied upon. Left out where they are.")


class Judged(BaseModel):
    """A difference of mean losses, how sure it is, and what follows. What could not be told is left out."""

    difference: Number = optional("Current less reference, of the finite losses.")
    standard_error: Number = optional("Of `difference`.")
    interval: Interval = optional("Low and high of the confidence interval of `difference`.")
    p_value: Number = optional("Of no difference, two-sided.")
    level: float = Field(description="As requested.")
    threshold: float = Field(description="As requested.")
    verdict: Verdict = Field(
        description="`worse` if the whole interval of the difference lies above the threshold, `ok` if it lies at or "
        "below, else `inconclusive`."
    )
    reason: str = Field(description="Why, in one sentence.")
    rows_needed: int = optional(
        "Rows of the current window that would settle it in four cases of five, if the difference is what it seems. "
        "Only if `inconclusive`."
    )
    infinite_p_value: Number = optional(
        "Of `infinite losses are no more frequent now`. Only where there are any, and no clusters."
    )


class CompareAnswer(Judged):
    """Two windows of independent rows. Losses are in nats."""

    reference: WindowAnswer = Field(description="The reference.")
    current: WindowAnswer = Field(description="The current window.")
    drift: dict[str, DriftAnswer] = Field(
        description="Of the mix of `predicted` classes, of the mean `forecast`, and of the `true` classes."
    )
    label_shift: SplitAnswer = optional("The change, split by true class alone.")
    split: dict[str, SplitAnswer] = Field(description="By dimension: the change, split over its slices.")
    slices: list[SliceChangeAnswer] = Field(
        description="Those of all dimensions, that which adds most to the loss first; at most 100."
    )
    undefined: dict[str, str] = Field(description="Why parts of the answer are missing, by path.")


class ComparePairedAnswer(Judged):
    """Two models on the same rows, in the unit of the losses."""

    count: int = Field(ge=0, description="Rows.")
    weight: Number = Field(description="The sum of the weights of those on which both losses are finite.")
    units: int = Field(ge=0, description="Those rows, or clusters of them: what errors are reckoned from.")
    reference_loss: Number = optional("The weighted mean loss of the reference; infinite if any loss is.")
    current_loss: Number = optional("The same of the current model.")
    worse_share: Number = optional("The share of the weight on which the current model costs more.")
    better_share: Number = optional("The share of the weight on which it costs less.")
    reference_infinite: int = Field(ge=0, description="Rows on which the loss of the reference is infinite.")
    current_infinite: int = Field(ge=0, description="Rows on which that of the current model is.")


EXAMPLES: Final[dict[str, Any]] = {
    "windows": {
        "summary": "two windows, of which the second is worse",
        "description": "Every fourth row of the second costs three times as much, always on the same device.",
        "value": {"reference": good(), "current": worse()},
    },
    "paired": {
        "summary": "two models on the same rows",
        "value": {
            "reference_losses": [0.31, 0.12, 1.4, 0.05, 0.7, 0.22, 0.41, 0.9, 0.17, 0.33, 0.08, 0.64],
            "current_losses": [0.29, 0.11, 1.1, 0.06, 0.6, 0.2, 0.35, 0.81, 0.15, 0.3, 0.07, 0.59],
            "threshold": 0.01,
        },
    },
}
"""Named requests for the documentation."""
