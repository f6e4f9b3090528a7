"""The door from documents to arrays: what passes, and who is blamed for what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lossmeter.errors import ABSENT, MOST_PROBLEMS, InvalidInputError
from lossmeter.wire.json import TooLargeNumber, as_array, count_numbers, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray


def array_of(body: bytes, *ranks: int, max_classes: int | None = None) -> NDArray[np.float64]:
    """The array in a body, standing at /x."""
    return as_array(decode(body), ("x",), ranks=ranks or (1, 2), max_classes=max_classes)


def blame(body: bytes, *ranks: int, max_classes: int | None = None) -> InvalidInputError:
    """The error for the array in a body."""
    with pytest.raises(InvalidInputError) as caught:
        array_of(body, *ranks, max_classes=max_classes)
    return caught.value


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[1,2]", [1, 2]),
        (b"[[1,2],[3,4]]", [[1, 2], [3, 4]]),
        (b'["-Infinity","NaN","Infinity"]', [-np.inf, np.nan, np.inf]),
        (b'[["-Infinity",0],["-Infinity","-Infinity"]]', [[-np.inf, 0], [-np.inf, -np.inf]]),
    ],
)
def test_an_array_passes(body: bytes, expected: object) -> None:
    """Numbers, and the three strings that are numbers, come as float64."""
    found = array_of(body)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array(expected, float))


def test_lists_pass_too() -> None:
    """A caller in Python may bring lists instead of what decode makes."""
    assert as_array([1, 2.5], (), ranks=(1,)).tolist() == [1, 2.5]
    assert as_array([[1, "-Infinity"], [2, 3]], (), ranks=(2,)).tolist() == [[1, -np.inf], [2, 3]]
    assert as_array([[1, 2], np.array([3.0, 4])], (), ranks=(2,)).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("body", "ranks", "pointers", "count"),
    [
        (b"[]", (1, 2), ["/x"], 1),
        (b"[[],[]]", (1, 2), ["/x"], 1),
        (b"[[1,2],[3]]", (1, 2), ["/x/1"], 1),
        (b"[[],[1,2],[3,4],[5]]", (2,), ["/x/0", "/x/3"], 2),
        (b"[[1,2],[null]]", (2,), ["/x/1/0"], 1),
        (b'[1,"2",true,null,{},[],1e400]', (1,), [f"/x/{index}" for index in range(1, 7)], 6),
        (b'[[1,"x"],[true,2],3,[4,1e999],{}]', (2,), ["/x/0/1", "/x/1/0", "/x/2", "/x/3/1", "/x/4"], 5),
        (b"[[1,[2,3]],[[],4]]", (1, 2), ["/x/0/1", "/x/1/0"], 2),
        (b"[[[1,2]],[[3,4]]]", (1, 2), ["/x/0", "/x/1"], 2),
        (b"[1,[2]]", (1, 2), ["/x/1"], 1),
        (b"[null,[2]]", (1, 2), ["/x/0"], 1),
        (b"[[1]]", (1,), ["/x"], 1),
        (b"[1]", (2,), ["/x"], 1),
        (b"[1,null]", (2,), ["/x/0", "/x/1"], 2),
        (b'["nan"]', (1,), ["/x/0"], 1),
        (b'["infinity","+Infinity","Inf"," NaN"]', (1,), ["/x/0", "/x/1", "/x/2", "/x/3"], 4),
        (b"1", (1, 2), ["/x"], 1),
        (b"null", (1, 2), ["/x"], 1),
        (b"{}", (1, 2), ["/x"], 1),
        (b'"NaN"', (1, 2), ["/x"], 1),
        (b"1e400", (1, 2), ["/x"], 1),
    ],
)
def test_offenders_are_named_in_document_order(
    body: bytes, ranks: tuple[int, ...], pointers: list[str], count: int
) -> None:
    """Each offender has its pointer, and the count is of all."""
    error = blame(body, *ranks)
    assert [problem.pointer for problem in error.problems] == pointers
    assert error.count == count


def test_values_are_shown_if_they_are_short() -> None:
    """Scalars are shown, strings up to their fortieth character, containers never."""
    shown = [problem.value for problem in blame(b'[true,null,1e400,"%b",{},[1]]' % (b"y" * 100), 1).problems]
    assert shown == [True, None, "1e400", "y" * 40 + "…", ABSENT, ABSENT]


def test_too_many_columns_are_refused() -> None:
    """A matrix wider than the limit is refused at its field, one as wide is not."""
    assert array_of(b"[[1,2]]", max_classes=2).shape == (1, 2)
    error = blame(b"[[1,2,3]]", max_classes=2)
    assert error.problems[0].pointer == "/x"
    assert "at most 2" in error.problems[0].detail


def test_a_million_offenders_are_counted_not_built() -> None:
    """The first twenty are named, the others only counted."""
    body = b"[" + b'"abc",' * 999_999 + b"null]"
    error = blame(body, 1)
    assert len(error.problems) == MOST_PROBLEMS
    assert error.count == 1_000_000
    assert error.problems[-1].pointer == f"/x/{MOST_PROBLEMS - 1}"


@pytest.mark.parametrize(("last", "pointer"), [(b"[1,null]", "/x/1000000/1"), (b"[1]", "/x/1000000")])
def test_one_offender_after_a_million_rows_is_found(last: bytes, pointer: str) -> None:
    """A single bad row at the end of a large matrix is the one that is named."""
    error = blame(b"[" + b"[1,2]," * 1_000_000 + last + b"]", 2)
    assert error.count == 1
    assert error.problems[0].pointer == pointer


def test_numbers_are_counted_wherever_they_are() -> None:
    """Arrays, lists and scalars count; what is no number does not."""
    document = {
        "a": np.zeros((2, 3)),
        "b": [1, True, None, "NaN", [2.5]],
        "c": 4,
        "d": TooLargeNumber("1e400"),
    }
    assert count_numbers(document) == 10
    assert count_numbers("text") == 0
