"""Writing JSON: the shortest digits, spelled names for what is not finite, any layout."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lossmeter.wire.json import as_array, decode, encode


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"a": np.array([1.5, 2]), "b": [], "c": "x", "d": None}, b'{"a":[1.5,2.0],"b":[],"c":"x","d":null}'),
        (np.array([np.inf, -np.inf, np.nan, 1]), b'["Infinity","-Infinity","NaN",1.0]'),
        (np.array([[1, np.nan], [np.inf, 2]]), b'[[1.0,"NaN"],["Infinity",2.0]]'),
        (np.array([np.nan], np.float32), b'["NaN"]'),
        (np.array([0.1], np.float32), b"[0.1]"),
        (np.array([[1, 2], [3, np.nan]]).T, b'[[1.0,3.0],[2.0,"NaN"]]'),
        (np.array([[1, 2], [3, 4]]).T, b"[[1,3],[2,4]]"),
        (np.array([1, np.inf], ">f8"), b'[1.0,"Infinity"]'),
        (np.arange(6, dtype=">i4")[::2], b"[0,2,4]"),
        (np.array([1.5, np.inf], np.longdouble), b'[1.5,"Infinity"]'),
        (np.array([True, False]), b"[true,false]"),
        (np.array(np.nan), b'"NaN"'),
        (np.empty(0), b"[]"),
        (np.empty((2, 0)), b"[[],[]]"),
        (np.full((1, 1, 2), np.nan), b'[[["NaN","NaN"]]]'),
        ({"a": [(float("nan"), {"b": float("-inf")})]}, b'{"a":[["NaN",{"b":"-Infinity"}]]}'),
        ([np.float32("inf"), np.float64("nan"), np.int64(3), np.bool_(True)], b'["Infinity","NaN",3,true]'),  # noqa: FBT003 - NumPy's scalar
        ("null", b'"null"'),
        (np.array([5e-324, 1.7976931348623157e308]), b"[5e-324,1.7976931348623157e+308]"),
    ],
)
def test_a_document_is_written(document: object, text: bytes) -> None:
    """The exact bytes of an answer."""
    assert encode(document) == text


def test_blocks_meet() -> None:
    """Arrays of several blocks are written whole, whichever block is not finite."""
    for shape in [(200_000,), (70_000, 3), (3, 70_000)]:
        values = np.random.default_rng(5).standard_normal(shape)
        values.flat[-2:] = [np.inf, np.nan]
        np.testing.assert_array_equal(as_array(decode(encode(values)), (), ranks=(1, 2)), values)
        assert np.shape(json.loads(encode(values))) == shape


ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int64]), hnp.array_shapes(min_dims=1, max_dims=2, max_side=6)
)


@given(values=ARRAYS)
def test_arrays_come_back_bit_for_bit(values: np.ndarray) -> None:
    """What is written is read again as the same doubles; the digits of a float32 as the same float32."""
    back = as_array(decode(encode(values)), (), ranks=(1, 2))
    if values.dtype == np.int64:
        np.testing.assert_array_equal(back, values.astype(np.float64))
    else:
        np.testing.assert_array_equal(back.astype(values.dtype), values)
        np.testing.assert_array_equal(
            np.signbit(back[~np.isnan(back)]), np.signbit(values[~np.isnan(values)])
        )
