"""MLServer: ``on_mlserver.py PORT``; one process, tensors in the JSON of its V2 protocol."""

from __future__ import annotations

import asyncio
import sys

import cross_entropy
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Score(MLModel):  # type: ignore[misc]  # it has no types where it is not installed
    """Takes logits and targets, gives losses and gradients."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Losses and gradients."""
        sent = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        losses, gradients = cross_entropy.arrays(sent["logits"], sent["targets"].reshape(-1))
        outputs = [
            NumpyCodec.encode_output("losses", losses),
            NumpyCodec.encode_output("gradients", gradients),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)


async def main(port: int) -> None:
    """Serve until told to stop; its other two ports are any that are free."""
    settings = Settings(
        host="127.0.0.1", http_port=port, grpc_port=0, metrics_endpoint=None, parallel_workers=0, debug=False
    )
    await MLServer(settings).start([ModelSettings(name="score", implementation=Score)])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
