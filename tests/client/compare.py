"""Whether two results are the same."""

from __future__ import annotations

import ssl
from dataclasses import fields

import numpy as np
import pytest

from lossmeter import engine

CONTEXT = ssl.create_default_context()
"""Certificates, read once: httpx2 takes longer to read them than a test to run."""

WAYS = [{"binary": True}, {"binary": False}]
"""How arrays may travel."""


def same(ours: object, theirs: object, rtol: float = 1e-12) -> None:
    """Asserts that two results of a kind are the same, to rounding, with the same dtypes."""
    for field in fields(theirs):  # type: ignore[arg-type]
        mine, other = getattr(ours, field.name), getattr(theirs, field.name)
        if isinstance(other, engine.KLBreakdown):
            same(mine, other, rtol)
        elif isinstance(other, np.ndarray):
            assert mine.dtype == other.dtype
            np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol)
        elif field.name == "slices" and other is not None:
            assert mine.keys() == other.keys()
            for dimension, values in other.items():
                assert list(mine[dimension]) == list(values)
                for value, told in values.items():
                    texts = {name: text for name, text in told.items() if isinstance(text, str)}
                    numbers = {name: number for name, number in told.items() if name not in texts}
                    interval = numbers.pop("interval", None)
                    assert mine[dimension][value].keys() == told.keys()
                    assert texts.items() <= mine[dimension][value].items()
                    assert {name: mine[dimension][value][name] for name in numbers} == pytest.approx(
                        numbers, rel=rtol
                    )
                    if interval is not None:
                        np.testing.assert_allclose(mine[dimension][value].interval, interval, rtol=rtol)
        elif isinstance(other, float):
            np.testing.assert_allclose(mine, other, rtol=rtol)
        else:
            assert mine == other, field.name
