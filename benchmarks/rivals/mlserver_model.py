"""The same endpoint as a runtime of MLServer's: tensors in, NumPy in the handler, tensors out."""

from __future__ import annotations

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Score(MLModel):  # type: ignore[misc]  # its classes have no types where it is not installed
    """Cross-entropy of every row, and the gradient of the mean."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Scores a batch of logits."""
        import numpy as np

        arrays = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        logits, targets = arrays["logits"], arrays["targets"].ravel()
        rows = np.arange(len(targets))
        logits = logits - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(axis=1, keepdims=True)
        losses = np.log(sums[:, 0]) - logits[rows, targets]
        gradients = exponentials / sums
        gradients[rows, targets] -= 1
        outputs = {"losses": losses, "gradients": gradients / len(targets)}
        encoded = [NumpyCodec.encode_output(name, values) for name, values in outputs.items()]
        return InferenceResponse(model_name=self.name, outputs=encoded)
