"""The codec of the Open Inference Protocol: every datatype both ways, and no rubbish that is anything but refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError, TooLargeError
from lossmeter.wire import oip

LIMITS = oip.Limits(max_elements=1000)
ORDINARY = {
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
SHAPES = hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=5)


def bfloat(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """BF16 as float32, number by number: its bytes are the upper half of it."""
    wide = [b"\0\0" + int(each).to_bytes(2, "little") for each in bits.ravel()]
    return np.frombuffer(b"".join(wide), "<f4").reshape(bits.shape)


@st.composite
def tensors(draw: st.DrawFn, *, binary: bool) -> tuple[str, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A datatype, an array as it travels, and as it must arrive."""
    kinds = [*ORDINARY, "BOOL", *(["BF16"] if binary else [])]
    datatype = draw(st.sampled_from([kind for kind in kinds if binary or kind != "FP16"]))
    shape = draw(SHAPES)
    if datatype == "BOOL":
        values = draw(hnp.arrays(np.bool_, shape))
        return datatype, values, values.view(np.uint8)
    if datatype == "BF16":
        bits = draw(hnp.arrays("<u2", shape))
        return datatype, bits, bfloat(bits)
    dtype = np.dtype(ORDINARY[datatype])
    most = 2**53 if not binary and dtype.kind != "f" and dtype.itemsize == 8 else None
    elements = None
    if most:
        elements = st.integers(0 if dtype.kind == "u" else -most, most)
    values = draw(hnp.arrays(dtype, shape, elements=elements))
    return datatype, values, values


def entry(name: str, datatype: str, values: np.ndarray[Any, Any], *, binary: bool, flat: bool) -> Any:  # noqa: ANN401 - JSON
    """An input as a client writes it."""
    made: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(values.shape)}
    if binary:
        return made | {"parameters": {"binary_data_size": values.nbytes}}
    return made | {"data": (values.ravel() if flat else values).tolist()}


@given(data=st.data())
def test_requests_arrive(data: st.DataObject) -> None:
    """Every tensor arrives bit for bit, whether it travels as JSON or as bytes, and however the two are mixed."""
    document: dict[str, Any] = {"id": "x", "model_name": "ignored", "inputs": []}
    chunks, expected = [], {}
    for number in range(data.draw(st.integers(1, 4))):
        binary = data.draw(st.booleans())
        datatype, sent, arriving = data.draw(tensors(binary=binary))
        document["inputs"].append(
            entry(f"t{number}", datatype, sent, binary=binary, flat=data.draw(st.booleans()))
        )
        chunks += [sent.tobytes()] * binary
        expected[f"t{number}"] = (datatype, arriving)
    # Python's own JSON writes NaN and Infinity as bare words, as tritonclient does.
    text = json.dumps(document).encode()
    length = len(text) if chunks else data.draw(st.sampled_from([None, len(text)]))
    request = oip.read_request(bytearray(text + b"".join(chunks)), length, LIMITS)
    assert request.id == "x"
    assert {name: tensor.datatype for name, tensor in request.inputs.items()} == {
        name: datatype for name, (datatype, _) in expected.items()
    }
    for name, (_, values) in expected.items():
        found = request.inputs[name].values
        assert found.dtype == values.dtype, name
        np.testing.assert_array_equal(found, values)


FLOATS = hnp.arrays(
    st.sampled_from(["<f8", "<f4", ">f8", ">f4"]), hnp.array_shapes(min_dims=1, max_dims=2, max_side=5)
)


@given(arrays=st.lists(st.tuples(FLOATS, st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_answers_arrive(arrays: list[tuple[np.ndarray[Any, Any], bool, bool]]) -> None:
    """Every output arrives bit for bit, in any memory order, as JSON or as bytes."""
    outputs = [
        oip.Output(f"t{number}", values.T if turned else values, binary)
        for number, (values, binary, turned) in enumerate(arrays)
    ]
    answer = oip.write_answer({"model_name": "m", "id": "x"}, outputs)
    body = b"".join(answer.parts)
    assert answer.size in (None, len(body))
    assert (answer.header_length is None) == (not any(binary for _, binary, _ in arrays))
    assert answer.media_type == f"application/{'json' if answer.header_length is None else 'octet-stream'}"
    document = json.loads(body[: answer.header_length])
    chunks = b"" if answer.header_length is None else body[answer.header_length :]
    assert (document["model_name"], document["id"]) == ("m", "x")
    for output, found in zip(outputs, document["outputs"], strict=True):
        dtype = {"FP64": "<f8", "FP32": "<f4"}[found["datatype"]]
        assert (found["name"], found["shape"]) == (output.name, list(output.values.shape))
        if output.binary:
            size = found["parameters"]["binary_data_size"]
            values, chunks = np.frombuffer(chunks[:size], dtype), chunks[size:]
        else:
            values = np.array(found["data"], dtype)
        np.testing.assert_array_equal(values.reshape(found["shape"]), output.values)
    assert chunks == b""


def body_of(document: object, chunks: bytes = b"") -> tuple[bytearray, int | None]:
    """A body and what its header says."""
    text = json.dumps(document).encode()
    return bytearray(text + chunks), len(text) if chunks else None


def one(**members: object) -> dict[str, object]:
    """A request of one input; None leaves a member out."""
    good = {"name": "x", "datatype": "FP64", "shape": [2], "data": [1, 2]} | members
    return {"inputs": [{name: value for name, value in good.items() if value is not None}]}


def binary(size: object, shape: list[int] | None = None) -> dict[str, object]:
    """A request of one binary input."""
    return one(data=None, shape=shape or [2], parameters={"binary_data_size": size})


MALFORMED: dict[str, tuple[object, bytes, str]] = {
    "no object": ([], b"", "the body: a JSON object"),
    "no inputs": ({}, b"", "/inputs: an array"),
    "empty inputs": ({"inputs": []}, b"", "/inputs: at least one"),
    "numbers for inputs": ({"inputs": [1, 2]}, b"", "/inputs: an array"),
    "a string for an input": ({"inputs": ["x"]}, b"", "/inputs/0: a JSON object"),
    "no name": (one(name=None), b"", "/inputs/0/name: a string"),
    "the same name twice": ({"inputs": 2 * one()["inputs"]}, b"", "/inputs/1/name: 'x' is there"),  # type: ignore[operator]
    "too many inputs": ({"inputs": 65 * one()["inputs"]}, b"", "/inputs: an array of at most 64"),  # type: ignore[operator]
    "no datatype": (one(datatype=None), b"", "/inputs/0/datatype: a string"),
    "text": (one(datatype="BYTES", data=["a", "b"]), b"", "/inputs/0/datatype: one of BOOL"),
    "no shape": (one(shape=None), b"", "/inputs/0/shape"),
    "half an axis": (one(shape=[0.5]), b"", "/inputs/0/shape"),
    "a negative axis": (one(shape=[-1]), b"", "/inputs/0/shape"),
    "an infinite axis": (one(shape=["Infinity"]), b"", "/inputs/0/shape"),
    "an axis that is no number": (one(shape=["NaN"]), b"", "/inputs/0/shape"),
    "a text for an axis": (one(shape=["a"]), b"", "/inputs/0/shape"),
    "very many axes": (one(shape=[1] * 9, data=[1]), b"", "/inputs/0/shape"),
    "another shape": (one(shape=[3]), b"", "/inputs/0/data: 2 elements in shape [2]; shape [3]"),
    "transposed": (one(shape=[1, 2], data=[[1], [2]]), b"", "/inputs/0/data: 2 elements in shape [2, 1]"),
    "no data": (one(data=None), b"", "neither is here"),
    "data in both forms": (one(parameters={"binary_data_size": 16}), bytes(16), "both are here"),
    "shared memory": (one(parameters={"shared_memory_region": "r"}), b"", "shared_memory_region: this ext"),
    "parameters that are none": (one(parameters=[1]), b"", "/inputs/0/parameters: a JSON object"),
    "a size too small": (binary(8), bytes(8), "FP64 of shape [2] has 16 bytes, not 8"),
    "a size that is no integer": (binary("16"), bytes(16), "has 16 bytes"),
    "a size that is true": (binary(True, [1]), bytes(8), "has 8 bytes"),  # noqa: FBT003 - JSON
    "bytes that are missing": (binary(16), bytes(15), "16 bytes are announced, but only 15"),
    "bytes that are too many": (binary(16), bytes(17), "1 bytes follow the last tensor"),
    "bytes of nobody": (one(), bytes(1), "1 bytes follow the last tensor"),
    "halves in JSON": (one(datatype="FP16"), b"", "receiving FP16 data via JSON is not supported"),
    "a BOOL of 2": (one(datatype="BOOL", data=None, parameters={"binary_data_size": 2}), b"\1\2", "0 or 1"),
    "a number for an id": (one() | {"id": 1}, b"", "/id: a string"),
    "a flag that is none": (one() | {"parameters": {"binary_data_output": 1}}, b"", "true or false"),
    "an output without a name": (one() | {"outputs": [{}]}, b"", "/outputs/0/name"),
    "an output twice": (one() | {"outputs": [{"name": "y"}] * 2}, b"", "/outputs/1/name"),
    "a flag of an output that is none": (
        one() | {"outputs": [{"name": "y", "parameters": {"binary_data": "yes"}}]},
        b"",
        "/outputs/0/parameters/binary_data: true or false",
    ),
    "classification": (
        one() | {"outputs": [{"name": "y", "parameters": {"classification": 2}}]},
        b"",
        "classification: this extension",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_breaks_the_protocol(name: str) -> None:
    """Each fault is malformed, and the message says where."""
    document, chunks, says = MALFORMED[name]
    with pytest.raises(MalformedBodyError) as caught:
        oip.read_request(*body_of(document, chunks), LIMITS)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({"data": [1, None]}, ["/inputs/0/data/1"]),
        ({"data": [1, "x"]}, ["/inputs/0/data/1"]),
        ({"data": [True, 2]}, ["/inputs/0/data/0"]),
        ({"data": [[1, 2], [3]], "shape": [2, 2]}, ["/inputs/0/data/1"]),
        ({"data": [1.5, 2], "datatype": "INT8"}, ["/inputs/0/data/0"]),
        ({"data": [127, 128], "datatype": "INT8"}, ["/inputs/0/data/1"]),
        ({"data": [-1, "NaN"], "datatype": "UINT64"}, ["/inputs/0/data/0", "/inputs/0/data/1"]),
        ({"data": [2**53, 2**60], "datatype": "INT64"}, ["/inputs/0/data/1"]),
        ({"data": [1, 1e39], "datatype": "FP32"}, ["/inputs/0/data/1"]),
        ({"data": [[True, 2]], "shape": [1, 2], "datatype": "BOOL"}, ["/inputs/0/data/0/1"]),
        ({"data": [True, None], "datatype": "BOOL"}, ["/inputs/0/data/1"]),
    ],
)
def test_elements_that_are_none(members: dict[str, object], pointers: list[str]) -> None:
    """An element that is no number of its datatype is named by its index."""
    with pytest.raises(InvalidInputError) as caught:
        oip.read_request(*body_of(one(**members)), LIMITS)
    assert [problem.pointer for problem in caught.value.problems] == pointers


def test_infinity_in_float32() -> None:
    """Infinity is a float32 when it is sent as one; a number too large for it is not infinity."""
    request = oip.read_request(*body_of(one(datatype="FP32", data=["-Infinity", 3e38])), LIMITS)
    np.testing.assert_array_equal(request.inputs["x"].values, np.array([-np.inf, 3e38], np.float32))


@pytest.mark.parametrize("value", ["", "-1", "1.0", "x", "٣", "9" * 40, "0"])
def test_header_is_a_number_of_bytes(value: str) -> None:
    """A header that is none is refused; 0 would mean a model of one tensor."""
    with pytest.raises(MalformedBodyError):
        oip.read_header_length(value)


def test_header_beyond_the_body() -> None:
    """More JSON than the body has is refused."""
    with pytest.raises(MalformedBodyError, match="is 99, but the body has"):
        oip.read_request(body_of(one())[0], 99, LIMITS)


@pytest.mark.parametrize("shape", [[1001], [2**40, 2**40], [0, 2**50]])
def test_more_elements_than_allowed(shape: list[int]) -> None:
    """The limit is on what shapes announce, before anything is made of it."""
    error = MalformedBodyError if 0 in shape else TooLargeError
    with pytest.raises(error):
        oip.read_request(*body_of(binary(8, shape), bytes(8)), LIMITS)


def test_bytes_are_not_copied() -> None:
    """A binary tensor is a view of the body, and aligned if the body was given the room for it."""
    for name in ("x", "xy", "xyz"):
        values = np.arange(100.0)
        document = one(name=name, shape=[100], data=None, parameters={"binary_data_size": 800})
        body, length = body_of(document, values.tobytes())
        padded = bytearray(oip.padding(length)) + body
        request = oip.read_request(memoryview(padded)[oip.padding(length) :], length, LIMITS)
        found = request.inputs[name].values
        assert np.shares_memory(found, np.frombuffer(padded, np.uint8))
        assert found.flags.aligned
        np.testing.assert_array_equal(found, values)


def test_answers_are_not_copied() -> None:
    """A binary output goes out as its own memory, in parts."""
    values = np.arange(400_000.0)
    answer = oip.write_answer({}, [oip.Output("x", values, binary=True)])
    _, *chunks = answer.parts
    assert len(chunks) > 1
    assert all(np.shares_memory(np.frombuffer(chunk, np.uint8), values) for chunk in chunks)


def test_words_in_strings_stay() -> None:
    """A bare word is a number; the same letters in a string are the string's, escaped quotation marks or not."""
    text = (
        rb'{"id":"NaN \" Infinity","inputs":[{"name":"x","datatype":"FP64","shape":[3],'
        rb'"data":[NaN,-Infinity,Infinity]}]}'
    )
    request = oip.read_request(bytearray(text), None, LIMITS)
    assert request.id == 'NaN " Infinity'
    np.testing.assert_array_equal(request.inputs["x"].values, [np.nan, -np.inf, np.inf])


@pytest.mark.parametrize(
    "text",
    [
        b"[NaN",
        b'{"a":+Infinity}',
        b'{"a":-NaN}',
        b'{"a":NaN1}',
        b'{"a":InfinityNaN}',
        b'"NaN',
        b'{"a":"Infinity\\"}',
        b"NaN" * 100_000,
        b'"",' * 200_000 + b"NaN",
    ],
)
def test_words_that_make_no_json(text: bytes) -> None:
    """Quotes around a word save nothing else that is wrong."""
    with pytest.raises(MalformedBodyError):
        oip.read_request(bytearray(text), None, LIMITS)


def test_outputs_follow_the_request_unless_they_say_otherwise() -> None:
    """As in Triton: an output's own word first, then the request's, else JSON."""
    wanted = [{"name": "a"}, {"name": "b", "parameters": {"binary_data": False}}]
    document = one() | {"outputs": wanted, "parameters": {"binary_data_output": True}}
    request = oip.read_request(*body_of(document), LIMITS)
    assert request.binary
    assert request.outputs == (oip.RequestedOutput("a", binary=True), oip.RequestedOutput("b", binary=False))
    plain = oip.read_request(*body_of(one() | {"outputs": [{"name": "a"}]}), LIMITS)
    assert plain.outputs == (oip.RequestedOutput("a", binary=False),)
    assert oip.read_request(*body_of(one() | {"outputs": []}), LIMITS).outputs is None


VALID = body_of(
    {
        "id": "x",
        "parameters": {"gamma": 2.0, "binary_data_output": True},
        "inputs": [
            {"name": "logits", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": 16}},
            {"name": "targets", "datatype": "INT64", "shape": [2], "data": [0, 1]},
        ],
        "outputs": [{"name": "losses"}],
    },
    np.arange(4, dtype=np.float32).tobytes(),
)


@settings(max_examples=400)
@given(data=st.data())
def test_rubbish_is_refused(data: st.DataObject) -> None:
    """A body with a piece cut out, replaced or added is read, or refused for a reason: nothing else happens."""
    body, length = VALID
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 12)))
    marks = st.sampled_from(
        [b"{", b"[", b'"', b"null", b"1e999", b"-1", b"[[]]", b"NaN", b"\\u0000", b"\xff"]
    )
    patch = data.draw(st.one_of(st.binary(max_size=6), marks))
    changed = bytearray(body[:start] + patch + body[end:])
    header = data.draw(st.sampled_from([None, length, len(changed)]) | st.integers(1, len(changed) + 2))
    try:
        request = oip.read_request(changed, header, LIMITS)
    except LossmeterError:
        return
    assert request.inputs
