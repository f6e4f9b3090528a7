"""A few plain rows go a way of their own: with the bits, and the refusals, of the way that all others go."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.losses.plain_rows import WRONG, assert_same
from lossmeter.engine import score
from lossmeter.engine.few_rows import MOST
from lossmeter.engine.losses import LOSSES
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.engine.options import Part, Reduction, Unit
    from lossmeter.engine.results import Scores

SCORING = import_module("lossmeter.engine.score")
"""The module, whose name in the package is that of the function."""

ALL: tuple[Part, ...] = ("losses", "gradients", "kl")


def the_long_way(**said: Any) -> Scores:  # noqa: ANN401  the arguments of score
    """Weights of 1 change nothing, but rows that have any are not plain."""
    return score(**said, sample_weights=np.ones(len(said["logits"])))


@st.composite
def batches(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Rows of ordinary logits, of far ones, or of such as exponentials end at, and their classes."""
    n, classes = draw(st.integers(2, 40)), draw(st.integers(1, 66))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = draw(st.sampled_from([1.0, 8.0, 100.0, 340.0, 700.0])) * rng.uniform(-1, 1, (n, classes))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, n - 1)), draw(st.integers(0, classes - 1))
        logits[place] = draw(
            st.sampled_from([0.0, -0.0, 346.0, 347.0, 709.0, 711.0, -745.0, -np.inf, 5e-324])
        )
    logits[np.isneginf(logits).all(axis=1)] = 0
    kind = draw(st.sampled_from([np.int64, np.float64, np.uint8, np.int16, np.uint64]))
    ordered = np.asfortranarray(logits) if draw(st.booleans()) else logits
    return ordered, rng.integers(classes, size=n).astype(kind)


@settings(max_examples=1000)
@given(
    batch=batches(),
    unit=st.sampled_from(["nats", "bits"]),
    reduction=st.sampled_from(["mean", "sum", "none"]),
)
def test_they_have_the_bits_of_the_long_way(
    batch: tuple[NDArray[np.float64], NDArray[Any]], unit: Unit, reduction: Reduction
) -> None:
    """All that can be asked for, at ordinary logits and where exponentials end."""
    logits, targets = batch
    said: dict[str, Any] = {"logits": logits, "targets": targets, "unit": unit, "reduction": reduction}
    said["include"] = ALL
    short, long = score(**said), the_long_way(**said)
    assert_same(long, short)
    assert long.kl is not None
    assert_same(long.kl, short.kl)


@pytest.mark.parametrize("include", [(), ("losses",), ("gradients",), ("kl",), ALL], ids=str)
def test_what_is_not_asked_for_is_not_told(include: tuple[Part, ...]) -> None:
    """The fields are those of the long way."""
    said: dict[str, Any] = {"logits": np.eye(3), "targets": np.arange(3), "include": include}
    short, long = score(**said), the_long_way(**said)
    assert_same(long, short)
    assert (long.kl is None) == (short.kl is None)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_other_losses_and_options_are_no_concern_of_it(loss: str) -> None:
    """Every loss of the registry, and every option, costs the same as with weights of 1."""
    binary = LOSSES[loss].binary
    said: dict[str, Any] = {"logits": 3 * np.random.default_rng(1).standard_normal((5, 4)), "loss": loss}
    said["targets"] = (said["logits"] > 0).astype(float) if binary else np.array([0, 1, 2, 3, 0])
    options: list[dict[str, Any]] = [{"temperature": 2.0}, {"class_weights": np.arange(1, 5.0)}]
    options += [] if binary else [{"label_smoothing": 0.1}, {"ignore_index": 1}]
    options += [{}, {"epsilon": 0.01}, {"include": ("probabilities", "gradients")}]
    for option in options:
        assert_same(the_long_way(**said, **option), score(**said, **option))


@pytest.mark.parametrize(("row", "target"), WRONG)
def test_what_is_wrong_is_said_as_on_the_long_way(row: list[float], target: float) -> None:
    """The same problems, at the same place."""
    said: dict[str, Any] = {"logits": np.array([[0.0, 1.0], row]), "targets": np.array([1, target])}
    with pytest.raises(InvalidInputError) as short:
        score(**said)
    with pytest.raises(InvalidInputError) as long:
        the_long_way(**said)
    assert repr(short.value.problems) == repr(long.value.problems)  # NaN is not itself


@pytest.mark.parametrize(("rows", "classes"), [(2, 2), (32, 10), (MOST // 63, 63)])
def test_the_shortcut_is_taken(monkeypatch: pytest.MonkeyPatch, rows: int, classes: int) -> None:
    """Else these tests would compare one way with itself."""
    monkeypatch.setattr(SCORING, "prepared", None)
    scores = score(logits=np.zeros((rows, classes)), targets=np.zeros(rows))
    assert scores.loss == pytest.approx(np.log(classes), rel=1e-15)
