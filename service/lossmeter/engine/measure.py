"""The use case: a batch and its truth become metrics, in the same pass over the rows that scores them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from lossmeter.engine.arrays import Vector
from lossmeter.engine.evidence import Binning
from lossmeter.engine.losses import make_loss
from lossmeter.engine.metrics import METRICS, Answer, compute, known
from lossmeter.engine.observation import Wanted, observe
from lossmeter.engine.options import Options, check_word, names, number, whole
from lossmeter.engine.preparation import Sent, read
from lossmeter.engine.state import Slice, State

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import ArrayLike

    from lossmeter.engine.weights import WantedWeights


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The answer to a measuring.

    Attributes:
        count: rows that were measured.
        ignored: rows that were ignored.
        weight: Σ w of the rows.
        class_weights: ``Float[classes]``, if any were used.
        metrics: by name, a number or an object of numbers and lists; all float64.
        undefined: why metrics, or parts of one by their dotted path, have no value.
        slices: per dimension and value what its rows cost, if slices were given.
        state: what merges with those of other batches, if it was asked for.
    """

    count: int
    ignored: int
    weight: float
    class_weights: Vector | None
    metrics: Mapping[str, Answer]
    undefined: Mapping[str, str]
    slices: Mapping[str, Mapping[str, Slice]] | None
    state: State | None


def measure(  # noqa: PLR0913  the contract's fields, one argument each
    *,
    logits: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    log_probabilities: ArrayLike | None = None,
    targets: ArrayLike,
    metrics: Collection[str] | None = None,
    bins: int = 15,
    binning: Binning = "equal_width",
    k: int = 5,
    class_weights: WantedWeights = None,
    sample_weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    temperature: float = 1.0,
    tolerance: float = 1e-6,
    slices: Mapping[str, Sequence[str]] | None = None,
    cluster: Sequence[Hashable] | None = None,
    include: Collection[str] = (),
    threads: int | None = None,
) -> Measured:
    """Measure a batch.

    With targets t, class weights w and sample weight v, a row weighs v Σ_c w_c t_c in every metric, as scikit-learn's
    ``sample_weight``. What was sent is never guessed from its values.

    Args:
        logits: ``Float[n, classes]``, or ``Float[n]`` for two classes: the logit of class 1.
        probabilities: the same shapes, rows that sum to 1; of ``Float[n]`` that of class 1. Exactly one of the three.
        log_probabilities: the same shapes, natural logarithms.
        targets: ``Int[n]`` class indices or ``Float[n, classes]`` distributions; for ``Float[n]`` 0/1, or soft.
        metrics: names of the registry; None for all. Those that do not apply are in ``undefined``.
        bins: of the confidence.
        binning: ``equal_width``, or ``equal_mass``: each bin holds the same weight, as nearly as ties allow.
        k: of ``top_k_accuracy``, at least 1.
        class_weights: ``Float[classes]``, a scheme's name, or ``{"scheme", "beta", "absent"}``.
        sample_weights: ``Float[n]`` >= 0.
        ignore_index: rows whose class index equals it count nowhere.
        temperature: logits are divided by it.
        tolerance: how far a row's sum may be from 1.
        slices: per dimension a value for every row.
        cluster: for every row which rows belong together, for the intervals of a state.
        include: ``["state"]``, or nothing.
        threads: how many threads may work; None for one per core.

    Raises:
        InvalidInputError: what cannot be measured, with the elements to blame.
    """
    wanted = known(metrics)
    check_word("binning", binning, get_args(Binning))
    parts = names(include)
    for place, part in enumerate(parts):
        check_word("include", part, ("state",), place)
    options = Options(
        temperature=number(temperature, "temperature"), tolerance=number(tolerance, "tolerance"), include=()
    )
    inputs = {"logits": logits, "probabilities": probabilities, "log_probabilities": log_probabilities}
    name, values = read(inputs, (1, 2), options.temperature)
    classes = 2 if values.ndim == 1 else values.shape[1]
    ignored = None if ignore_index is None else whole(ignore_index, "ignore_index")
    observed = observe(
        Sent(name, values, targets, ignored, sample_weights, class_weights),
        make_loss("binary_cross_entropy" if values.ndim == 1 else "cross_entropy"),
        options,
        Wanted(
            bins=whole(bins, "bins"),
            k=whole(k, "k"),
            slices=slices,
            cluster=cluster,
            rows=any(METRICS[each].needs_rows(binning, classes) for each in wanted),
            state="state" in parts,
        ),
        threads,
    )
    evidence = observed.evidence
    assert evidence is not None  # noqa: S101  only labels have none, and they need a matrix and a binary loss
    found, undefined = compute(replace(evidence, binning=binning), wanted)
    return Measured(
        count=evidence.count,
        ignored=evidence.ignored,
        weight=evidence.weight,
        class_weights=observed.scores.class_weights,
        metrics=found,
        undefined=undefined,
        slices=observed.slices,
        state=observed.state,
    )
