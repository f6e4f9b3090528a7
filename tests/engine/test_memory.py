"""What scoring takes beside what it was given and what it returns."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

from lossmeter.engine import score

MIB = 2**20


def beyond_the_answer(**wanted: Any) -> int:  # noqa: ANN401  what score takes
    """Peak bytes of one scoring in a thread that has scored nothing before, without the arrays of its answer."""
    score(logits=[[0.0]], targets=[0])  # what is loaded once is not counted
    measured = []

    def work() -> None:
        tracemalloc.start()
        scores = score(**wanted, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        answer = [scores.losses, scores.gradients]
        measured.append(peak - sum(each.nbytes for each in answer if each is not None))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return measured[0]


@pytest.mark.parametrize("include", [(), ("losses", "gradients")])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "binary_cross_entropy", "jensen_shannon"])
def test_a_thread_takes_four_mebibytes(
    loss: str, dtype: type[np.floating], *, soft: bool, include: tuple[str, ...]
) -> None:
    """Whatever n and the classes are, and a few numbers per row: nothing of n · classes but the answer."""
    rng = np.random.default_rng(0)
    for n, classes in [(300_000, 2), (20_000, 100), (2_000, 1_000)]:
        logits = rng.normal(size=(n, classes)).astype(dtype)
        targets: Any = rng.integers(0, classes, n)
        if loss.startswith("binary"):
            targets = rng.random((n, classes))
            targets = targets if soft else targets.round()
        elif soft or loss == "jensen_shannon":
            targets = rng.dirichlet(np.ones(classes), n)
        if targets.dtype.kind == "f":
            targets = targets.astype(dtype)
        taken = beyond_the_answer(logits=logits, targets=targets, loss=loss, include=include)
        assert taken <= 4 * MIB + 3 * 8 * n, (n, classes, taken / MIB)
