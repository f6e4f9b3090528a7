"""Many callers with data of their own at once: each gets its own answer, to the last bit."""

from __future__ import annotations

import http.client
import io
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lossmeter import engine
from resilience.targets import Target, in_parallel

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilience.conftest import Tell

CALLERS = 64
NPZ = "application/x-npz"


class Caller:
    """One caller, its data, and what it must be told.

    Attributes:
        wrong: answers that were another's, or nobody's.
        answers: all of them.
        refused: that came too many at a time.
    """

    def __init__(self, number: int) -> None:
        random = np.random.default_rng(number)
        rows = int(random.choice([1, 7, 60, 700, 3000]))
        self.wrong = self.answers = self.refused = 0
        self._logits = random.normal(size=(rows, 3 + number % 9)) * 5
        self._targets = random.integers(0, 3, rows)
        scores = engine.score(logits=self._logits, targets=self._targets, include=("losses", "gradients"))
        self._wanted: dict[str, Any] = {"losses": scores.losses, "gradients": scores.gradients}
        self._json = json.dumps(
            {
                "logits": self._logits.tolist(),
                "targets": self._targets.tolist(),
                "include": ["losses", "gradients"],
            }
        ).encode()
        buffer = io.BytesIO()
        np.savez(buffer, logits=self._logits, targets=self._targets)
        self._npz = buffer.getvalue()

    def run(self, target: Target, last: float) -> None:
        """Asks by turns in JSON and in arrays, and compares every bit."""
        connection = http.client.HTTPConnection(*target.address, timeout=120)
        while time.monotonic() < last:
            is_json = self.answers % 2 == 0
            kind = "application/json" if is_json else NPZ
            path = target.path if is_json else f"{target.path}?include=losses,gradients"
            body = self._json if is_json else self._npz
            connection.request("POST", path, body, {"Content-Type": kind, "Accept": kind})
            response = connection.getresponse()
            read = response.read()
            self.answers += 1
            if response.status in {429, 503}:
                self.refused += 1
            else:
                self.wrong += response.status != 200 or not self._is_mine(read, is_json=is_json)
        connection.close()

    def _is_mine(self, body: bytes, *, is_json: bool) -> bool:
        found = json.loads(body) if is_json else np.load(io.BytesIO(body), allow_pickle=False)
        return all(
            np.array(found[name]).tobytes() == wanted.tobytes() for name, wanted in self._wanted.items()
        )


@pytest.mark.parametrize(
    "seconds", [8, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_mixups(target: Target, seconds: float, tell: Tell) -> None:
    """Every answer is bit-identical to the one computed alone."""
    callers = [Caller(number) for number in range(CALLERS)]
    last = time.monotonic() + seconds

    def job(caller: Caller) -> Callable[[], None]:
        return lambda: caller.run(target, last)

    in_parallel([job(caller) for caller in callers])
    figures = {
        "answers": sum(c.answers for c in callers),
        "wrong": sum(c.wrong for c in callers),
        "refused": sum(c.refused for c in callers),
    }
    tell(f"{CALLERS} callers for {seconds} s", figures)
    assert figures["wrong"] == 0
    assert figures["refused"] < figures["answers"] / 2
