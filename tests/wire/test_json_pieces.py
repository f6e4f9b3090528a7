"""Bodies that are large enough to be read in pieces, against the exact reader, which knows nothing of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError
from lossmeter.wire import json_exact
from lossmeter.wire.json import DEFAULT_DEPTH, decode

ROW = b"[" + b",".join([b"1.25"] * 100) + b"]"
MATRIX = b"[" + b",".join([ROW] * 2500) + b"]"
VECTOR = b"[" + b",".join([b"1.25"] * 250_000) + b"]"
"""Numbers for five pieces."""
BOUNDARY = MATRIX.index(b"],", 1 + (1 << 18)) + 1
"""Where the first piece of the matrix ends."""


def outcome(read: object, body: bytes) -> object:
    """What a reader answers, in a form that can be compared."""
    try:
        document = decode(body) if read is decode else json_exact.read(body, DEFAULT_DEPTH)
    except LossmeterError as error:
        return type(error)
    return comparable(document)


def comparable(document: object) -> object:
    """A document with the bytes of its arrays."""
    if isinstance(document, np.ndarray):
        return (document.shape, document.tobytes())
    if isinstance(document, dict):
        return {key: comparable(value) for key, value in document.items()}
    return [comparable(item) for item in document] if isinstance(document, list) else document


@pytest.mark.parametrize("space", [b"\x0c", b"\x0b", b"\xc2\xa0", b"\x00"])
def test_what_is_no_space_between_pieces_is_refused(space: bytes) -> None:
    """Only the four spaces of JSON may stand between the rows where a cut is made."""
    with pytest.raises(MalformedBodyError):
        decode(MATRIX[:BOUNDARY] + space + MATRIX[BOUNDARY:])


@pytest.mark.parametrize("space", [b" ", b"\n", b"\t\r\n "])
def test_space_between_pieces_is_taken(space: bytes) -> None:
    """And those may."""
    found = decode(MATRIX[:BOUNDARY] + space + MATRIX[BOUNDARY:])
    assert isinstance(found, np.ndarray)
    assert found.shape == (2500, 100)


DAMAGE = (
    b"[",
    b"]",
    b",",
    b'"',
    b'"NaN",',
    b"1e400",
    b"-",
    b"[1],",
    b"[],",
    b"{}",
    b"\\",
    b" ",
    b"\x0c",
    b"]]",
    b"],[",
    b"null,",
    b"true",
)


@settings(max_examples=30, deadline=None)
@given(
    at=st.integers(0, len(VECTOR)) | st.integers(0, 4) | st.integers(len(VECTOR) - 4, len(VECTOR)),
    damage=st.sampled_from(DAMAGE),
)
def test_damage_to_a_vector_is_judged_alike(at: int, damage: bytes) -> None:
    """A few bytes put into a large vector anywhere."""
    body = b'{"a":' + VECTOR[:at] + damage + VECTOR[at:] + b',"b":1}'
    assert outcome(decode, body) == outcome(json_exact.read, body)


@settings(max_examples=60, deadline=None)
@given(
    at=st.integers(0, len(MATRIX)) | st.integers(BOUNDARY - 4, BOUNDARY + 4),
    damage=st.sampled_from(DAMAGE),
)
def test_damage_is_judged_alike(at: int, damage: bytes) -> None:
    """A few bytes put into a large matrix anywhere, at a cut above all."""
    body = b'{"a":' + MATRIX[:at] + damage + MATRIX[at:] + b',"b":1}'
    assert outcome(decode, body) == outcome(json_exact.read, body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"' + MATRIX + b'"}',
        b'{"a":"x' + MATRIX + b'y","b":' + MATRIX + b"}",
        b'{"a":"\\' + MATRIX + b',""}',
        b'["\\' + MATRIX + b',""]',
        b'{"a":' + MATRIX + b',"a":' + MATRIX + b"}",
        b'{"a":[' + MATRIX + b"," + MATRIX + b"]}",
        b"[" * 62 + MATRIX + b"]" * 62,
        b"[" * 63 + MATRIX + b"]" * 63,
        b'{"a":' + MATRIX + b',"b":1e400}',
        MATRIX + MATRIX,
        MATRIX + b"]",
        b"[" + MATRIX,
        VECTOR,
        b'{"a":' + VECTOR + b',"b":' + MATRIX + b',"c":' + VECTOR + b"}",
        b'{"a":[{"b":' + MATRIX + b"}]}",
        b'{"a":[{"b":' + MATRIX + b' \n}] , "c":[[1]] }',
        b'{"a":[' + VECTOR + b"," + VECTOR + b"]}",
        b'{"a":[' + VECTOR[:-1] + b"," + VECTOR + b"]]}",
        b'{"a":"' + VECTOR + b'"}',
        b'{"a":"x' + VECTOR + b'y","b":' + VECTOR + b"}",
        b"[" * 63 + VECTOR + b"]" * 63,
        b"[" * 64 + VECTOR + b"]" * 64,
        b'{"a":' + VECTOR + b',"a":' + VECTOR + b"}",
        VECTOR[:-1] + b",]",
        VECTOR[:1] + b"," + VECTOR[1:],
        VECTOR + VECTOR,
        VECTOR[:-1],
        VECTOR[:-1] + b',"Infinity"]',
        b"[" + b",".join([b"[1]"] * 400_000) + b"]",
        b"[" + b",".join([b"[1]"] * 400_000),
    ],
    ids=range(30),
)
def test_large_documents_are_judged_alike(body: bytes) -> None:
    """Matrices inside strings, in duplicate keys, too deep, twice, and beside numbers that are too large."""
    assert outcome(decode, body) == outcome(json_exact.read, body)


def test_a_large_matrix_is_bit_for_bit() -> None:
    """Every number of a large matrix is Python's own, in its place."""
    matrix = np.random.default_rng(3).standard_normal((4000, 50)) * 10.0 ** np.arange(-150, 150, 6)
    found = decode(json.dumps({"x": matrix.tolist(), "y": [1]}).encode())
    assert isinstance(found, dict)
    assert comparable(found["x"]) == comparable(matrix)


def test_a_duplicate_of_a_large_matrix_is_named() -> None:
    """A key that appears twice is refused, however large its values are."""
    with pytest.raises(InvalidInputError) as caught:
        decode(b'{"a":' + MATRIX + b',"a":' + MATRIX + b"}")
    assert caught.value.problems[0].pointer == "/a"
