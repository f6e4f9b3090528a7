"""A short row by itself is computed in Python: with the bits, and the refusals, that it has among others."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cases import assert_same_bits
from engine.losses.plain_rows import WRONG, assert_same
from lossmeter.engine import score
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.engine.options import Part, Reduction, Unit
    from lossmeter.engine.results import KLBreakdown, Scores

SCORING = import_module("lossmeter.engine.score")
"""The module, whose name in the package is that of the function."""

LOSSES: tuple[str | dict[str, object], ...] = ("cross_entropy", {"name": "focal", "gamma": 0.0})
INCLUDED: tuple[tuple[Part, ...], ...] = ((), ("losses",), ("gradients",), ("losses", "gradients", "kl"))
ROW_PARTS = ("losses", "gradients")

logits = st.one_of(
    st.floats(-8, 8),
    st.floats(-400, 400),
    st.sampled_from([0.0, -0.0, 299.0, 301.0, 345.0, 710.0, -745.0, -800.0, float("-inf"), 5e-324]),
)
rows = st.integers(1, 18).flatmap(lambda classes: st.lists(logits, min_size=classes, max_size=classes))


def among_others(row: list[float], target: int, **said: Any) -> Scores:  # noqa: ANN401  the options of score
    """The row between two others, of which each costs the same whatever the first is; reduced by a sum.

    Weights of 1 change nothing, but rows that have any are not plain.
    """
    other = np.zeros(len(row))
    said |= {"sample_weights": np.ones(3), "reduction": "sum"}
    return score(logits=np.array([other, row, other]), targets=np.array([0, target, 0]), **said)


@settings(max_examples=2000)
@given(
    row=rows, place=st.integers(0, 17), loss=st.sampled_from(LOSSES), unit=st.sampled_from(["nats", "bits"])
)
def test_alone_it_has_the_bits_that_it_has_among_others(
    row: list[float], place: int, loss: str | dict[str, object], unit: Unit
) -> None:
    """Losses, gradients and divergences, at ordinary logits and where exponentials end."""
    target = place % len(row)
    if not np.isfinite(max(row)):
        return
    include: tuple[Part, ...] = ("losses", "gradients", "kl")
    among = among_others(row, target, loss=loss, unit=unit, include=include)
    for targets in (np.array([target]), np.array([float(target)])):
        alone = score(logits=np.array([row]), targets=targets, loss=loss, unit=unit, include=include)
        named = {name: getattr(alone, name) for name in ROW_PARTS} | parts_of(alone.kl)
        assert_same_bits(
            {name: getattr(among, name)[1:2] for name in ROW_PARTS}
            | {name: value[1:2] for name, value in parts_of(among.kl).items()},
            named,
        )


def parts_of(breakdown: KLBreakdown | None) -> dict[str, NDArray[Any]]:
    """What a breakdown tells of each row."""
    return {name: getattr(breakdown, name) for name in ("target_entropy", "cross_entropy", "kl_divergence")}


@pytest.mark.parametrize("include", INCLUDED, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("unit", ["nats", "bits"])
@pytest.mark.parametrize("classes", [2, 5, 16])
def test_every_part_of_the_answer_is_that_of_a_batch(
    monkeypatch: pytest.MonkeyPatch, include: tuple[Part, ...], reduction: Reduction, unit: Unit, classes: int
) -> None:
    """Whatever is asked for, the answer has the same fields as when the shortcut is closed, to the bit."""
    row = 3 * np.random.default_rng(classes).standard_normal((1, classes))
    said: dict[str, Any] = {"logits": row, "targets": np.array([classes - 1]), "ignore_index": -1}
    said |= {"include": include, "reduction": reduction, "unit": unit}
    short = score(**said)
    monkeypatch.setattr(SCORING, "score_alone", lambda *_: None)
    long = score(**said)
    assert_same(long, short)
    assert (long.kl is None) == (short.kl is None)
    if long.kl is not None:
        assert_same(long.kl, short.kl)


@pytest.mark.parametrize(("row", "target"), WRONG)
def test_what_is_wrong_with_it_is_said_as_in_a_batch(
    monkeypatch: pytest.MonkeyPatch, row: list[float], target: float
) -> None:
    """The same problems, at the same place."""
    said: dict[str, Any] = {"logits": np.array([row]), "targets": np.array([target])}
    with pytest.raises(InvalidInputError) as short:
        score(**said)
    monkeypatch.setattr(SCORING, "score_alone", lambda *_: None)
    with pytest.raises(InvalidInputError) as long:
        score(**said)
    assert repr(short.value.problems) == repr(long.value.problems)  # NaN is not itself


def test_the_shortcut_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else these tests would compare one way with itself."""
    monkeypatch.setattr(SCORING, "prepared", None)
    assert score(logits=np.array([[0.0, 0.0]]), targets=np.array([1])).loss == np.log(2)
