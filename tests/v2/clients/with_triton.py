"""tritonclient against a running server, its sync and its asyncio client: ``with_triton.py HOST:PORT``."""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import Any

import ml_dtypes
import numpy as np
import oracle
import tritonclient.http as sync
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

URL = sys.argv[1]
MODEL = "cross_entropy"

FLOATS = (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)
INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
CODINGS = (None, "gzip", "deflate")
OUTPUTS = ("usual", "binary", "json", "mixed")


def tensor(name: str, values: Any, *, binary: bool = True) -> sync.InferInput:
    """An input of the client."""
    values = np.asarray(values)
    made = sync.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def batch(dtype: Any = np.float64, integer: Any = np.int64, *, binary: bool = True) -> list[sync.InferInput]:
    """The batch of the oracle."""
    return [
        tensor("logits", oracle.logits().astype(dtype), binary=binary),
        tensor("targets", oracle.TARGETS.astype(integer), binary=binary),
    ]


def outputs(kind: str) -> list[sync.InferRequestedOutput] | None:
    """What is asked for, and how it is to travel."""
    forms = {"binary": (True, True), "json": (False, False), "mixed": (False, True)}.get(kind)
    if forms is None:
        return None
    names = ("losses", "gradients")
    return [
        sync.InferRequestedOutput(name, binary_data=form) for name, form in zip(names, forms, strict=True)
    ]


def refused(error: InferenceServerException | None, *words: str) -> None:
    """Fail unless the client shows a message of ours with these words."""
    assert error is not None
    for word in words:
        assert word in error.message(), error.message()


def check(result: Any, *, exact: bool) -> None:
    """Fail unless these are the oracle's losses and gradients."""
    assert result.get_response()["model_name"] == MODEL
    oracle.check("losses", result.as_numpy("losses"), oracle.losses(oracle.logits()), exact=exact)
    oracle.check("gradients", result.as_numpy("gradients"), oracle.gradients(oracle.logits()), exact=exact)


def combinations() -> list[dict[str, Any]]:
    """Every float in every form, with every coding; the integers of the targets take turns."""
    integers = itertools.cycle(INTEGERS)
    made = []
    for dtype, binary, kind, sent, wanted in itertools.product(
        FLOATS, (True, False), OUTPUTS, CODINGS, CODINGS
    ):
        if binary or dtype is not ml_dtypes.bfloat16:  # which the client itself refuses to write in JSON
            case = {"dtype": dtype, "binary": binary, "integer": next(integers)}
            made.append({"batch": case, "kind": kind, "sent": sent, "wanted": wanted})
    return made


def arguments(case: dict[str, Any]) -> dict[str, Any]:
    """Those of ``infer`` for a combination."""
    return {
        "model_name": MODEL,
        "inputs": batch(**case["batch"]),
        "outputs": outputs(case["kind"]),
        "request_compression_algorithm": case["sent"],
        "response_compression_algorithm": case["wanted"],
        "request_id": "one",
    }


def is_refused(case: dict[str, Any]) -> bool:
    """Half floats are not for JSON."""
    return case["batch"]["dtype"] is np.float16 and not case["batch"]["binary"]


def judge(case: dict[str, Any], result: Any, error: InferenceServerException | None) -> None:
    """Fail unless a combination went as it must; an error is readable also where a coding was wanted."""
    if is_refused(case):
        refused(error, "receiving FP16 data via JSON is not supported", "'logits'")
        return
    assert error is None, (case, error)
    assert result.get_response()["id"] == "one"
    check(result, exact=case["batch"]["dtype"] is np.float64)


def metadata(client: Any) -> None:
    """What the server says of itself and its models."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready("nobody")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    known = client.get_model_metadata("focal", model_version="1")
    assert {"logits", "targets", "alpha"} <= {each["name"] for each in known["inputs"]}
    assert {"losses", "gradients", "loss"} <= {each["name"] for each in known["outputs"]}
    index = client.get_model_repository_index()
    assert {"name": MODEL, "version": "1", "state": "READY", "reason": ""} in index


def numbers(client: Any) -> None:
    """Every datatype as itself: integers as logits, BOOL as truth, what is not finite in both forms."""
    for integer, binary in itertools.product((*INTEGERS, np.bool_), (True, False)):
        scores = np.array([[3, 1, 0], [0, 2, 5]])
        if integer is not np.bool_:
            result = client.infer(
                MODEL,
                [
                    tensor("logits", scores.astype(integer), binary=binary),
                    tensor("targets", np.array([0, 1])),
                ],
            )
            expected = oracle.losses(scores.astype(float), np.array([0, 1]))
            oracle.check("losses", result.as_numpy("losses"), expected, exact=True)
    for binary, kind in itertools.product((True, False), (True, False)):
        truth = np.array([True, False, True])
        result = client.infer(
            "binary_cross_entropy",
            [tensor("logits", np.zeros(3), binary=binary), tensor("targets", truth, binary=binary)],
        )
        oracle.check("losses", result.as_numpy("losses"), np.full(3, np.log(2)), exact=True)
        masked = np.array([[0.0, -np.inf, 0.0], [np.nan, 1.0, np.inf], [-np.inf, 2.0, 2.0]])
        result = client.infer(
            MODEL,
            [tensor("logits", masked, binary=binary), tensor("targets", np.array([0, 9, 0]), binary=binary)],
            outputs=[sync.InferRequestedOutput(name, binary_data=kind) for name in ("losses", "gradients")],
            parameters={"ignore_index": 9},
        )
        expected = np.array([np.log(2), 0, np.inf])
        oracle.check("losses", result.as_numpy("losses"), expected, exact=True)


def parameters(client: Any) -> None:
    """Options, the loss's own parameters and tensors, and the reduced loss."""
    z = oracle.logits()
    p = oracle.probabilities(z)[np.arange(len(z)), oracle.TARGETS]
    alpha = np.array([1.0, 2.0, 0.5, 3.0])
    result = client.infer(
        "focal",
        [*batch(), tensor("alpha", alpha), tensor("sample_weights", np.arange(5.0))],
        outputs=[sync.InferRequestedOutput(name) for name in ("losses", "loss")],
        parameters={"gamma": 3, "unit": "bits", "reduction": "sum"},
    )
    expected = -np.arange(5.0) * alpha[oracle.TARGETS] * (1 - p) ** 3 * np.log2(p)
    oracle.check("losses", result.as_numpy("losses"), expected, exact=True)
    oracle.check("loss", result.as_numpy("loss"), expected.sum(keepdims=True), exact=True)


def refusals(client: Any) -> None:
    """Every refusal is shown in our words."""
    for model, inputs, options, words in (
        ("focall", batch(), {}, ("did you mean focal",)),
        (MODEL, batch(), {"parameters": {"temprature": 2.0}}, ("did you mean temperature",)),
        (MODEL, batch()[:1], {}, ("targets",)),
        (MODEL, [batch()[0], tensor("targets", np.array([0, 1, 2, 3, 4]))], {}, ("/targets/4",)),
        (MODEL, batch(), {"outputs": [sync.InferRequestedOutput("loss")]}, ("reduction",)),
        (MODEL, batch(), {"outputs": [sync.InferRequestedOutput("lossses")]}, ("did you mean losses",)),
    ):
        for coding in CODINGS:
            try:
                client.infer(model, inputs, response_compression_algorithm=coding, **options)
            except InferenceServerException as error:
                refused(error, *words)
            else:
                raise AssertionError(words)


def in_background(client: Any) -> None:
    """``async_infer``, which sends from greenlets."""
    waiting = [(case, client.async_infer(**arguments(case))) for case in combinations()[::17]]
    for case, request in waiting:
        result = error = None
        try:
            result = request.get_result()
        except InferenceServerException as found:
            error = found
        judge(case, result, error)


def of_sync() -> None:
    """All of it with the sync client."""
    with sync.InferenceServerClient(URL, concurrency=4) as client:
        for look in (metadata, numbers, parameters, refusals, in_background):
            look(client)
        for case in combinations():
            result = error = None
            try:
                result = client.infer(**arguments(case))
            except InferenceServerException as found:
                error = found
            judge(case, result, error)


async def of_asyncio() -> None:
    """The same combinations with the asyncio client, which decompresses nothing but the answers of ``infer``."""
    async with aio.InferenceServerClient(URL) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(MODEL)
        assert "binary_tensor_data" in (await client.get_server_metadata())["extensions"]
        assert (await client.get_model_metadata(MODEL))["versions"] == ["1"]
        assert len(await client.get_model_repository_index()) > 1
        for case in combinations():
            result = error = None
            try:
                result = await client.infer(**arguments(case))
            except InferenceServerException as found:
                error = found
            judge(case, result, error)


def large() -> None:
    """A batch of megabytes, whose answer comes in parts."""
    z = np.random.default_rng(3).standard_normal((20_000, 40)).astype(np.float32)
    truth = np.arange(20_000) % 40
    with sync.InferenceServerClient(URL, network_timeout=120.0) as client:
        for binary, kind, coding in itertools.product((True, False), ("binary", "json"), (None, "deflate")):
            result = client.infer(
                MODEL,
                [tensor("logits", z, binary=binary), tensor("targets", truth, binary=binary)],
                outputs=outputs(kind),
                request_compression_algorithm=coding,
                response_compression_algorithm=coding,
            )
            expected = oracle.gradients(z.astype(float), truth)
            oracle.check("gradients", result.as_numpy("gradients"), expected, exact=False)


if __name__ == "__main__":
    of_sync()
    asyncio.run(of_asyncio())
    large()
    print(f"{len(combinations())} combinations each of the sync and the asyncio client")
