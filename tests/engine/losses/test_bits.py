"""The same numbers are the same bits: whatever their layout and dtype, their place in the batch, and the threads."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cases import (
    CASES,
    DEFAULTS,
    FORMS,
    OPTIONS,
    TRUTHS,
    Case,
    arrays_of,
    as_form,
    assert_same_bits,
    options_of,
    random_logits,
    random_truth,
    rows_of,
    scored,
)
from lossmeter.engine import LOSSES, blocks, score
from lossmeter.engine.options import PARTS

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_default = pytest.mark.parametrize("case", DEFAULTS, ids=str)
every_form = pytest.mark.parametrize("form", FORMS)


def layouts(array: Any) -> dict[str, Any]:  # noqa: ANN401  arrays of any dtype
    """The same array in other layouts of memory."""
    wide = np.zeros(tuple(2 * side for side in array.shape), array.dtype)
    strided = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    strided[...] = array
    read_only = array.copy()
    read_only.flags.writeable = False
    return {
        "columns first": np.asfortranarray(array),
        "read-only": read_only,
        "strided": strided,
        "backwards": array[::-1].copy()[::-1],
        "foreign bytes": array.astype(array.dtype.newbyteorder()),
        "unaligned": np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:]
        .view(array.dtype)
        .reshape(array.shape),
    }


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_form
@every_default
def test_the_layout_of_memory_changes_no_bit(case: Case, form: str, dtype: type[np.floating[Any]]) -> None:
    """Column-major, read-only, strided, backward, byte-swapped and unaligned input is scored like its plain copy."""
    for truth, classes in product(TRUTHS, (4, 70)):
        rng = np.random.default_rng(12)
        values = as_form(case, form, random_logits(case, rng, 7, classes)).astype(dtype)
        targets = random_truth(case, rng, 7, classes, truth)
        weights = rng.uniform(0.5, 2, 7).astype(dtype)
        said: dict[str, Any] = {"label_smoothing": 0.1 if truth == "mixed" else 0.0, "tolerance": 1e-4}
        plain = arrays_of(scored(case, form, values, targets, sample_weights=weights, **said))
        for name, other in layouts(values).items():
            same = arrays_of(
                scored(
                    case, form, other, layouts(targets)[name], sample_weights=layouts(weights)[name], **said
                )
            )
            assert_same_bits(plain, same)


@every_form
@every_case
def test_single_precision_stays_single(case: Case, form: str) -> None:
    """float32 in, float32 out, in every array; and right to a few of its units."""
    for truth, option in product(TRUTHS, ("plain", "everything")):
        rng = np.random.default_rng(13)
        values = as_form(case, form, random_logits(case, rng, 5, 4)).astype(np.float32)
        targets = random_truth(case, rng, 5, 4, truth)
        options = options_of(option, case, form, 5, 4)
        single = arrays_of(scored(case, form, values, targets, **options))
        double = arrays_of(scored(case, form, values.astype(np.float64), targets, **options))
        assert single.keys() == double.keys()
        for name, value in single.items():
            assert value.dtype == np.float32, name
            np.testing.assert_allclose(value, double[name], rtol=1e-5, atol=3e-6)


@every_default
def test_other_dtypes_are_read_exactly(case: Case) -> None:
    """float16 is scored as the float32 of the same value, integers and long doubles as float64."""
    rng = np.random.default_rng(14)
    halves = random_logits(case, rng, 5, 4).astype(np.float16)
    targets = random_truth(case, rng, 5, 4)
    one = arrays_of(scored(case, "logits", halves, targets))
    assert_same_bits(one, arrays_of(scored(case, "logits", halves.astype(np.float32), targets)))
    whole = rng.integers(-5, 5, case.shape(5, 4))
    doubles = arrays_of(scored(case, "logits", whole.astype(np.float64), targets))
    for dtype in (np.int8, np.int64, np.longdouble):
        assert_same_bits(doubles, arrays_of(scored(case, "logits", whole.astype(dtype), targets)))
    assert_same_bits(
        doubles,
        arrays_of(
            score(
                logits=whole.tolist(),
                targets=targets.tolist(),
                loss=case.loss.name,
                include=PARTS,
            )
        ),
    )


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, np.float32, np.float64])
@every_default
def test_targets_of_any_dtype(case: Case, dtype: type[np.generic]) -> None:
    """Class indices and 0/1 truths mean the same in every dtype that can hold them."""
    rng = np.random.default_rng(15)
    values = random_logits(case, rng, 6, 4)
    targets = random_truth(case, rng, 6, 4)
    plain = arrays_of(scored(case, "logits", values, targets))
    assert_same_bits(plain, arrays_of(scored(case, "logits", values, targets.astype(dtype))))


def rows_per_block(classes: int) -> int:
    """How many rows of a mixed batch make a block."""
    return int(blocks.cut((1 << 18, classes))[0].stop)


def large(case: Case, form: str, classes: int, dtype: type[np.floating[Any]]) -> tuple[Any, Any]:
    """A batch of two blocks and a bit."""
    n = int(2.2 * rows_per_block(classes))
    rng = np.random.default_rng(16)
    values = as_form(case, form, random_logits(case, rng, n, classes, spread=6.0)).astype(dtype)
    return values, random_truth(case, rng, n, classes, "mixed")


@pytest.mark.parametrize(
    ("form", "classes", "dtype"),
    [
        ("logits", 2, np.float64),
        ("logits", 5, np.float32),
        ("logits", 63, np.float64),
        ("logits", 64, np.float64),
        ("logits", 65, np.float32),
        ("logits", 1000, np.float64),
        ("probabilities", 5, np.float64),
        ("probabilities", 65, np.float32),
        ("log_probabilities", 5, np.float64),
        ("log_probabilities", 65, np.float32),
    ],
)
@pytest.mark.parametrize("case", [case for case in DEFAULTS if not case.single], ids=str)
def test_neither_the_batch_nor_the_threads_change_a_bit(
    case: Case, form: str, classes: int, dtype: type[np.floating[Any]]
) -> None:
    """A row has the same bits from one thread and from many, alone and anywhere in a batch of several blocks."""
    values, targets = large(case, form, classes, dtype)
    said: dict[str, Any] = {"reduction": "none", "tolerance": 1e-3}
    one = scored(case, form, values, targets, threads=1, **said)
    many = scored(case, form, values, targets, threads=4, **said)
    assert_same_bits(arrays_of(one), arrays_of(many))
    whole = rows_of(one)
    n = len(values)
    step = rows_per_block(classes)
    for rows in (slice(0, 1), slice(step - 1, step + 2), slice(n - 7, n), slice(3, 12)):
        alone = scored(case, form, values[rows], targets[rows], **said)
        assert_same_bits({name: value[rows] for name, value in whole.items()}, rows_of(alone))


@every_default
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 40),
    classes=st.sampled_from([1, 2, 3, 7, 8, 9, 31, 63, 64, 65]),
    form=st.sampled_from(FORMS),
    dtype=st.sampled_from([np.float32, np.float64]),
    option=st.sampled_from(OPTIONS),
)
def test_a_row_does_not_see_its_neighbours(
    case: Case, *, seed: int, n: int, classes: int, form: str, dtype: type[np.floating[Any]], option: str
) -> None:
    """Any part of any batch has the bits that it has in the whole, also beside rows that are ignored."""
    rng = np.random.default_rng(seed)
    values = as_form(case, form, random_logits(case, rng, n, classes, 5.0)).astype(dtype)
    options = options_of(option, case, form, n, classes) | {"reduction": "none", "tolerance": 1e-3}
    indices = case.single or not case.loss.binary
    kind = "hard" if indices else "soft"
    targets = random_truth(case, rng, n, classes, kind)
    start = int(rng.integers(0, n))
    rows = slice(start, int(rng.integers(start, n)) + 1)
    whole = targets.copy()
    if indices:
        whole = np.where((np.arange(n) >= rows.start) & (np.arange(n) < rows.stop), targets, -1)
    part = dict(options)
    if "sample_weights" in options:
        part["sample_weights"] = options["sample_weights"][rows]
    marks = {"ignore_index": -1} if indices else {}
    together = rows_of(scored(case, form, values, whole, **marks, **options))
    alone = rows_of(scored(case, form, values[rows], targets[rows], **part))
    assert_same_bits({name: value[rows] for name, value in together.items()}, alone)


def test_input_is_never_written_to() -> None:
    """Scoring leaves every array that was sent as it was."""
    for name, loss in LOSSES.items():
        case = Case(loss)
        rng = np.random.default_rng(17)
        for form in FORMS:
            values = as_form(case, form, random_logits(case, rng, 5, 70))
            targets = random_truth(case, rng, 5, 70, "soft")
            weights = np.full(5, 2.0)
            sent = [each.copy() for each in (values, targets, weights)]
            scored(case, form, values, targets, sample_weights=weights, label_smoothing=0.1)
            for before, after in zip(sent, (values, targets, weights), strict=True):
                assert before.tobytes() == after.tobytes(), name
