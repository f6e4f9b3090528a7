"""KServe's SDK: ``on_kserve.py PORT``; one worker, its V1 protocol in JSON and its V2 protocol in bytes."""

from __future__ import annotations

import logging
import sys
from typing import Any

import cross_entropy
import kserve
from kserve import InferOutput, InferRequest, InferResponse


class Score(kserve.Model):  # type: ignore[misc]  # it has no types where it is not installed
    """Takes and gives the JSON of the plain endpoint on V1, and tensors on V2."""

    def __init__(self) -> None:
        super().__init__("score")
        self.ready = True

    def predict(self, payload: Any, headers: object = None, response_headers: object = None) -> Any:  # noqa: ANN401, ARG002 - the SDK's
        """Losses and gradients."""
        if not isinstance(payload, InferRequest):
            return cross_entropy.score(payload["logits"], payload["targets"])
        sent = {tensor.name: tensor.as_numpy() for tensor in payload.inputs}
        losses, gradients = cross_entropy.arrays(sent["logits"], sent["targets"])
        given = []
        for name, values in (("losses", losses), ("gradients", gradients)):
            output = InferOutput(name, list(values.shape), "FP64")
            output.set_data_from_numpy(values, binary_data=True)
            given.append(output)
        return InferResponse(payload.id or "1", "score", given, requested_outputs=payload.request_outputs)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    server = kserve.ModelServer(
        http_port=int(sys.argv[1]),
        workers=1,
        enable_grpc=False,
        enable_latency_logging=False,
        access_log_format=None,
    )
    server.start([Score()])
