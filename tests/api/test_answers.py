"""What good requests get, from the real server."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from api.asking import ask
from lossmeter import engine
from lossmeter.api import scoring
from lossmeter.engine import LOSSES
from lossmeter.errors import InvalidInputError, TooLargeError
from lossmeter.settings import Settings
from lossmeter.wire.json import decode

if TYPE_CHECKING:
    import httpx2

PARTS = ("losses", "gradients", "kl", "contributions", "probabilities")
SUBSETS = [list(parts) for size in range(6) for parts in itertools.combinations(PARTS, size)]
ALWAYS = {"loss", "reduction", "unit", "denominator", "count", "ignored"}


def spelt(value: Any) -> Any:  # noqa: ANN401 - numbers, nested or not
    """Numbers as JSON has them."""
    if isinstance(value, list):
        return [spelt(each) for each in value]
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def batch(loss: str) -> dict[str, object]:
    """A small batch that this loss takes."""
    if LOSSES[loss].binary:
        return {"logits": [2.2, -1.3, 0.4], "targets": [1, 0, 0]}
    return {"logits": [[2.0, 0.5, -1.0], [0.1, 0.2, 3.0]], "targets": [[0.8, 0.1, 0.1], [0.0, 1.0, 0.0]]}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(client: httpx2.Client, loss: str, reduction: str) -> None:
    """Every loss answers with every subset of parts and every reduction, and the numbers are the engine's."""
    request = batch(loss)
    for include in SUBSETS:
        answer = ask(client, "/v1/score", **request, loss=loss, reduction=reduction, include=include)
        assert set(answer) == ALWAYS | set(include)
        scores = engine.score(**request, loss=loss, reduction=reduction, include=include)  # type: ignore[arg-type]
        assert answer["loss"] == (None if scores.loss is None else spelt(scores.loss))
        for part in set(include) - {"kl"}:
            assert answer[part] == spelt(getattr(scores, part).tolist()), part


def test_parts_by_default(client: httpx2.Client) -> None:
    """Without ``include``, the answer carries losses, gradients and the KL breakdown."""
    answer = ask(client, "/v1/score", **batch("cross_entropy"))
    assert set(answer) == ALWAYS | {"losses", "gradients", "kl"}
    assert set(answer["kl"]) == {"target_entropy", "cross_entropy", "kl_divergence", "by_class"}
    assert answer["loss"] * answer["denominator"] == pytest.approx(sum(answer["losses"]))


def test_infinite_loss(client: httpx2.Client) -> None:
    """A certain miss costs infinity, which is the string of the proto3 mapping and no bare constant."""
    answer = ask(client, "/v1/score", probabilities=[[0, 1]], targets=[0], include=["losses"])
    assert answer["loss"] == "Infinity"
    assert answer["losses"] == ["Infinity"]


def test_masked_class(client: httpx2.Client) -> None:
    """A masked class is probability 0, both on the way in and on the way out."""
    answer = ask(client, "/v1/softmax", logits=[[1, 1, "-Infinity"]])
    assert answer["probabilities"] == [[0.5, 0.5, 0.0]]
    assert answer["log_probabilities"] == [[-math.log(2), -math.log(2), "-Infinity"]]
    assert answer["entropy"] == [math.log(2)]


def test_ignored_rows_may_hold_nan(client: httpx2.Client) -> None:
    """A row that is ignored counts nowhere, even if it holds NaN."""
    answer = ask(client, "/v1/score", logits=[["NaN", 0], [0, 0]], targets=[-100, 1], ignore_index=-100)
    assert (answer["count"], answer["ignored"], answer["loss"]) == (1, 1, math.log(2))
    assert answer["gradients"][0] == [0, 0]


def test_weights_come_back(client: httpx2.Client) -> None:
    """Class weights are answered if the request had any, computed or not."""
    request = {"logits": [[0, 0]] * 4, "targets": [0, 0, 0, 1]}
    assert ask(client, "/v1/score", **request, class_weights="balanced")["class_weights"] == [2 / 3, 2.0]
    assert ask(client, "/v1/score", **request, class_weights=[1, 3])["class_weights"] == [1, 3]
    scheme = {"scheme": "inverse_frequency"}
    assert ask(client, "/v1/score", **request, class_weights=scheme)["class_weights"] == [4 / 3, 4.0]


def test_parameters_per_class(client: httpx2.Client) -> None:
    """Parameters that are one number per class, or one number for all, weigh as they say."""
    focal = {
        "logits": [[0, 0], [0, 0]],
        "targets": [0, 1],
        "loss": {"name": "focal", "gamma": 0, "alpha": [1, 3]},
    }
    assert ask(client, "/v1/score", **focal)["losses"] == [math.log(2), 3 * math.log(2)]
    binary = {"logits": [0, 0], "targets": [0, 1]}
    for weight in (3, 3.0):
        loss = {"name": "binary_cross_entropy", "pos_weight": weight}
        assert ask(client, "/v1/score", **binary, loss=loss)["losses"] == [math.log(2), 3 * math.log(2)]
    labels = {"logits": [[0, 0]], "targets": [[1, 1]]}
    weights = {"name": "binary_cross_entropy", "pos_weight": [2, 3]}
    assert ask(client, "/v1/score", **labels, loss=weights)["losses"] == [pytest.approx(5 * math.log(2))]


def test_whole_numbers_with_a_point(client: httpx2.Client) -> None:
    """JSON does not tell 3 from 3.0, so indices may be written either way."""
    answer = ask(client, "/v1/score", logits=[[0, 0], [0, 0]], targets=[0.0, 3.0], ignore_index=3.0)
    assert answer["ignored"] == 1


def test_labels_change_nothing(client: httpx2.Client) -> None:
    """The labels of a series are taken and leave the answer alone."""
    request = batch("focal") | {"loss": "focal"}
    labels = {"model": "fraud", "version": "3"}
    assert ask(client, "/v1/score", **request, labels=labels) == ask(client, "/v1/score", **request)


def test_numbers_survive(client: httpx2.Client) -> None:
    """Numbers are read to the last bit and written to be read back as the same."""
    logits = [[0.1, -1e-300, 123456789.12345678], [5e-324, 1.7976931348623157e308, -1.7976931348623157e308]]
    answer = ask(client, "/v1/softmax", logits=logits)
    expected = engine.softmax(np.array(logits))
    assert np.array_equal(answer["log_sum_exp"], expected.log_sum_exp)
    assert np.array_equal(answer["probabilities"], expected.probabilities)


def test_divergence(client: httpx2.Client) -> None:
    """KL of (1/2, 1/2) from (1/4, 3/4) is 1 − log2(3)/2 bits; contributions come when asked for."""
    answer = ask(
        client, "/v1/divergence", p=[[0.5, 0.5]], q=[[0.25, 0.75]], unit="bits", include=["contributions"]
    )
    assert answer["kl_divergence"] == [pytest.approx(1 - math.log2(3) / 2, rel=1e-15)]
    assert answer["p_entropy"] == [1.0]
    assert sum(answer["contributions"][0]) == pytest.approx(answer["kl_divergence"][0])
    assert "contributions" not in ask(client, "/v1/divergence", p=[[0.5, 0.5]], q_logits=[[0, 1]])


def test_class_weights(client: httpx2.Client) -> None:
    """Balanced weights are scikit-learn's N / (C n_c)."""
    answer = ask(client, "/v1/class-weights", targets=[0, 1, 1, 1])
    assert answer == {"class_weights": [2.0, 2 / 3], "counts": [1.0, 3.0]}


def test_losses(client: httpx2.Client) -> None:
    """The catalogue has every loss in the registry's order, with the schema of every parameter."""
    losses = client.get("/v1/losses").json()["losses"]
    assert [loss["name"] for loss in losses] == list(LOSSES)
    focal = next(loss for loss in losses if loss["name"] == "focal")
    assert focal["parameters"]["gamma"]["minimum"] == 0
    assert focal["parameters"]["gamma"]["default"] == 2


@pytest.mark.parametrize("path", ["/v1/losses", "/health/live", "/health/ready", "/openapi.json"])
def test_head(client: httpx2.Client, path: str) -> None:
    """HEAD answers what GET answers, without the body."""
    response = client.head(path)
    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) == len(client.get(path).content)
    assert response.content == b""


def test_without_a_server() -> None:
    """The same function scores a document without HTTP, within the same limits."""
    document = decode(b'{"logits": [[0, 0, 0]], "targets": [1]}')
    assert scoring.answer(document, Settings())["loss"] == pytest.approx(math.log(3))
    with pytest.raises(TooLargeError):
        scoring.answer(document, Settings(max_elements=3))
    with pytest.raises(InvalidInputError) as refused:
        scoring.answer(document, Settings(max_classes=2))
    assert refused.value.problems[0].pointer == "/logits"
