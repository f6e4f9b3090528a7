"""BentoML: ``on_bentoml.py PORT``; one worker."""

from __future__ import annotations

import sys
from typing import Any

import bentoml
import cross_entropy


@bentoml.service(workers=1, traffic={"timeout": 300}, logging={"access": {"enabled": False}})
class CrossEntropy:
    """Takes and gives the JSON of the plain endpoint."""

    @bentoml.api(route="/score")  # type: ignore[untyped-decorator]  # it has no types where it is not installed
    def score(self, logits: list[list[float]], targets: list[int]) -> dict[str, Any]:
        """Losses and gradients."""
        return cross_entropy.score(logits, targets)


if __name__ == "__main__":
    CrossEntropy.serve_http(host="127.0.0.1", port=int(sys.argv[1]))  # type: ignore[attr-defined]  # what the decorator makes
