"""Documents and bytes of states: compact, canonical, and nothing else is let in."""

from __future__ import annotations

import copy
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.engine import State, merge, score
from lossmeter.engine.state.layout import VERSION
from lossmeter.engine.state.options import fingerprint
from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError
from lossmeter.wire.json_encode import encode

RNG = np.random.default_rng(2)


def state_of(n: int = 40, classes: int = 3, **options: Any) -> State:  # noqa: ANN401  those of score
    """The state of a random batch, with slices."""
    logits = RNG.normal(size=(n, classes)) * 3
    said = {"slices": {"region": ["north", "south"] * (n // 2)}} | options
    state = score(logits=logits, targets=RNG.integers(0, classes, n), include=["state"], **said).state
    assert state is not None
    return state


STATE = state_of()
DOCUMENT: dict[str, Any] = json.loads(encode(STATE.document()))
BYTES = STATE.pack()


def changed(*path: Any, to: Any) -> dict[str, Any]:  # noqa: ANN401  a JSON value
    """The document with one thing replaced, and a fingerprint that fits."""
    document = copy.deepcopy(DOCUMENT)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    if path[0] == "options":
        document["fingerprint"] = fingerprint(document["options"])
    return document


def places(value: Any, *path: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  a JSON value
    """The paths of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in inner for place in places(member, *path, key))]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([path for path in places(DOCUMENT) if path]), JUNK)
def test_what_is_read_is_canonical(path: tuple[Any, ...], junk: Any) -> None:  # noqa: ANN401  a JSON value
    """A document with anything replaced is refused, or it is how its state would have been written."""
    document = changed(*path, to=junk)
    try:
        state = State.read(document)
    except InvalidInputError:
        return
    assert json.loads(encode(state.document())) == document


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(BYTES) - 1), st.integers(0, 255), st.integers(0, 40))
def test_broken_bytes_are_refused(place: int, byte: int, cut: int) -> None:
    """Bytes that were changed or cut off are refused, or are those of the state that comes back."""
    data = BYTES[:place] + bytes([byte]) + BYTES[place + 1 :]
    data = data[: len(data) - cut]
    try:
        state = State.unpack(data)
    except LossmeterError:
        return
    assert state.pack() == data


@pytest.mark.parametrize("data", [b"", b"LMS1", b"LMS1\xff\xff\xff\xff", b"nonsense" * 10, BYTES + b"\0"])
def test_bytes_of_something_else_are_refused(data: bytes) -> None:
    """They are called what they are."""
    with pytest.raises(MalformedBodyError):
        State.unpack(data)


REFUSED: list[tuple[tuple[Any, ...], Any, tuple[Any, ...]]] = [
    (("version",), VERSION + 1, ("version",)),
    (("version",), None, ("version",)),
    (("fingerprint",), "0" * 16, ("fingerprint",)),
    (("slices",), {}, ("slices",)),
    (("slices", "region"), ["south", "north"], ("slices", "region")),
    (("slices", "region"), ["north", "north"], ("slices", "region")),
    (("slices", "region"), ["north"], ("tables", "slices", "gaps")),
    (("slices", "region"), ["east", "north", "south"], ("tables", "slices")),
    (("options", "loss"), "cross_entropy", ("options", "loss")),
    (("options", "loss"), {"name": "nonsense"}, ("options", "loss", "name")),
    (("options", "loss"), {"name": "focal"}, ("options", "loss")),
    (("options", "classes"), 2**40, ("options", "classes")),
    (("options", "classes"), True, ("options", "classes")),
    (("options", "classes"), 2, ("tables", "classes", "gaps")),
    (("options", "bins"), 0, ("options", "bins")),
    (("options", "k"), -1, ("options", "k")),
    (("options", "truth"), "maybe", ("options", "truth")),
    (("options", "temperature"), 0, ("options", "temperature")),
    (("options", "temperature"), 10**400, ("options", "temperature")),
    (("options", "epsilon"), "0", ("options", "epsilon")),
    (("options", "label_smoothing"), 1.0, ("options", "label_smoothing")),
    (("options", "clustered"), 1, ("options", "clustered")),
    (("options", "class_weights"), [1.0], ("options", "class_weights")),
    (("options", "class_weights"), [1.0, -1.0, 2.0], ("options", "class_weights")),
    (("options", "slices"), ["b", "a"], ("options", "slices")),
    (("options", "ignore_index"), 0.5, ("options", "ignore_index")),
    (("options", "more"), 1, ("options",)),
    (("tables", "nonsense"), {}, ("tables",)),
    (("tables", "total", "low"), -1000, ("tables", "total", "low")),
    (("tables", "total", "gaps"), [1], ("tables", "total", "gaps")),
    (("tables", "total", "gaps"), [], ("tables", "total", "gaps")),
    (("tables", "total", "gaps"), [0, 0], ("tables", "total", "gaps")),
    (("tables", "total", "digits"), [[1, 2]], ("tables", "total", "digits", 0)),
    (("tables", "total", "digits"), [], ("tables", "total", "digits")),
    (("tables", "cells", "digits", 0, 0), -1, ("tables", "cells", "digits", 0)),
    (("tables", "cells", "digits", 0, 0), 2**32, ("tables", "cells", "digits", 0)),
    (("tables", "cells", "digits", 0, 0), 0.5, ("tables", "cells", "digits", 0)),
    (("tables", "cells", "digits", 0, 0), True, ("tables", "cells", "digits", 0)),
    (("tables", "cells", "digits", 0, 0), 0, ("tables", "cells", "digits")),
    (("tables", "total", "low"), 3, ("tables", "total", "digits")),
]


@pytest.mark.parametrize(("path", "value", "blamed"), REFUSED)
def test_refusals_say_where(path: tuple[Any, ...], value: Any, blamed: tuple[Any, ...]) -> None:  # noqa: ANN401
    """The error points at what is wrong, not at what was read last."""
    with pytest.raises(InvalidInputError) as refused:
        State.read(changed(*path, to=value))
    assert refused.value.problems[0].path == blamed


@pytest.mark.parametrize("document", [None, [], 1, "state", {}, {"version": VERSION}])
def test_no_document_is_no_state(document: Any) -> None:  # noqa: ANN401  a JSON value
    """Something else is refused as such."""
    with pytest.raises(InvalidInputError):
        State.read(document)


def test_a_small_document_cannot_ask_for_much_memory() -> None:
    """A megabyte of gaps over a million classes is refused before anything of that size squared is made."""
    document = changed("options", "classes", to=1 << 20)
    document["tables"]["cells"]["gaps"] = [2**40] * 10
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInputError):
            State.read(document)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_documents_may_hold_arrays() -> None:
    """A reader of binary bodies gives arrays, of floats where it knows no others."""
    document = STATE.document()
    for table in document["tables"].values():
        table["digits"] = [plane.astype(float) for plane in table["digits"]]
    assert State.read(document) == STATE


def test_a_state_of_ten_classes_is_small() -> None:
    """Ten thousand rows of ten classes take 10 kB, and 25 more for the forecasts of every group of rows."""
    n = 10_000
    targets = RNG.integers(0, 10, n)
    logits = RNG.normal(size=(n, 10))
    logits[np.arange(n), targets] += 4
    state = score(logits=logits, targets=targets, include=["state"]).state
    assert state is not None
    document = state.document()
    assert len(encode(document)) < 35_000
    assert len(state.pack()) < 35_000
    del document["tables"]["group_forecasts"]
    assert len(encode(document)) < 10_000


def test_states_of_many_classes_are_sparse() -> None:
    """Of 50257 classes only those that occur have cells and losses."""
    n, classes = 60, 50_257
    state = state_of(n, classes)
    assert len(state.tables["cells"].keys) <= n
    assert len(state.tables["classes"].keys) <= n
    assert State.unpack(merge([state, state]).pack()).count == 2 * n


def test_states_are_values() -> None:
    """They compare and hash by what they say, and by nothing else."""
    again = State.read(DOCUMENT)
    assert {STATE: 1}[again] == 1
    assert state_of() != STATE
    assert STATE != "a state"
    assert again.version == VERSION
