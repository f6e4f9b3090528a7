"""Weights that make up for classes of different size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from lossmeter.engine.arrays import floats, offenders, rectangle
from lossmeter.engine.options import number, whole
from lossmeter.engine.results import ClassWeights
from lossmeter.engine.targets import integers
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lossmeter.engine.arrays import Mask, Vector
    from lossmeter.errors import Step

MOST_CLASSES = 1 << 20
"""Where nothing says how many classes there are, an index beyond this is taken for a mistake."""

Scheme: TypeAlias = Literal["inverse_frequency", "balanced", "effective_number"]
Absent: TypeAlias = Literal["error", "zero"]


def class_weights(  # noqa: PLR0913  the contract's fields
    *,
    targets: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    scheme: Scheme = "balanced",
    beta: float = 0.999,
    absent: Absent = "error",
    classes: int | None = None,
    ignore_index: int | None = None,
) -> ClassWeights:
    """Class weights from the truth of a batch, or from counts.

    With N examples, n_c of class c and C classes: ``inverse_frequency`` is N / n_c; ``balanced`` is N / (C n_c), as
    scikit-learn has it; ``effective_number`` is (1−β)/(1−β^n_c), scaled so that the weights sum to C.

    Args:
        targets: ``Int[n]`` class indices or ``Float[n, classes]`` distributions, whose shares are counted.
        counts: ``Float[classes]`` examples of each class; exactly one of the two.
        scheme: which formula.
        beta: β in [0, 1) of ``effective_number``.
        absent: what a class without examples is: an error that names it, or of weight "zero".
        classes: how many classes there are; by default as many as the targets or counts show.
        ignore_index: an index that is no class.

    Raises:
        InvalidInputError: the input is not as said, or a class has no example or too little of one for a finite weight.

    Source: King, Zeng, "Logistic Regression in Rare Events Data", Political Analysis 9 (2001); Cui, Jia, Lin, Song,
    Belongie, "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019.
    """
    beta = check_scheme(scheme, beta, absent)
    classes = None if classes is None else whole(classes, "classes")
    if classes is not None and classes < 1:
        raise InvalidInputError.at("classes", detail="a whole number >= 1 is wanted", value=classes)
    ignore_index = None if ignore_index is None else whole(ignore_index, "ignore_index")
    if (targets is None) == (counts is None):
        raise InvalidInputError.at("targets", detail="exactly one of targets and counts is wanted")
    sent = None if targets is None else rectangle(targets, "targets")
    if ignore_index is not None and (sent is None or sent.ndim > 1):
        raise InvalidInputError.at("ignore_index", detail="class indices are wanted as targets with it")
    if sent is None:
        return weights_of_counts(_checked_counts(counts, classes), scheme, beta, absent, blamed="counts")
    return weights_of_counts(_counted(sent, classes, ignore_index), scheme, beta, absent, blamed="targets")


def check_scheme(scheme: str, beta: float, absent: str, *path: Step) -> float:
    """Refuse a scheme that is none; ``path`` is where its three fields stood. β is returned as Python's own float."""
    for field, word, words in (("scheme", scheme, get_args(Scheme)), ("absent", absent, get_args(Absent))):
        if word not in words:
            detail = f"one of {', '.join(words)} is wanted"
            raise InvalidInputError.at(*path, field, detail=detail, value=word)
    checked = number(beta, *path, "beta")
    if not 0 <= checked < 1:
        raise InvalidInputError.at(*path, "beta", detail="a number in [0, 1) is wanted", value=beta)
    return checked


def weights_of_counts(  # noqa: PLR0913  the scheme's fields, and what is to become of the weights
    counts: Vector,
    scheme: Scheme,
    beta: float,
    absent: Absent,
    *,
    blamed: str,
    dtype: np.dtype[Any] | type[np.float64] = np.float64,
) -> ClassWeights:
    """The weights; ``blamed`` is the field that a class with no example, or too little of one, is charged to."""
    missing = counts == 0
    if missing.all():
        raise InvalidInputError.at(blamed, detail="no example of any class")
    if missing.any() and absent == "error":
        names = ", ".join(str(each) for each in np.flatnonzero(missing)[:20])
        raise InvalidInputError.at(
            blamed, detail=f'no example of class {names}; absent: "zero" gives it weight 0'
        )
    present = np.where(missing, 1, counts)
    with np.errstate(all="ignore"):  # what is not finite is refused
        weights = _weights(counts, present, missing, scheme, beta).astype(dtype)
    if not np.isfinite(weights).all():
        least = int(np.argmin(present))
        detail = f"class {least} has too little of an example for a finite weight: {counts[least]:g}"
        raise InvalidInputError.at(blamed, detail=detail)
    return ClassWeights(weights, counts)


def _weights(counts: Vector, present: Vector, missing: Mask, scheme: Scheme, beta: float) -> Vector:
    if scheme == "effective_number":
        raw = np.where(missing, 0, (1 - beta) / -np.expm1(present * np.log(beta)) if beta else 1.0)
        return raw * (len(counts) / np.add.reduce(raw))
    share = np.add.reduce(counts) / (len(counts) if scheme == "balanced" else 1)
    return np.where(missing, 0, share / present)


def _checked_counts(counts: ArrayLike | None, classes: int | None) -> Vector:
    numbers = floats(counts, "counts", ranks=(1,)).astype(np.float64)
    wrong = ~((numbers >= 0) & np.isfinite(numbers))
    if wrong.any():
        raise offenders(wrong, numbers, "counts", detail="a finite number >= 0 is wanted")
    with np.errstate(over="ignore"):
        whole = np.add.reduce(numbers)
    if not np.isfinite(whole):
        raise InvalidInputError.at("counts", detail="counts whose sum is finite are wanted")
    if classes is not None and classes != len(numbers):
        raise InvalidInputError.at("counts", detail=f"{classes} counts are wanted, not {len(numbers)}")
    return numbers


def _counted(targets: np.ndarray, classes: int | None, ignore_index: int | None) -> Vector:
    if targets.ndim == 2:  # noqa: PLR2004  distributions
        return _checked_shares(targets, classes)
    indices = integers(targets, "targets")
    counted = indices != ignore_index if ignore_index is not None else np.ones(len(indices), dtype=bool)
    outside = counted & ((indices < 0) | (indices >= (MOST_CLASSES if classes is None else classes)))
    if outside.any():
        known = (
            f"in 0 … {classes - 1}"
            if classes is not None
            else f">= 0 (and, without `classes`, < {MOST_CLASSES})"
        )
        raise offenders(outside, indices, "targets", detail=f"a class index {known} is wanted")
    return np.bincount(indices[counted], minlength=classes or 0).astype(np.float64)


def _checked_shares(targets: np.ndarray, classes: int | None) -> Vector:
    shares = floats(targets, "targets", ranks=(2,))
    wrong = ~((shares >= 0) & (shares <= 1))
    if wrong.any():
        raise offenders(wrong, shares, "targets", detail="a share of the truth in [0, 1] is wanted")
    if classes is not None and classes != shares.shape[1]:
        raise InvalidInputError.at("targets", detail=f"{classes} classes are wanted, not {shares.shape[1]}")
    return np.add.reduce(shares, axis=0, dtype=np.float64)
