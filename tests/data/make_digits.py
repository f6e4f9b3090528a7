"""Makes digits.json: what a real classifier says of images that it has never seen, as a request to /v1/score.

    python tests/data/make_digits.py

Multinomial logistic regression learns two thirds of scikit-learn's digits (1 797 images of 8 × 8 pixels, from the
UCI repository: Alpaydin and Kaynak, 1998) and judges the last third. Its penalised likelihood has one maximum,
and the solver is run until it is there: so any machine comes to these logits, up to their last decimal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

FILE: Final = Path(__file__).with_name("digits.json")

DECIMALS: Final = 4
"""A logit's fifth decimal moves a probability by less than 0.01 %. The logits are what is in the file."""


def request() -> dict[str, object]:
    """The held-out third as a request whose answer is short."""
    images, digits = load_digits(return_X_y=True)
    seen, held_out, seen_digits, targets = train_test_split(
        images / 16, digits, test_size=1 / 3, random_state=0, stratify=digits
    )
    model = LogisticRegression(tol=1e-10, max_iter=10_000).fit(seen, seen_digits)
    # Adding 0 makes 0.0 of a -0.0 that rounding left.
    logits = np.round(model.decision_function(held_out), DECIMALS) + 0.0
    return {"include": [], "targets": targets.tolist(), "logits": logits.tolist()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(request(), separators=(",", ":")) + "\n", encoding="ascii")
