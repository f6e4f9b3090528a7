"""``mlserver infer`` and MLServer's codecs against a running server: ``with_mlserver.py HOST:PORT``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import oracle
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

URL = sys.argv[1]
MODEL = "cross_entropy"
COMMAND = str(Path(sys.executable).with_name("mlserver"))


def tensors(rows: slice) -> list[dict[str, Any]]:
    """Some rows of the oracle's batch, as MLServer's own types have them."""
    inputs = {"logits": oracle.logits()[rows], "targets": oracle.TARGETS[rows]}
    encoded = [NumpyCodec.encode_input(name, values) for name, values in inputs.items()]
    return [each.model_dump(exclude_none=True) for each in encoded]


def output_of(response: dict[str, Any], name: str) -> np.ndarray[Any, Any]:
    """An output of a response, flat: MLServer makes columns of vectors."""
    return np.ravel(next(each["data"] for each in response["outputs"] if each["name"] == name))


def infer(lines: list[dict[str, Any]], *options: str) -> list[dict[str, Any]]:
    """What the command answers to a file of requests, in their order."""
    with tempfile.TemporaryDirectory() as folder:
        sent, received = Path(folder, "sent.jsonl"), Path(folder, "received.jsonl")
        sent.write_text("".join(json.dumps(line) + "\n" for line in lines))
        command = [COMMAND, "infer", "-u", URL, "-m", MODEL, "-i", str(sent), "-o", str(received), *options]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        answers = [json.loads(line) for line in received.read_text().splitlines()]
    return sorted(answers, key=lambda answer: int(answer["parameters"]["batch_index"]))


ROWS = [{"inputs": tensors(slice(row, row + 1))} for row in range(len(oracle.TARGETS))]


def check(answers: list[dict[str, Any]]) -> None:
    """Fail unless these are the losses and gradients of the rows."""
    losses = np.concatenate([output_of(answer, "losses") for answer in answers])
    gradients = np.stack([output_of(answer, "gradients") for answer in answers])
    oracle.check("losses", losses, oracle.losses(oracle.logits()), exact=True)
    oracle.check("gradients", gradients, oracle.gradients(oracle.logits()), exact=True)


def in_batches() -> None:
    """The command joins requests along the rows and splits the answer: no row may depend on another."""
    check(infer(ROWS, "-s", "5"))
    check(infer(ROWS, "-s", "3", "-b"))


def one_by_one() -> None:
    """Row by row, and one that is refused: the command shows our words."""
    wrong = {"inputs": tensors(slice(0, 1))[:1]}
    *answers, refused = infer([*ROWS, wrong], "-r", "1")
    check(answers)
    assert "targets" in refused["error"]["msg"], refused


def codecs() -> None:
    """A request of its codecs, with the nested parameters that they add, and an answer that they decode."""
    body = {
        "inputs": tensors(slice(0, 5)),
        "outputs": [{"name": "losses"}],
        "parameters": {"content_type": "np", "headers": {"a": "b"}},
    }
    request = InferenceRequest(**body).model_dump_json(exclude_none=True).encode()
    call = urllib.request.Request(f"http://{URL}/v2/models/{MODEL}/infer", request)
    with urllib.request.urlopen(call, timeout=60) as response:  # noqa: S310 - the address is ours
        answer = InferenceResponse.model_validate_json(response.read())
    losses = NumpyCodec.decode_output(answer.outputs[0])
    oracle.check("losses", losses, oracle.losses(oracle.logits()), exact=True)


if __name__ == "__main__":
    codecs()
    one_by_one()
    in_batches()
    print("the codecs, and mlserver infer in requests of 1, 3 and 5 rows")
