"""The job, per-row losses and gradients, in the forms in which it travels: requests out, answers back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from load.client import Answer
from lossmeter import engine

JSON: Final = "application/json"
NPZ: Final = "application/x-npz"
LENGTH: Final = "Inference-Header-Content-Length"
"""Of V2: how many bytes of a body are its JSON; the rest are tensors."""

Given = tuple[NDArray[Any], NDArray[Any]]
"""Losses ``Float[n]`` and gradients of their mean ``Float[n, classes]``."""

Message = tuple[dict[str, str], bytes]
"""Headers and body."""


@dataclass(frozen=True)
class Batch:
    """What is scored: logits ``Float[n, classes]`` with all the digits that a model's have, and class indices."""

    logits: NDArray[Any]
    targets: NDArray[np.int64]

    @classmethod
    def of(cls, rows: int, classes: int) -> Batch:
        """The same numbers in every run."""
        random = np.random.default_rng(0)
        return cls(3 * random.standard_normal((rows, classes)), random.integers(classes, size=rows))

    @property
    def given(self) -> Given:
        """What every server must answer."""
        scores = engine.score(logits=self.logits, targets=self.targets, include=("losses", "gradients"))
        assert scores.losses is not None
        assert scores.gradients is not None
        return scores.losses, scores.gradients


@dataclass(frozen=True)
class Form:
    """A way in which the job travels.

    Attributes:
        write: headers and body of the request.
        read: losses and gradients of the answer.
        query: behind the path.
        tolerance: relative, of the answer's numbers.
    """

    write: Callable[[Batch], Message]
    read: Callable[[Answer], Given]
    query: str = ""
    tolerance: float = 1e-9

    def request(self, address: tuple[str, int], path: str, batch: Batch) -> bytes:
        """The bytes to be sent."""
        own, body = self.write(batch)
        headers = {"Host": f"{address[0]}:{address[1]}", **own, "Content-Length": len(body)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {path}{self.query} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def check(self, answer: Answer, batch: Batch) -> None:
        """A wrong answer is not timed.

        Raises:
            ValueError: it is wrong.
        """
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {bytes(answer.body[:200])!r}")
        try:
            found = self.read(answer)
        except (KeyError, ValueError) as error:
            raise ValueError(f"its answer cannot be read: {error!r}") from error
        for got, wanted in zip(found, batch.given, strict=True):
            if not np.allclose(
                got.reshape(wanted.shape), wanted, rtol=self.tolerance, atol=1e-9 * self.tolerance
            ):
                raise ValueError("its numbers are not those of the others")


@dataclass(frozen=True)
class Echo(Form):
    """The bytes of a form, sent to whoever writes back as many bytes as the answer would have: no work at all."""

    def request(self, address: tuple[str, int], path: str, batch: Batch) -> bytes:
        """The path is how many."""
        assert not path
        return super().request(address, f"/{self._size(batch)}", batch)

    def check(self, answer: Answer, batch: Batch) -> None:
        """Counts."""
        if len(answer.body) != self._size(batch):
            raise ValueError(f"{len(answer.body)} bytes")

    def _size(self, batch: Batch) -> int:
        losses, gradients = batch.given
        if self.query:
            return losses.nbytes + gradients.nbytes
        return len(_json({"losses": losses.tolist(), "gradients": gradients.tolist()})[1])


def _json(document: dict[str, Any]) -> Message:
    return {"Content-Type": JSON}, json.dumps(document, separators=(",", ":")).encode()


def _write_json(batch: Batch, **more: object) -> Message:
    return _json({"logits": batch.logits.tolist(), "targets": batch.targets.tolist(), **more})


def _read_json(answer: Answer) -> Given:
    document = json.loads(answer.body)
    return np.array(document["losses"]), np.array(document["gradients"])


def _write_npz(batch: Batch, dtype: str = "float64") -> Message:
    file = io.BytesIO()
    np.savez(file, logits=batch.logits.astype(dtype), targets=batch.targets)
    return {"Content-Type": NPZ, "Accept": NPZ}, file.getvalue()


def _read_npz(answer: Answer) -> Given:
    with np.load(io.BytesIO(answer.body)) as arrays:
        return arrays["losses"], arrays["gradients"]


def _tensors(batch: Batch) -> list[dict[str, Any]]:
    named = (("logits", batch.logits, "FP64"), ("targets", batch.targets, "INT64"))
    return [{"name": name, "shape": values.shape, "datatype": datatype} for name, values, datatype in named]


def _write_v2(batch: Batch) -> Message:
    data = ({"data": values.ravel().tolist()} for values in (batch.logits, batch.targets))
    inputs = [tensor | values for tensor, values in zip(_tensors(batch), data, strict=True)]
    return _json({"inputs": inputs})


def _read_v2(answer: Answer) -> Given:
    outputs = {each["name"]: np.array(each["data"]) for each in json.loads(answer.body)["outputs"]}
    return outputs["losses"], outputs["gradients"]


def _write_tensors(batch: Batch) -> Message:
    chunks = [np.ascontiguousarray(values).tobytes() for values in (batch.logits, batch.targets)]
    sizes = ({"parameters": {"binary_data_size": len(chunk)}} for chunk in chunks)
    document = {
        "inputs": [tensor | size for tensor, size in zip(_tensors(batch), sizes, strict=True)],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in ("losses", "gradients")],
        "parameters": {"reduction": "mean"},
    }
    head = json.dumps(document).encode()
    headers = {"Content-Type": "application/octet-stream", LENGTH: str(len(head))}
    return headers, head + b"".join(chunks)


def _read_tensors(answer: Answer) -> Given:
    start = int(answer.headers[LENGTH.lower()])
    found = {}
    for output in json.loads(answer.body[:start])["outputs"]:
        end = start + output["parameters"]["binary_data_size"]
        found[output["name"]] = np.frombuffer(answer.body[start:end])
        start = end
    return found["losses"], found["gradients"]


PLAIN: Final = Form(_write_json, _read_json)
PARTS: Final = Form(lambda batch: _write_json(batch, include=["losses", "gradients"]), _read_json)
BYTES: Final = Form(_write_npz, _read_npz, "?include=losses,gradients")
FLOATS: Final = Form(lambda batch: _write_npz(batch, "float32"), _read_npz, BYTES.query, tolerance=1e-4)
V2: Final = Form(_write_v2, _read_v2)
TENSORS: Final = Form(_write_tensors, _read_tensors)
ECHO_JSON: Final = Echo(PARTS.write, PARTS.read)
ECHO_BYTES: Final = Echo(BYTES.write, BYTES.read, BYTES.query)
