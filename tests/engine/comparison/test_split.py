from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossmeter.engine.comparison.split import Cells, split

CELL = st.tuples(st.integers(0, 50).map(Fraction), st.floats(0, 1e3).map(Fraction)).map(
    lambda cell: (cell[0], cell[1] if cell[0] else Fraction(0))
)
WINDOW = st.dictionaries(
    st.sampled_from(["north", "south", "west"]),
    st.dictionaries(st.integers(0, 2), CELL, min_size=1),
    min_size=1,
).filter(lambda cells: any(cell[0] for classes in cells.values() for cell in classes.values()))


def mean(cells: Cells) -> Fraction:
    """Σy/Σw."""
    every = [cell for classes in cells.values() for cell in classes.values()]
    return sum((y for _, y in every), Fraction(0)) / sum((w for w, _ in every), Fraction(0))


@given(reference=WINDOW, current=WINDOW)
def test_parts_of_the_slices_add_up(reference: Cells, current: Cells) -> None:
    """Mix, label shift and the rest of all slices are the change of the mean, to 240 bits."""
    change = mean(current) - mean(reference)
    found, of_slices = split(reference, current, float(change))
    assert abs(sum((each.total for each in of_slices.values()), -change)) < Fraction(1, 1 << 240)
    assert found.mix + found.label_shift + found.within + found.residual == pytest.approx(
        float(change), abs=1e-300
    )
    assert abs(found.residual) <= 1e-12 * (1 + abs(found.mix) + abs(found.label_shift) + abs(found.within))


def window(**slices: list[tuple[int, float]]) -> Cells:
    """Slices of (rows, mean loss) by class."""
    return {
        name: {label: (Fraction(n), n * Fraction(loss)) for label, (n, loss) in enumerate(classes)}
        for name, classes in slices.items()
    }


def test_each_cause_is_told_from_the_others() -> None:
    """More rows of a bad slice are mix, more of a hard class label shift, worse predictions neither."""
    before = window(north=[(50, 0.1), (50, 0.5)], south=[(50, 1.0), (50, 2.0)])
    mixed, _ = split(before, window(north=[(25, 0.1), (25, 0.5)], south=[(75, 1.0), (75, 2.0)]), 0.3)
    assert (mixed.label_shift, mixed.within) == (0, 0)
    assert mixed.mix == pytest.approx(0.3)
    shifted, of_slices = split(
        before, window(north=[(25, 0.1), (75, 0.5)], south=[(50, 1.0), (50, 2.0)]), 0.05
    )
    assert (shifted.mix, shifted.within) == (0, 0)
    assert of_slices["south"].total == 0
    worse, of_slices = split(
        before, window(north=[(50, 0.1), (50, 0.5)], south=[(50, 1.5), (50, 2.0)]), 0.125
    )
    assert (worse.mix, worse.label_shift) == (0, 0)
    assert worse.within == 0.125
    assert float(of_slices["south"].within) == 0.125


def test_a_slice_of_one_window_alone_is_mix() -> None:
    """A slice that is new moves the mean by its share and its distance from the mean."""
    found, of_slices = split(window(north=[(100, 1.0)]), window(north=[(100, 1.0)], east=[(100, 3.0)]), 1.0)
    assert (found.mix, found.label_shift, found.within) == (1.0, 0, 0)
    assert float(of_slices["east"].mix) == 0.75


def test_equal_means_of_other_weights_are_equal() -> None:
    """Thirds and sevenths have no end in binary; the same mean and share are the same number all the same."""
    found, _ = split(window(a=[(3, 0.1), (4, 0.7)]), window(a=[(30, 0.1), (40, 0.7)]), 0.0)
    assert (found.mix, found.label_shift, found.within) == (0, 0, 0)
