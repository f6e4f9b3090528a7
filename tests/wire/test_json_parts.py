"""Answers in parts are the same bytes as answers at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossmeter.wire.json import encode, encode_in_parts

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.standard_normal((3000, 70))
HOLED = np.where(RANDOM.random((3000, 70)) < 0.001, -np.inf, MATRIX)

DOCUMENTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "scalars": {"loss": 0.5, "unit": "nats", "text": 'é"', "count": 3, "none": None, "list": [1, "x"]},
    "infinite scalars": {"loss": float("inf"), "other": float("nan")},
    "small arrays": {"losses": np.array([1.0, np.inf]), "empty": np.empty((0, 3)), "zero": np.array(2.0)},
    "a large matrix": {"gradients": MATRIX},
    "what is not finite": {"before": 1, "gradients": HOLED, "vector": np.full(40_000, np.nan), "after": 2},
    "nested": {"kl": {"rows": MATRIX[:, 0], "deep": {"by_class": np.arange(40_000.0)}, "end": {}}},
    "another layout": {
        "transposed": MATRIX.T,
        "single": MATRIX.astype(np.float32),
        "whole": np.arange(50_000),
    },
    "one long row": {"probabilities": RANDOM.random((1, 60_000))},
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_parts_join_to_the_whole(name: str) -> None:
    """Whatever the document holds."""
    assert b"".join(encode_in_parts(DOCUMENTS[name])) == encode(DOCUMENTS[name])


def test_parts_are_neither_crumbs_nor_the_whole() -> None:
    """A large answer comes in parts of some hundred kilobytes."""
    sizes = [
        len(part) for part in encode_in_parts({"loss": 0.5, "gradients": MATRIX, "losses": MATRIX[:, 0]})
    ]
    assert len(sizes) > 5
    assert min(sizes[:-1]) > 50_000
    assert max(sizes) < 700_000
