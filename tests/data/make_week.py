"""Makes week.json: what real classifiers say of images that they have never seen, over a week, on three devices.

    python tests/data/make_week.py

Multinomial logistic regressions judge scikit-learn's digits (1 797 images of 8 × 8 pixels, from the UCI repository:
Alpaydin and Kaynak, 1998), each third by one that learnt the other two. The images are dealt out to the seven days of
a week and to three devices, by lot. On Friday the camera of the kiosk is out of focus: every pixel of its images is the
mean of the nine around it. Nothing else is made up: the logits are what the classifiers say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import uniform_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE: Final = Path(__file__).with_name("week.json")

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DEVICES: Final = ("desk", "mobile", "kiosk")

DECIMALS: Final = 4


def week() -> dict[str, dict[str, object]]:
    """The rows of every day, as a request to /v1/metrics has them."""
    images, digits = load_digits(return_X_y=True)
    random = np.random.default_rng(0)
    days = np.empty(len(digits), int)
    days[random.permutation(len(digits))] = np.arange(len(digits)) * len(DAYS) // len(digits)
    devices = random.choice(DEVICES, size=len(digits))
    blurred = (days == DAYS.index("Friday")) & (devices == "kiosk")
    logits = judged(images / 16, digits, blurred)
    return {
        name: {
            "targets": digits[days == day].tolist(),
            "slices": {"device": devices[days == day].tolist()},
            "logits": logits[days == day].tolist(),
        }
        for day, name in enumerate(DAYS)
    }


def judged(
    images: NDArray[np.float64], digits: NDArray[np.int_], blurred: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Logits of every image, blurred or not, by a classifier that has not seen it and knows sharp images only."""
    shown, logits = images.copy(), np.empty((len(digits), 10))
    squares = images[blurred].reshape(-1, 8, 8)
    shown[blurred] = uniform_filter(squares, size=(0, 3, 3)).reshape(-1, 64)
    for learnt, held_out in StratifiedKFold(3, shuffle=True, random_state=0).split(images, digits):
        model = LogisticRegression(tol=1e-10, max_iter=10_000).fit(images[learnt], digits[learnt])
        logits[held_out] = model.decision_function(shown[held_out])
    # Adding 0 makes 0.0 of a -0.0 that rounding left.
    return np.round(logits, DECIMALS) + 0.0


if __name__ == "__main__":
    FILE.write_text(json.dumps(week(), separators=(",", ":")) + "\n", encoding="ascii")
