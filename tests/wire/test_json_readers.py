"""Both readers of JSON, on documents that must be read and documents that must be refused."""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError, TooLargeError
from lossmeter.wire import json_exact
from lossmeter.wire.json import DEFAULT_DEPTH, TooLargeNumber, decode

if TYPE_CHECKING:
    from collections.abc import Callable

Reader = "Callable[[bytes], object]"


def read_exactly(body: bytes) -> object:
    """What the exact reader alone makes of a body."""
    return json_exact.read(body, DEFAULT_DEPTH)


READERS = [pytest.param(decode, id="decode"), pytest.param(read_exactly, id="exact")]
both = pytest.mark.parametrize("read", READERS)


def plain(document: object) -> object:
    """A document in which arrays are told apart from lists, and every bit of a number counts."""
    match document:
        case np.ndarray():
            assert document.dtype == np.float64
            assert document.flags.c_contiguous
            return ("array", document.shape, document.tobytes())
        case dict():
            return {key: plain(value) for key, value in document.items()}
        case list():
            return [plain(item) for item in document]
        case float():
            return ("float", struct.pack("<d", document))
        case _:
            return (type(document).__name__, document)


def outcome(read: Callable[[bytes], object], body: bytes) -> object:
    """What a reader answers, errors by their kind and pointers."""
    try:
        return plain(read(body))
    except InvalidInputError as error:
        return ("invalid", [problem.pointer for problem in error.problems])
    except LossmeterError as error:
        return type(error)


GOOD: list[tuple[bytes, object]] = [
    (b"[]", np.empty(0)),
    (b" [ 1 , 2.5e0 ] \n", np.array([1, 2.5])),
    (b"[[],[]]", np.empty((2, 0))),
    (b"[[1,2],[3,4],[5,6]]", np.array([[1.0, 2], [3, 4], [5, 6]])),
    (b"[[1],[2,3]]", [np.array([1.0]), np.array([2.0, 3])]),
    (b"[[],[1]]", [np.empty(0), np.array([1.0])]),
    (b"[[[1]]]", [np.array([[1.0]])]),
    (b"[[[]]]", [np.empty((1, 0))]),
    (b"[[[1,2]],[[3]]]", [np.array([[1.0, 2]]), np.array([[3.0]])]),
    (b"[[1,[2,3]],[[],4]]", [[1, np.array([2.0, 3])], [np.empty(0), 4]]),  # as many numbers as a 2 × 2 matrix
    (b"[1,[2]]", [1, np.array([2.0])]),  # as many numbers as a vector of two
    (b"[[1],2]", [np.array([1.0]), 2]),
    (b"[[1,2],[3,null]]", [np.array([1.0, 2]), [3, None]]),
    (b"[[1,2],[3,4],5]", [np.array([1.0, 2]), np.array([3.0, 4]), 5]),
    (b'[1,"-Infinity","Infinity","NaN"]', np.array([1, -np.inf, np.inf, np.nan])),
    (b'[[1,"-Infinity"],["NaN",2]]', np.array([[1, -np.inf], [np.nan, 2]])),
    (b'["\\u004eaN",1]', np.array([np.nan, 1])),
    (b'[["\\u004eaN"],[1]]', np.array([[np.nan], [1]])),
    (b'["nan",1]', ["nan", 1]),
    (b'[" NaN",1]', [" NaN", 1]),
    (b'["0.5",1]', ["0.5", 1]),
    (b"[true,1]", [True, 1]),
    (b"[null]", [None]),
    (b"[{},[]]", [{}, np.empty(0)]),
    (b'{"a":[1],"b":{"c":[[1]]}}', {"a": np.array([1.0]), "b": {"c": np.array([[1.0]])}}),
    (b'{"[":["[",[1,[2]]],"b":[[1]]}', {"[": ["[", [1, np.array([2.0])]], "b": np.array([[1.0]])}),
    (b'{"\\u005b":0,"b":[[1,[2]],[3]]}', {"[": 0, "b": [[1, np.array([2.0])], np.array([3.0])]}),
    (b'{"a\\u0000b":1,"a":2}', {"a\0b": 1, "a": 2}),  # a lookup that stops at NUL would find "a"
    (b'{"":1}', {"": 1}),
    ('{"κ":"λ😀"}'.encode(), {"κ": "λ😀"}),
    (b'"\\ud83d\\ude00 \\n\\/"', "😀 \n/"),
    (b"7", 7),
    (b"-0", 0),
    (b"[-0]", np.array([0.0])),
    (b"[-0, 1e-0, -0.0, -0e3]", np.array([0.0, 1, -0.0, -0.0])),
    (b"18446744073709551615", 2**64 - 1),
    (b"-9223372036854775808", -(2**63)),
    (b"18446744073709551616", 2.0**64),
    (b"-9223372036854775809", -(2.0**63)),
    (b"[9007199254740993, 18446744073709551617]", np.array([2.0**53, 2.0**64])),
    (b"[1e-400, 5e-324, 2.4703282292062327e-324]", np.array([0, 5e-324, 0])),
    (b"1e400", TooLargeNumber("1e400")),
    (b"[1,-1e400]", [1, TooLargeNumber("-1e400")]),
    (b"[[1,2],[1e400,3]]", [np.array([1.0, 2]), [TooLargeNumber("1e400"), 3]]),
    (b"[" + b"1" * 100_000 + b"]", [TooLargeNumber("1" * 40)]),
    (b"[0." + b"1" * 100_000 + b"]", np.array([1 / 9])),
    (b"[" + b"1" * 300 + b"]", np.array([float("1" * 300)])),
    (b"1e99999999999999999999", TooLargeNumber("1e99999999999999999999")),
    (b"\xef\xbb\xbf[1]", np.array([1.0])),  # RFC 8259, 8.1: MAY be ignored
    (b"[" * 64 + b"]" * 64, None),
]


@both
@pytest.mark.parametrize(("body", "document"), GOOD[:-1], ids=[str(case[0][:30]) for case in GOOD[:-1]])
def test_a_document_is_read(read: Callable[[bytes], object], body: bytes, document: object) -> None:
    """Arrays of numbers come as arrays, bit for bit, and everything else as Python has it."""
    assert plain(read(body)) == plain(document)


MALFORMED: list[bytes] = [
    b"",
    b"  \n",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf\xef\xbb\xbf[1]",
    b"[1,2",
    b"[1,]",
    b"[,1]",
    b"[1 2]",
    b"[[1],[2],]",
    b"[[1],[2]",
    b"[[1][2]]",
    b"[[1],,[2]]",
    b"[1]]",
    b'{"a":1,}',
    b'{"a" 1}',
    b"{a:1}",
    b"{'a':1}",
    b'{"a":1',
    b'{"a":}',
    b"{1:2}",
    b"[1] [2]",
    b'{"a":1}{"b":2}',
    b"[1]\x00",
    b"\x00",
    b"[1\x0c]",
    b"[1\xc2\xa0]",
    b"NaN",
    b"[NaN]",
    b"[Infinity]",
    b"[-Infinity]",
    b"[1,nan]",
    b"[01]",
    b"[-]",
    b"[+1]",
    b"[.5]",
    b"[1.]",
    b"[1e]",
    b"[0x10]",
    b"[1_000]",
    b"[--1]",
    b"[1e400,01]",
    b"[1// comment\n]",
    b"/* comment */ [1]",
    b"tru",
    b"[truefalse]",
    b"True",
    b'"open',
    b'"\x00"',
    b'"\x1f"',
    b'"\n"',
    b'"\\x41"',
    b'"\\u12"',
    b'"\\u12 4"',
    b'"\\ud800"',
    b'"\\ude00"',
    b'"\\ud83d\\u0041"',
    b'{"\\ud800":1}',
    b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    b'["ab\xff",1]',
    b"\xff\xfe[\x001\x00]\x00",
    b"[" * 65 + b"]" * 65,
    b"[" * 65 + b"1" + b"]" * 65,
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b"[[1]," * 1000 + b"1" + b"]" * 1000,
    b'{"a":1,"a":2',
]


@both
@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: str(body[:30]))
def test_a_malformed_body_is_refused(read: Callable[[bytes], object], body: bytes) -> None:
    """What is not JSON in UTF-8, or too deep, is malformed, and the message never repeats the body."""
    with pytest.raises(MalformedBodyError) as caught:
        read(body)
    assert len(str(caught.value)) < 200


DUPLICATES = [
    (b'{"a":1,"a":1}', "/a"),
    (b'{"a":1,"\\u0061":2}', "/a"),
    (b'{"b":[{"c":1},{"c":1,"\\u0063":[1]}]}', "/b/1/c"),
    (b'{"a":{"x":1,"x":2},"a":1}', "/a/x"),
    (b'{"a/b":1,"a/b":1}', "/a~1b"),
    (b'{"a\\u0000":1,"a\\u0000":2}', "/a\0"),
    (b'{"a":[[1],[2]],"a":[[1],[2]]}', "/a"),
]


@both
@pytest.mark.parametrize(("body", "pointer"), DUPLICATES)
def test_duplicate_keys_are_refused(read: Callable[[bytes], object], body: bytes, pointer: str) -> None:
    """A key that appears twice is named, however it is spelled."""
    with pytest.raises(InvalidInputError, match="more than once") as caught:
        read(body)
    assert caught.value.problems[0].pointer == pointer


@both
def test_the_longest_pointer_is_short(read: Callable[[bytes], object]) -> None:
    """A key of a megabyte is not repeated in the error."""
    key = b'"' + b"k" * 1_000_000 + b'"'
    with pytest.raises(InvalidInputError) as caught:
        read(b"{" + key + b":1," + key + b":2}")
    assert len(caught.value.problems[0].pointer) < 100


@both
@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}",
        b"[" + b"{}," * 1_000_000 + b"1]",
        b"[" + b"true," * 5_000_000 + b"1]",
        b"[" + b'"ab",' * 5_000_000 + b"1]",
        b"[" + b"[1],[]," * 2_500_000 + b"[]]",
    ],
    ids=["keys", "objects", "booleans", "strings", "ragged"],
)
def test_what_is_no_number_is_bounded(read: Callable[[bytes], object], body: bytes) -> None:
    """Millions of Python objects are refused, not built."""
    with pytest.raises(InvalidInputError):
        read(body)


@both
def test_depth_64_is_read(read: Callable[[bytes], object]) -> None:
    """The cap is the last depth that is taken."""
    depth, document = 0, read(GOOD[-1][0])
    while isinstance(document, list):
        depth, document = depth + 1, document[0]
    assert isinstance(document, np.ndarray)
    assert depth + document.ndim == 64


def test_the_depth_can_be_set() -> None:
    """Rows count as a level."""
    assert isinstance(decode(b"[[1]]", max_depth=2), np.ndarray)
    with pytest.raises(MalformedBodyError, match="deeper than 1"):
        decode(b"[[1]]", max_depth=1)


def test_too_many_values_are_refused_before_parsing() -> None:
    """A body of more commas than numbers and anything else may have is not parsed, malformed or not."""
    with pytest.raises(TooLargeError):
        decode(b"[1" + b",1" * 5_000_000, max_elements=1000)


@both
def test_long_lists_with_numbers_too_large(read: Callable[[bytes], object]) -> None:
    """Thousands of items among which there are numbers beyond doubles are read as each by itself is."""
    few = '1e400, -1e999, 7, -0.0, 2.5, "x", "Infinity", "é", true, false, null, ' + "9" * 400
    items = read(f"[{few}]".encode())
    assert isinstance(items, list)
    assert items[:2] == [TooLargeNumber("1e400"), TooLargeNumber("-1e999")]
    assert items[-1] == TooLargeNumber("9" * 40)
    assert plain(read(f"[{', '.join([few] * 2_000)}]".encode())) == plain(items * 2_000)


@both
def test_long_lists_of_names(read: Callable[[bytes], object]) -> None:
    """Names are read as they stand, brackets and spelled numbers among them, and arrays beside them as arrays."""
    names = ["a", "[[", "NaN", "]", "é", ""] * 1_000
    document = {**{f"slice-{number}": names for number in range(5)}, "logits": [[1.0, 2.0], [3.0, 4.0]]}
    found = read(json.dumps(document).encode())
    assert plain(found) == plain({**document, "logits": np.array(document["logits"])})


@both
@pytest.mark.parametrize("wrong", [b'"\xed\xa0\x80"', b'"\xff"', b"01", b"1.", b"tru", b"1 1", b""])
def test_long_lists_with_something_wrong(read: Callable[[bytes], object], wrong: bytes) -> None:
    """Nothing that is not JSON passes among them."""
    with pytest.raises(MalformedBodyError):
        read(b"[" + b"1e400, " * 2_000 + wrong + b", 1e400" * 2_000 + b"]")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_read(kind: Callable[[bytes], Any]) -> None:
    """Bytes may come in what a server collected them in, and errors too."""
    assert plain(decode(kind(b"[[1,2]]"))) == plain(np.array([[1.0, 2]]))
    assert plain(decode(kind(b'[["a",1e400]]'))) == plain([["a", TooLargeNumber("1e400")]])
    with pytest.raises(MalformedBodyError):
        decode(kind(b""))


@both
def test_a_small_body_says_where(read: Callable[[bytes], object]) -> None:
    """The line and column of the first byte that does not fit."""
    with pytest.raises(MalformedBodyError, match="line 3, column 2"):
        read(b'{"a":\n[1,\n x]}')


def test_a_large_malformed_body_is_refused_as_such() -> None:
    """Beyond a megabyte the place is not looked for, and numbers still get their own answer."""
    body = b"[" + b"1," * 1_000_000
    with pytest.raises(MalformedBodyError):
        decode(body)
    with pytest.raises(MalformedBodyError, match="deeper"):
        decode(b"[" * 70 + body + b"1" + b"]" * 71)
    assert isinstance(decode(body + b"1e400]"), list)


@both
def test_arrays_longer_than_a_saturated_length(read: Callable[[bytes], object]) -> None:
    """An array of 2^24 elements, whose length simdjson does not tell, is whole."""
    size = (1 << 24) + 3
    numbers = b"[" + b"1," * (size - 1) + b"2]"
    assert np.shape(np.asarray(read(numbers))) == (size,)
    assert np.shape(np.asarray(read(b"[" + numbers + b"]"))) == (1, size)


@both
def test_pieces_meet(read: Callable[[bytes], object]) -> None:
    """Arrays of many pieces are whole, with rows longer and shorter than a piece."""
    generator = np.random.default_rng(7)
    for shape in [(3, 20_000), (20_000, 3), (400, 400)]:
        matrix = np.where(generator.random(shape) < 0.1, -np.inf, generator.standard_normal(shape))
        rows = [[value if math.isfinite(value) else "-Infinity" for value in row] for row in matrix.tolist()]
        for indent in (None, 1):
            assert plain(read(json.dumps(rows, indent=indent).encode())) == plain(matrix)
        ragged: Any = read(json.dumps([*rows, [1, True]]).encode())
        assert plain(ragged[-1]) == plain([1, True])
        assert plain(np.stack(ragged[:-1])) == plain(matrix)


LITERALS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,30})\.[0-9]{1,40}([eE][+-]?[0-9]{1,3})?\Z"),
    st.sampled_from(
        ["5e-324", "2.2250738585072011e-308", "1.7976931348623157e308", "-0.0", "1e23", "9007199254740993"]
    ),
)


@both
@given(literals=st.lists(LITERALS, min_size=1, max_size=20))
def test_numbers_are_correctly_rounded(read: Callable[[bytes], object], literals: list[str]) -> None:
    """Every finite literal of an array has the bits of Python's float of it; the integer 0 has no sign."""
    expected = [abs(float(text)) if text == "-0" else float(text) for text in literals]
    decoded = read(f"[{', '.join(literals)}]".encode())
    if all(map(math.isfinite, expected)):
        assert plain(decoded) == plain(np.array(expected))
    else:
        assert isinstance(decoded, list)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "[", "]", ",", '"', "\\", "\0", "a\0b"]),
    st.text(max_size=5),
)
NUMBERS = st.one_of(st.integers(-3, 3), st.floats(-1, 1), st.sampled_from(["NaN", "-Infinity"]))
MATRICES = st.lists(st.lists(NUMBERS, max_size=3), max_size=4)
DOCUMENTS = st.recursive(
    SCALARS | MATRICES | st.lists(NUMBERS, max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=500)
@given(document=DOCUMENTS, escape=st.booleans(), indent=st.sampled_from([None, 0, 2]))
def test_the_readers_agree(document: object, *, escape: bool, indent: int | None) -> None:
    """Whatever the document and its spelling, both readers give the same answer, bit for bit."""
    body = json.dumps(document, ensure_ascii=escape, indent=indent).encode()
    assert outcome(decode, body) == outcome(read_exactly, body)


@settings(max_examples=500)
@given(document=DOCUMENTS, data=st.data())
def test_the_readers_agree_on_damage(document: object, data: st.DataObject) -> None:
    """A document with a few bytes cut out or put in is judged alike."""
    body = json.dumps(document).encode()
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(start + 3, len(body))))
    damage = data.draw(
        st.binary(max_size=2) | st.sampled_from([b"[", b"]", b"{", b"1e999", b'"', b",", b"-", b"[1]"])
    )
    damaged = body[:start] + damage + body[end:]
    assert outcome(decode, damaged) == outcome(read_exactly, damaged)
