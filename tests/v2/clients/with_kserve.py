"""KServe's InferenceRESTClient against a running server: ``with_kserve.py HOST:PORT``."""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import Any

import httpx
import numpy as np
import oracle
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

URL = f"http://{sys.argv[1]}"
MODEL = "cross_entropy"
NAMES = {"float64": "FP64", "float32": "FP32", "float16": "FP16", "bool": "BOOL"}
INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
FORMS = (True, False)


def tensor(name: str, values: Any, *, binary: bool) -> InferInput:
    """An input of the client."""
    values = np.asarray(values)
    kind = str(values.dtype)
    made = InferInput(name, list(values.shape), NAMES.get(kind, kind.upper()))
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def request(
    *inputs: InferInput, binary: bool | None = None, each: bool | None = None, **parameters: Any
) -> InferRequest:
    """A request for the usual outputs: binary as the request says, or as each output says."""
    wanted = [
        RequestedOutput(name, {} if each is None else {"binary_data": each})
        for name in ("losses", "gradients")
    ]
    options = parameters | ({} if binary is None else {"binary_data_output": binary})
    return InferRequest(
        model_name=MODEL, infer_inputs=list(inputs), request_outputs=wanted, parameters=options
    )


async def health(client: InferenceRESTClient) -> None:
    """Its probes read ``live`` and ``ready``."""
    assert await client.is_server_live(URL)
    assert await client.is_server_ready(URL)
    assert await client.is_model_ready(URL, MODEL)
    assert not await client.is_model_ready(URL, "nobody")


async def batches(client: InferenceRESTClient) -> int:
    """Every datatype that it has, in every form, both ways."""
    integers = itertools.cycle(INTEGERS)
    done = 0
    for dtype, sent, binary, each in itertools.product(
        (np.float64, np.float32, np.float16), FORMS, (None, *FORMS), (None, *FORMS)
    ):
        if dtype is np.float16 and not sent:
            continue  # the client itself refuses to write it
        answer = await client.infer(
            URL,
            request(
                tensor("logits", oracle.logits().astype(dtype), binary=sent),
                tensor("targets", oracle.TARGETS.astype(next(integers)), binary=sent),
                binary=binary,
                each=each,
            ),
            model_name=MODEL,
        )
        found = {output.name: output.as_numpy() for output in answer.outputs}
        exact = dtype is np.float64
        oracle.check("losses", found["losses"], oracle.losses(oracle.logits()), exact=exact)
        oracle.check("gradients", found["gradients"], oracle.gradients(oracle.logits()), exact=exact)
        done += 1
    return done


async def infinities(client: InferenceRESTClient) -> None:
    """What is not finite comes back exactly; as JSON it cannot even be sent, for the client writes null."""
    z, truth = np.array([[0.0, -np.inf], [0.0, 1.0]]), np.array([1, 0])
    for binary in FORMS:
        answer = await client.infer(
            URL,
            request(tensor("logits", z, binary=True), tensor("targets", truth, binary=True), binary=binary),
            model_name=MODEL,
        )
        losses = answer.get_output_by_name("losses").as_numpy()
        oracle.check("losses", losses, np.array([np.inf, np.log1p(np.e)]), exact=True)
    sent = request(tensor("logits", z, binary=False), tensor("targets", truth, binary=False))
    await refused(client, MODEL, sent, "/inputs/0/data/1", "null")


async def refused(client: InferenceRESTClient, model: str, sent: InferRequest, *words: str) -> None:
    """Fail unless the client shows a message of ours with these words."""
    try:
        await client.infer(URL, sent, model_name=model)
    except httpx.HTTPStatusError as error:
        for word in words:
            assert word in str(error), error
    else:
        raise AssertionError(words)


async def refusals(client: InferenceRESTClient) -> None:
    """Its errors carry our words, which it reads only from one exact Content-Type."""
    inputs = (
        tensor("logits", oracle.logits(), binary=True),
        tensor("targets", oracle.TARGETS, binary=True),
    )
    await refused(client, "focall", request(*inputs), "did you mean focal")
    await refused(client, MODEL, request(*inputs, temprature=2.0), "did you mean temperature")
    await refused(client, MODEL, request(inputs[0]), "targets")


async def main() -> None:
    """All of it."""
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    async with client:
        for look in (health, infinities, refusals):
            await look(client)
        print(f"{await batches(client)} combinations")


if __name__ == "__main__":
    asyncio.run(main())
