"""The reader of small documents: it means what the exact reader means, or it leaves the body to others."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.wire import json_exact, json_small
from lossmeter.wire.json import DEFAULT_DEPTH

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,30})\.[0-9]{1,40}([eE][+-]?[0-9]{1,3})?\Z"),
    st.sampled_from(["-0", "-0.0", "9007199254740993", '"NaN"', '"-Infinity"', "true", "null", '"a"', "[]"]),
)
VALUES = st.one_of(
    NUMBERS,
    st.lists(NUMBERS, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
    st.lists(st.lists(NUMBERS, min_size=2, max_size=2), max_size=3).map(
        lambda rows: f"[{','.join(f'[{row[0]},{row[1]}]' for row in rows)}]"
    ),
    st.lists(st.text(max_size=3), max_size=3).map(json.dumps),
    st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=2).map(json.dumps),
)
KEYS = st.text(max_size=2).map(json.dumps)


def written(members: list[tuple[str, str]]) -> str:
    """An object of these members, which may have the same key."""
    return f"{{{', '.join(f'{key}: {value}' for key, value in members)}}}"


OBJECTS = st.recursive(
    st.lists(st.tuples(KEYS, VALUES), max_size=3).map(written),
    lambda inner: st.lists(
        st.tuples(
            KEYS, inner | st.lists(inner | VALUES, max_size=3).map(lambda items: f"[{','.join(items)}]")
        ),
        max_size=3,
    ).map(written),
    max_leaves=6,
)
MEMBERS = st.lists(st.tuples(KEYS, VALUES | OBJECTS), max_size=4)


def bits(value: object) -> object:
    """A value in which every bit of a number counts."""
    if isinstance(value, dict):
        return {key: bits(each) for key, each in value.items()}
    if isinstance(value, list):
        return [bits(each) for each in value]
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype, value.tobytes()
    if isinstance(value, float):
        return value, math.copysign(1.0, value)
    return type(value), value


@settings(max_examples=500)
@given(members=MEMBERS)
def test_what_is_read_is_what_the_exact_reader_reads(members: list[tuple[str, str]]) -> None:
    """Whatever the members, doubled keys included, there is the same document or none."""
    body = written(members).encode()
    found = json_small.read(body, DEFAULT_DEPTH)
    if found is not None:
        exact = json_exact.read(body, DEFAULT_DEPTH)
        assert isinstance(exact, dict)
        assert bits(found) == bits(exact)


def test_a_usual_request_is_read() -> None:
    """Matrices and vectors become arrays; names and scalars stay what they are."""
    body = b'{"logits": [[1, 2.5], ["-Infinity", 3]], "targets": [0, 1], "include": ["losses"], "temperature": 2}'
    found = json_small.read(body, DEFAULT_DEPTH)
    assert found is not None
    logits, targets = found.pop("logits"), found.pop("targets")
    assert isinstance(logits, np.ndarray)
    assert isinstance(targets, np.ndarray)
    assert logits.tolist() == [[1.0, 2.5], [-math.inf, 3.0]]
    assert targets.dtype == np.float64
    assert found == {"include": ["losses"], "temperature": 2}


def test_a_request_of_tensors_is_read() -> None:
    """Objects in lists, and their parameters, are documents like the whole."""
    body = b'{"inputs": [{"name": "logits", "shape": [1, 2], "parameters": {"size": 16}}, {"name": "t"}]}'
    found = json_small.read(body, DEFAULT_DEPTH)
    assert found is not None
    assert bits(found) == bits(json_exact.read(body, DEFAULT_DEPTH))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": ":"}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": [{"b": 1}, {"b": 1, "b": 2}]}',
        b'{"a": [{"b": ":"}]}',
        b'{"a": [{"b": 1}, 2]}',
        b'{"a": {"b": {"c": {"d": 1}}}}',
        b'{"a": {"b": []}, "c": 1}',
        b'{"a": [[1, 2], [3]]}',
        b'{"a": [[1, 2], 3]}',
        b'{"a": [1, true]}',
        b'{"a": ["b", 1]}',
        b'{"a": [[[1]]]}',
        b'{"a": []}',
        b'{"a": [[]]}',
        b'{"a": 1e400}',
        b"[1, 2]",
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        b'{"a": 01}',
        b'{"a": "' + b" " * json_small.LARGEST + b'"}',
        b"{" + b",".join(b'"%d":1' % key for key in range(100)) + b"}",
        b"",
    ],
    ids=lambda body: str(body[:24]),
)
def test_what_is_in_doubt_is_left(body: bytes) -> None:
    """What orjson reads otherwise, or cannot read, or has no word for, is another reader's."""
    assert json_small.read(body, DEFAULT_DEPTH) is None


def test_a_low_cap_of_depth_is_left() -> None:
    """Where something may lie too deep, another reader counts the levels."""
    assert json_small.read(b'{"a": [[1]]}', 6) is None
