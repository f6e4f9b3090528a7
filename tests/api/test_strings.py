"""Columns of strings, as slices and clusters are sent."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from lossmeter.api.schemas.document import Document, optional, read
from lossmeter.api.schemas.strings import Cluster, Slices
from lossmeter.errors import InvalidInputError
from lossmeter.wire.json import decode


class Sliced(Document):
    """Nothing but slices and clusters."""

    slices: Slices = optional("columns")
    cluster: Cluster = optional("what rows belong to")


def sent(**fields: object) -> Any:  # noqa: ANN401 - whichever field is asked for
    """The fields, after a journey through JSON."""
    return read(Sliced, decode(json.dumps(fields).encode()))


@pytest.mark.parametrize(
    "column", [["a", "b"], ["NaN", "NaN"], ["Infinity", "-Infinity", "NaN"], ["", "é", "1"], []]
)
def test_strings_arrive_as_sent(column: list[str]) -> None:
    """Also those that JSON's readers take for numbers."""
    assert sent(slices={"region": column}).slices == {"region": column}
    assert sent(cluster=column).cluster == column


def test_clusters_may_be_integers() -> None:
    """Integers are told apart up to where doubles begin to skip some."""
    found = sent(cluster=[1, 2.0, -(2**53)]).cluster
    assert found.tolist() == [1, 2, -(2**53)]
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"slices": {"a": [1, 2]}}, ["/slices/a/0", "/slices/a/1"]),
        ({"slices": {"a": ["x", 1, 2]}}, ["/slices/a/1", "/slices/a/2"]),
        ({"slices": {"a": ["x", None, True]}}, ["/slices/a/1", "/slices/a/2"]),
        ({"slices": {"a": ["NaN", 1]}}, ["/slices/a/1"]),
        ({"slices": {"a": [["x"]]}}, ["/slices/a/0"]),
        ({"slices": {"a": [[1, 2], [3, 4]]}}, ["/slices/a"]),
        ({"slices": {"a": "x"}}, ["/slices/a"]),
        ({"slices": ["x"]}, ["/slices"]),
        ({"cluster": [1, 0.5, 2**53 + 2, "NaN"]}, ["/cluster/1", "/cluster/2", "/cluster/3"]),
        ({"cluster": ["a", 1]}, ["/cluster/1"]),
        ({"cluster": {}}, ["/cluster"]),
        ({"cluster": 7}, ["/cluster"]),
    ],
)
def test_what_is_no_column_is_refused(fields: dict[str, object], pointers: list[str]) -> None:
    """Every offender has its pointer."""
    with pytest.raises(InvalidInputError) as refused:
        sent(**fields)
    assert [problem.pointer for problem in refused.value.problems] == pointers
