"""A batch with weights, and how tests send it in any format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import httpx2

RANDOM = np.random.default_rng(0)
LOGITS = 3 * RANDOM.standard_normal((20, 5))
TARGETS = RANDOM.integers(5, size=20)
WEIGHTS = RANDOM.random(20)
BATCH: dict[str, Any] = {"logits": LOGITS, "targets": TARGETS, "sample_weights": WEIGHTS}
OPTIONS = {"include": "losses,gradients,kl,probabilities", "label_smoothing": "0.1", "temperature": "2"}


def post(
    client: httpx2.Client, media_type: str, content: bytes, accept: str = "*/*", **query: str
) -> httpx2.Response:
    """A request in this format."""
    headers = {"Content-Type": media_type, "Accept": accept}
    return client.post("/v1/score", content=content, headers=headers, params=query)
