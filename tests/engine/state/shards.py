"""Batches with everything that a state may meet, and their shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from lossmeter.engine import State, score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LOSSES = (
    "cross_entropy",
    {"name": "focal", "gamma": 1.5},
    "kl_divergence",
    "squared_error",
    "jensen_shannon",
    "generalized_cross_entropy",
)
BY_ROW = ("logits", "probabilities", "log_probabilities", "targets", "sample_weights", "cluster")


@dataclass(frozen=True)
class Batch:
    """The arguments of ``score``, of which some have a value for each row."""

    arguments: dict[str, Any]

    def __len__(self) -> int:
        return len(self.arguments["targets"])

    def state(self, rows: NDArray[np.intp] | None = None) -> State:
        """That of some rows, in their order; None for all."""
        chosen = np.arange(len(self)) if rows is None else rows
        said = dict(self.arguments)
        for name in BY_ROW:
            if said.get(name) is not None:
                said[name] = said[name][chosen]
        if said.get("slices") is not None:
            said["slices"] = {key: [values[row] for row in chosen] for key, values in said["slices"].items()}
        state = score(**said, include=["state"]).state
        assert state is not None
        return state


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A batch of up to 30 rows with weights, slices, clusters, ignored rows, tiny and huge losses."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, classes = draw(st.integers(1, 30)), draw(st.sampled_from([1, 2, 3, 12, 70]))
    binary = draw(st.sampled_from([False, False, False, True]))
    shape = (n,) if binary else (n, classes)
    values = rng.normal(size=shape) * draw(st.sampled_from([0.01, 1, 30, 1000]))
    said: dict[str, Any] = {"bins": draw(st.sampled_from([1, 10, 15])), "k": draw(st.sampled_from([1, 2, 5]))}
    said |= _input(draw, values, binary=binary)
    soft = draw(st.booleans()) and not binary
    targets = rng.integers(0, 2 if binary else classes, n)
    said["targets"] = _shared(rng, targets, classes) if soft else targets.astype(float) if binary else targets
    if not soft and draw(st.booleans()):
        said["targets"] = np.where(rng.random(n) < 0.2, -100, said["targets"])
        said["ignore_index"] = -100
    said["loss"] = "binary_cross_entropy" if binary else draw(st.sampled_from(LOSSES))
    if draw(st.booleans()):
        said["sample_weights"] = (
            rng.random(n) * 10.0 ** draw(st.sampled_from([0, -18, 30])) * (rng.random(n) < 0.8)
        )
    if draw(st.booleans()):
        said["class_weights"] = rng.random(2 if binary else classes) + 0.1
    said["label_smoothing"] = draw(st.sampled_from([0.0, 0.0, 0.1]))
    said["epsilon"] = draw(st.sampled_from([0.0, 0.0, 1e-3]))
    if draw(st.booleans()):
        said["slices"] = {
            name: [f"{name} {number}" for number in rng.integers(0, 4, n)] for name in ("region", "device")
        }
    said["cluster"] = rng.integers(0, 6, n) if draw(st.booleans()) else None
    return Batch(said)


def _input(draw: st.DrawFn, values: NDArray[np.float64], *, binary: bool) -> dict[str, Any]:
    """The same predictions in one of their forms, and of one of the dtypes."""
    form = draw(st.sampled_from(["logits", "probabilities", "log_probabilities"]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    if form == "logits":
        lie = draw(st.sampled_from([np.ascontiguousarray, np.asfortranarray]))
        return {
            form: lie(values.astype(dtype)),
            "temperature": draw(st.sampled_from([1.0, 1.0, 0.7])),
        }
    if binary:
        log_p = -np.logaddexp(0, -values)
    else:
        shifted = values - values.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    sent = np.exp(log_p) if form == "probabilities" else log_p
    return {form: sent.astype(dtype), "tolerance": 1e-3}


def _shared(rng: np.random.Generator, targets: NDArray[np.intp], classes: int) -> NDArray[np.float64]:
    """Distributions: some rows with a single class, others shared."""
    truth = np.eye(classes)[targets]
    soft = rng.random(len(targets)) < 0.5
    truth[soft] = rng.dirichlet(np.ones(classes), int(soft.sum()))
    return truth


def cut(data: st.DataObject, batch: Batch) -> list[NDArray[np.intp]]:
    """The rows dealt out to shards in any order; a cluster stays together."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shards = data.draw(st.integers(1, 5))
    cluster: Sequence[int] | None = batch.arguments["cluster"]
    of_rows = rng.integers(0, shards, len(batch)) if cluster is None else rng.integers(0, shards, 6)[cluster]
    order = rng.permutation(len(batch))
    parts = [order[of_rows[order] == shard] for shard in range(shards)]
    return [part for part in parts if len(part)]
