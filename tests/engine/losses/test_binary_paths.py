"""Binary losses take short ways where they can: which way a label goes changes no bit, and none takes much memory."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cases import arrays_of, assert_same_bits, rows_of
from lossmeter.engine import score
from lossmeter.engine.options import PARTS

if TYPE_CHECKING:
    from typing import TypeAlias

    from lossmeter.engine import Scores

    DType: TypeAlias = type[np.floating[Any]]

LOSSES: list[dict[str, Any]] = [
    {"name": "binary_cross_entropy"},
    {"name": "binary_cross_entropy", "pos_weight": 3.0},
    {"name": "binary_focal", "gamma": 2.0},
]
DTYPES = [np.float32, np.float64]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def scored(logits: Any, targets: Any, **options: Any) -> Scores:  # noqa: ANN401  as score has them
    """Unreduced, with every part."""
    said: dict[str, Any] = {
        "loss": "binary_cross_entropy",
        "reduction": "none",
        "include": PARTS,
        **options,
    }
    return score(logits=logits, targets=targets, **said)


def batch(rng: np.random.Generator, n: int, labels: int, dtype: DType) -> tuple[Any, Any]:
    """Logits from small to beyond the far end, and hard truths."""
    logits = rng.normal(size=(n, labels)) * 10.0 ** rng.integers(-3, 4, size=(n, 1))
    return logits.astype(dtype), rng.integers(0, 2, (n, labels)).astype(dtype)


@every_loss
@every_dtype
@given(
    seed=st.integers(0, 2**32 - 1),
    labels=st.sampled_from([1, 2, 3, 10, 63, 64, 200]),
    smoothing=st.sampled_from([0.0, 0.1]),
)
def test_hard_rows_among_soft_ones(
    loss: dict[str, Any], dtype: DType, seed: int, labels: int, smoothing: float
) -> None:
    """A hard row has the same bits alone, among hard rows, and beside soft, endless and far ones."""
    rng = np.random.default_rng(seed)
    logits, hard = batch(rng, 9, labels, dtype)
    others = np.full((3, labels), [[0.5], [-np.inf], [1e30]]).astype(dtype)
    soft = rng.random((3, labels)).astype(dtype)
    options: dict[str, Any] = {"loss": loss, "label_smoothing": smoothing}
    among_hard = rows_of(scored(logits, hard, **options))
    sent, truth = np.concatenate([others, logits]), np.concatenate([soft, hard])
    among_soft = rows_of(scored(sent, truth, **options))
    assert_same_bits(among_hard, {name: rows[3:] for name, rows in among_soft.items()})
    alone = rows_of(scored(logits[4:5], hard[4:5], **options))
    assert_same_bits(alone, {name: rows[4:5] for name, rows in among_hard.items()})


@every_loss
@every_dtype
def test_blocks_threads_and_layouts(loss: dict[str, Any], dtype: DType) -> None:
    """One thread or several, many blocks or one, rows or columns first: the same bits."""
    rng = np.random.default_rng(1)
    logits, truth = batch(rng, 30_000, 7, dtype)
    truth[::3] = rng.random(truth[::3].shape)
    one = scored(logits, truth, loss=loss, threads=1)
    several = scored(np.asfortranarray(logits), np.asfortranarray(truth), loss=loss, threads=3)
    assert_same_bits(arrays_of(one), arrays_of(several))
    part = slice(7_000, 22_001)
    alone = scored(logits[part], truth[part], loss=loss)
    assert_same_bits({name: rows[part] for name, rows in rows_of(one).items()}, rows_of(alone))


@every_loss
@every_dtype
def test_the_dtype_of_the_truth(loss: dict[str, Any], dtype: DType) -> None:
    """The same truth in single or double precision, or as integers, has the same bits."""
    rng = np.random.default_rng(2)
    logits, hard = batch(rng, 50, 6, dtype)
    soft = rng.random((50, 6)).astype(np.float32)
    soft[0, :2] = 1e-20, 0.5
    for truth, others in ((hard, (np.int64, np.uint8, np.float32, np.float64)), (soft, (np.float64,))):
        plain = arrays_of(scored(logits, truth, loss=loss))
        for other in others:
            assert_same_bits(plain, arrays_of(scored(logits, truth.astype(other), loss=loss)))


@every_dtype
def test_truths_that_single_precision_cannot_tell_from_hard_ones(dtype: DType) -> None:
    """A double just below 1 or just above one half stays what it is beside float32 logits."""
    logits = np.array([50.0, 50.0, 3.0], dtype)
    truth = np.array([1 - 2.0**-50, 1.0, 0.5 + 2.0**-50])
    losses = scored(logits, truth).losses
    assert losses is not None
    np.testing.assert_allclose(losses[0], 50 * 2.0**-50, rtol=1e-6)
    assert losses[1] < 1e-21
    np.testing.assert_allclose(losses[2], 1.5 + np.log1p(np.exp(-3.0)), rtol=1e-6)


@every_dtype
def test_weights_of_one_and_focal_of_zero(dtype: DType) -> None:
    """Weights of 1, and a focal loss that does not fade, are plain binary cross-entropy to the bit."""
    rng = np.random.default_rng(3)
    logits, truth = batch(rng, 40, 5, dtype)
    truth[::2] = rng.random(truth[::2].shape)
    plain = rows_of(scored(logits, truth))
    for options in (
        {"sample_weights": np.ones(40)},
        {"class_weights": np.ones(5)},
        {"loss": {"name": "binary_cross_entropy", "pos_weight": 1.0}},
        {"loss": {"name": "binary_focal", "gamma": 0.0}},
    ):
        assert_same_bits(plain, rows_of(scored(logits, truth, **options)))


@pytest.mark.parametrize("bad", [-0.25, 1.5, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 99_999])
def test_a_truth_that_is_none_is_named(bad: float, place: int) -> None:
    """Wherever it stands, alone among hard truths, and before what is wrong with the logits."""
    logits, truth = np.zeros((100_000, 2)), np.zeros((100_000, 2))
    truth[place, 1], logits[50_000] = bad, np.nan
    with pytest.raises(Exception, match="a truth in") as caught:
        score(logits=logits, targets=truth, loss="binary_cross_entropy")
    assert caught.value.problems[0].path == ("targets", place, 1)  # type: ignore[attr-defined]


@every_loss
@pytest.mark.parametrize("kind", ["hard", "soft", "whole numbers", "columns first"])
def test_memory_beyond_the_answer(loss: dict[str, Any], kind: str) -> None:
    """Beyond the answer, scoring keeps no more than 4 MiB, whatever the truth is made of."""
    rng = np.random.default_rng(4)
    logits, truth = batch(rng, 60_000, 20, np.float64)
    if kind == "soft":
        truth = rng.random(truth.shape)
    elif kind == "whole numbers":
        truth = truth.astype(np.int64)
    elif kind == "columns first":
        logits, truth = np.asfortranarray(logits), np.asfortranarray(truth)
    tracemalloc.start()
    scores = score(logits=logits, targets=truth, loss=loss, include=("losses", "gradients"), threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    answer = sum(value.nbytes for value in arrays_of(scores).values())
    assert peak - answer <= 4 * 2**20
