"""The compiled loops: their own bounds; the laws of every loss run with them, too (``make test`` does)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.engine import fused, score, warm_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytest.importorskip(
    "numba", reason="the extra `fused` is not installed here; `make test` runs this where it is"
)
loops: Any = fused.kernels()

LENGTHS = [1, 2, 3, 8, 9, 16, 17, 127, 128, 129, 1000, 5001]


def apart(logits: NDArray[Any], classes: NDArray[np.intp], kernel: str) -> tuple[NDArray[Any], ...]:
    """Masses, the mass of one class of each row, and the sum of the others."""
    masses = np.empty(logits.shape, np.float32 if kernel.endswith("32") else np.float64)
    mass, others = np.empty(len(logits)), np.empty(len(logits))
    getattr(loops, kernel)(logits, classes, masses, mass, others)
    return masses, mass, others


@pytest.mark.parametrize(
    ("kernel", "dtype", "reach", "bound"),
    [("hold_apart", np.float64, 700, 1.1), ("hold_apart32", np.float32, 80, 1.5)],
)
def test_exponentials_are_as_exact_as_said(kernel: str, dtype: type[Any], reach: float, bound: float) -> None:
    """Against 40 digits, over the whole range and near 0."""
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.uniform(-reach, reach, 3000), rng.normal(0, 1, 1000), [0.0, -0.0]]).astype(
        dtype
    )
    logits = np.stack([np.zeros_like(points), points], axis=1)
    masses = apart(logits, np.zeros(len(points), np.intp), kernel)[0][:, 1]
    unit = float(np.finfo(dtype).eps) / 2
    with mpmath.workdps(40):
        for point, mass in zip(points.tolist(), masses.tolist(), strict=True):
            truth = mpmath.exp(point)
            assert abs(mass - truth) <= bound * unit * truth, point


@pytest.mark.parametrize("kernel", ["hold_apart", "hold_apart32"])
def test_exponentials_end_where_their_dtype_does(kernel: str) -> None:
    """Beyond the range they are 0 and infinite, below the normal numbers they fade, and NaN stays."""
    dtype = np.float32 if kernel.endswith("32") else np.float64
    ends = [-np.inf, np.inf, np.nan, -1e4, 1e4, -103.0 if dtype == np.float32 else -744.0]
    masses, _, _ = apart(np.array([[0.0, *ends]], dtype), np.array([0]), kernel)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(masses[0, 1:], np.exp(np.array(ends, dtype)), rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), classes=st.sampled_from(LENGTHS), equal=st.booleans())
@settings(max_examples=200, deadline=None)
def test_sums_of_rows_are_exact_at_any_length(seed: int, classes: int, *, equal: bool) -> None:
    """At most 6 units off, also where all terms are the same and round the same way."""
    rng = np.random.default_rng(seed)
    logits = np.full((1, classes), rng.normal()) if equal else rng.normal(0, 5, (1, classes))
    masses, mass, others = apart(logits, np.array([classes - 1]), "hold_apart")
    exact = mpmath.fsum(masses[0].tolist())
    assert mass[0] > 0
    assert masses[0, classes - 1] == 0
    assert abs(others[0] - exact) <= 6 * 2.0**-53 * exact


@given(seed=st.integers(0, 2**32 - 1), classes=st.sampled_from(LENGTHS[1:]), soft=st.booleans())
@settings(max_examples=200, deadline=None)
def test_rows_of_gradients_sum_to_nothing(seed: int, classes: int, *, soft: bool) -> None:
    """Within 1 unit of their largest entry, as without the loops."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 6, (3, classes))
    targets: Any = rng.integers(0, classes, 3)
    if soft:
        targets = rng.dirichlet(np.ones(classes), 3)
    gradients = score(logits=logits, targets=targets, include=["gradients"], tolerance=1e-3).gradients
    assert gradients is not None
    for row in gradients.tolist():
        assert abs(mpmath.fsum(row)) <= 2.0**-52 * max(map(abs, row))


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_answers_are_those_of_numpy(dtype: type[np.floating[Any]], *, soft: bool) -> None:
    """Within both bounds; so whoever installs the extra sees the same numbers, sooner."""
    rng = np.random.default_rng(3)
    for classes in LENGTHS[1:]:
        logits = rng.normal(0, 4, (20, classes)).astype(dtype)
        targets: Any = rng.integers(0, classes, 20)
        if soft:
            targets = rng.dirichlet(np.ones(classes), 20).astype(dtype)
        wanted: dict[str, Any] = {"logits": logits, "targets": targets, "tolerance": 1e-3}
        compiled = score(**wanted)
        fused.use_kernels(on=False)
        try:
            plain = score(**wanted)
        finally:
            fused.use_kernels(on=True)
        unit = float(np.finfo(dtype).eps) / 2
        np.testing.assert_allclose(np.asarray(compiled.losses), np.asarray(plain.losses), rtol=16 * unit)
        gradients = np.asarray(compiled.gradients), np.asarray(plain.gradients)
        np.testing.assert_allclose(*gradients, rtol=64 * unit, atol=4 * unit / 20)


def test_nothing_is_left_to_compile_after_warming_up() -> None:
    """Arrays of JSON and of binary bodies, in both precisions, find their loops ready."""
    warm_up()
    compiled = [
        getattr(loops, name) for name in ("hold_apart", "hold_apart32", "write_closed", "write_shared")
    ]
    before = [len(loop.signatures) for loop in compiled]
    for dtype in (np.float32, np.float64):
        for writeable in (True, False):
            logits = np.array([[3.0, 1.0], [0.0, 1.0]], dtype)
            logits.flags.writeable = writeable
            score(logits=logits, targets=[0, 1])
    assert [len(loop.signatures) for loop in compiled] == before
