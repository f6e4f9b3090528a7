"""A real classifier's answers to images it had never seen: digits.json, made by tests/data/make_digits.py."""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss

from data import make_digits
from lossmeter.engine import LOSSES, score

if TYPE_CHECKING:
    import httpx2

    from servers import Server

DIGITS = Path(__file__).parent / "data" / "digits.json"
REQUEST = json.loads(DIGITS.read_bytes())
LOGITS = np.array(REQUEST["logits"])
TARGETS = np.array(REQUEST["targets"])


def command(*arguments: str, stdin: bytes = b"") -> dict[str, Any]:
    """What ``lossmeter score`` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "lossmeter", "score", *arguments],
        input=stdin,
        capture_output=True,
        check=True,
        timeout=60,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_file_is_what_its_script_makes() -> None:
    """Training anew comes to the same logits, but for the last decimal on another machine's BLAS."""
    made: Any = make_digits.request()
    assert made["targets"] == REQUEST["targets"]
    np.testing.assert_allclose(made["logits"], LOGITS, rtol=0, atol=1.5 * 10**-make_digits.DECIMALS)


def test_the_classifier_is_a_plausible_one() -> None:
    """A third of 1 797 images, all ten digits, most of them right, and neither sure nor unsure of all."""
    assert LOGITS.shape == (599, 10)
    assert (np.bincount(TARGETS, minlength=10) > 50).all()
    assert 0.95 < (LOGITS.argmax(axis=1) == TARGETS).mean() < 0.98
    least, most = np.quantile(softmax(LOGITS, axis=1).max(axis=1), [0.01, 0.99])
    assert least < 0.5
    assert most > 0.99


def test_the_loss_is_that_of_scikit_learn() -> None:
    """``log_loss`` of scikit-learn, which takes probabilities, differs by rounding only."""
    expected = log_loss(TARGETS, softmax(LOGITS, axis=1))
    assert score(logits=LOGITS, targets=TARGETS).loss == pytest.approx(expected, rel=1e-12)


def test_weights_mean_what_they_mean_in_scikit_learn() -> None:
    """``sample_weight`` there is ``sample_weights`` here: both divide by the sum of the weights."""
    weights = np.random.default_rng(0).uniform(0, 3, len(TARGETS))
    expected = log_loss(TARGETS, softmax(LOGITS, axis=1), sample_weight=weights)
    ours = score(logits=LOGITS, targets=TARGETS, sample_weights=weights).loss
    assert ours == pytest.approx(expected, rel=1e-12)


def test_engine_command_and_service_say_the_same(client: httpx2.Client) -> None:
    """One number by three ways, to the last digit."""
    headers = {"Content-Type": "application/json"}
    served = client.post("/v1/score", content=DIGITS.read_bytes(), headers=headers).raise_for_status().json()
    assert served == command(str(DIGITS))
    assert served["loss"] == score(logits=LOGITS, targets=TARGETS, include=()).loss
    assert served["count"] == served["denominator"] == len(TARGETS)


@pytest.mark.parametrize("sent_as", ["logits", "probabilities", "log_probabilities"])
def test_parts_are_the_same_to_the_last_digit(sent_as: str, client: httpx2.Client) -> None:
    """Losses, gradients and KL of the service are those of the engine, for each way to send a prediction."""
    sent: Any = {
        "logits": LOGITS,
        "probabilities": softmax(LOGITS, axis=1),
        "log_probabilities": log_softmax(LOGITS, axis=1),
    }[sent_as]
    document = {sent_as: sent.tolist(), "targets": TARGETS.tolist()}
    served = client.post("/v1/score", json=document).raise_for_status().json()
    assert served == command("-", stdin=json.dumps(document).encode())
    scores = score(**{sent_as: sent}, targets=TARGETS)
    assert scores.losses is not None
    assert scores.gradients is not None
    assert scores.kl is not None
    assert served["losses"] == scores.losses.tolist()
    assert served["gradients"] == scores.gradients.tolist()
    assert served["kl"]["by_class"] == scores.kl.by_class.tolist()
    assert served["loss"] == pytest.approx(score(logits=LOGITS, targets=TARGETS).loss, rel=1e-12)


@pytest.mark.parametrize("loss", [name for name, loss in LOSSES.items() if not loss.binary])
def test_every_loss_of_classes_scores_it(loss: str, client: httpx2.Client) -> None:
    """The service's number is the engine's; smoothing keeps reverse_kl finite."""
    document = {**REQUEST, "loss": loss, "label_smoothing": 0.01}
    served = client.post("/v1/score", json=document).raise_for_status().json()
    ours = score(logits=LOGITS, targets=TARGETS, loss=loss, label_smoothing=0.01).loss
    assert ours is not None
    assert served["loss"] == ours
    assert 0 < ours < 1


def test_a_large_batch_is_the_small_one_many_times(server: Server) -> None:
    """Large bodies are read in pieces and answered in parts, and neither changes a digit."""
    many = 40
    document = {"logits": np.tile(LOGITS, (many, 1)).tolist(), "targets": np.tile(TARGETS, many).tolist()}
    once = score(logits=LOGITS, targets=TARGETS, reduction="none")
    assert once.losses is not None
    assert once.gradients is not None
    for version in ("HTTP/1.0", "HTTP/1.1"):
        headers, served = exchange(server, version, {**document, "reduction": "none"})
        assert served["losses"] == many * once.losses.tolist()
        assert served["gradients"] == many * once.gradients.tolist()
        assert ("transfer-encoding" in headers) == (version == "HTTP/1.1")
        assert ("content-length" in headers) == (version == "HTTP/1.0")


def exchange(server: Server, version: str, document: object) -> tuple[dict[str, str], dict[str, Any]]:
    """The headers of an answer and the answer, in a version of HTTP."""
    connection = HTTPConnection(*server.address, timeout=30)
    # http.client has no public way to speak 1.0.
    connection._http_vsn_str = version  # type: ignore[attr-defined]  # noqa: SLF001
    connection.request("POST", "/v1/score", json.dumps(document), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer: dict[str, Any] = json.loads(response.read())
    connection.close()
    assert response.status == 200
    return {name.lower(): value for name, value in response.getheaders()}, answer
