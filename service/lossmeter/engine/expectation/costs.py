"""What a row costs under each truth that it may have, for any loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.losses import DivergenceLoss, Loss, TargetLoss, make_loss
from lossmeter.engine.losses.base import BinaryLoss
from lossmeter.engine.losses.squared_error import SquaredError
from lossmeter.engine.numerics import row_sums
from lossmeter.errors import InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lossmeter.engine.arrays import Matrix
    from lossmeter.engine.outcome import Outcome

OTHER_NAMES = {"log_loss": "cross_entropy", "brier_score": "squared_error"}
"""What metrics call a loss."""

MOST_CLASSES = 100
"""Divergences without a closed form are computed once for each class, of every class: up to so many."""


def chosen(
    losses: Collection[str | Mapping[str, Any] | Loss], classes: int, *, single: bool
) -> dict[str, Loss]:
    """The losses by the names they were asked by.

    Args:
        losses: names, mappings with ``name`` and parameters, or losses.
        classes: of the input.
        single: whether it is one number per row, so that binary losses apply, too.

    Raises:
        InvalidInputError: an unknown loss, a name given twice, or a loss that does not apply.
    """
    if isinstance(losses, str) or not losses:
        raise InvalidInputError.at("losses", detail="a list of losses is wanted, at least one")
    found: dict[str, Loss] = {}
    for place, wanted in enumerate(losses):
        loss = _made(wanted, place)
        name = wanted if isinstance(wanted, str) else loss.name
        if name in found:
            raise InvalidInputError.at("losses", place, detail="each loss once is wanted", value=name)
        _check(loss, classes, place, single=single)
        found[name] = loss
    return found


def costs(loss: Loss, outcome: Outcome) -> Matrix:
    """``Float64[rows, classes]``, the loss of every row were that class its truth."""
    if isinstance(loss, BinaryLoss):
        yes, no = loss.outcome_factors()
        return loss.of_outcome.phi(outcome) * np.array([no, yes], np.float64)
    at_target = (
        loss if isinstance(loss, TargetLoss) else loss.hard if isinstance(loss, DivergenceLoss) else None
    )
    if at_target is not None:
        factors = at_target.class_factors()
        values = at_target.phi(outcome)
        return values if factors is None else values * factors
    if isinstance(loss, SquaredError):
        return _squares(outcome)
    assert isinstance(loss, DivergenceLoss)  # noqa: S101  there are three kinds
    return _one_by_one(loss, outcome)


def _squares(outcome: Outcome) -> Matrix:
    """(1 − p_c)² + Σ_{j≠c} p_j²: the largest of each row is held apart, so that no small sum is a difference."""
    p = outcome.p
    best = np.argmax(p, axis=1)
    at = np.arange(len(p)), best
    squares = p * p
    largest = squares[at]
    squares[at] = 0
    others = row_sums(squares)
    left = others[:, None] - squares + largest[:, None]
    left[at] = others
    return outcome.not_p * outcome.not_p + left


def _one_by_one(loss: DivergenceLoss, outcome: Outcome) -> Matrix:
    values = np.empty_like(outcome.p)
    for label in range(values.shape[-1]):
        truth = np.zeros_like(values)
        truth[:, label] = 1
        values[:, label] = loss.rows(truth, outcome)
    return values


def _made(wanted: str | Mapping[str, Any] | Loss, place: int) -> Loss:
    try:
        return make_loss(OTHER_NAMES.get(wanted, wanted) if isinstance(wanted, str) else wanted)
    except InvalidInputError as error:
        problems = [
            Problem(("losses", place, *each.path[1:]), each.detail, each.value) for each in error.problems
        ]
        raise InvalidInputError(problems, error.count) from error


def _check(loss: Loss, classes: int, place: int, *, single: bool) -> None:
    if loss.binary and not single:
        raise InvalidInputError.at("losses", place, detail=f"one number per row is wanted with {loss.name}")
    if loss.name == "reverse_kl":
        detail = "reverse_kl is infinite for every truth that is a single class: it has no expectation"
        raise InvalidInputError.at("losses", place, detail=detail)
    closed = not isinstance(loss, DivergenceLoss) or loss.hard is not None or isinstance(loss, SquaredError)
    if not closed and classes > MOST_CLASSES:
        detail = f"{loss.name} has an expectation over at most {MOST_CLASSES} classes, not {classes}"
        raise InvalidInputError.at("losses", place, detail=detail)
    for name in loss.parameters():
        value = getattr(loss, name)
        if isinstance(value, np.ndarray) and len(value) != classes:
            detail = f"{classes} numbers are wanted, one per class, not {len(value)}"
            raise InvalidInputError.at("losses", place, name, detail=detail)
