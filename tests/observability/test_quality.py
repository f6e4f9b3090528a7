"""What is counted of a batch is what its answer says, however little of it was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lossmeter import engine
from lossmeter.engine import LOSSES
from lossmeter.observability.catalogue import NATS
from lossmeter.observability.meter import Meter
from lossmeter.settings import Settings


def exported(meter: Meter) -> dict[str, float]:
    """The samples of the one series of quality, by name; buckets by their upper end."""
    text = meter.exposed("")[0].decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "model" in sample.labels:
                key = sample.name + (f" {sample.labels['le']}" if "le" in sample.labels else "")
                assert key not in found
                found[key] = sample.value
    return found


def batch(name: str, *, soft: bool) -> dict[str, Any]:
    """A batch that the loss takes, with every kind of weight."""
    random = np.random.default_rng(7)
    loss = LOSSES[name]
    logits = random.normal(size=60 if loss.binary else (60, 3)) * 4
    if loss.binary:
        targets: Any = random.integers(0, 2, 60)
    elif soft:
        targets = random.dirichlet([1, 1, 1], 60)
    else:
        targets = random.integers(0, 3, 60)
        targets[5:9] = -100
        logits[5:9] = np.nan
    return {
        "logits": logits,
        "targets": targets,
        "loss": {"name": name},
        "sample_weights": random.uniform(0, 2, 60),
        "class_weights": np.array([1.0, 3.0] if loss.binary else [1.0, 3.0, 0.5]),
        **({} if soft or loss.binary else {"ignore_index": -100}),
    }


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("soft", [False, True], ids=["classes", "soft"])
def test_counts_are_those_of_the_answer(name: str, *, soft: bool) -> None:
    """Sums of losses, KL and gradient norms in nats, whatever unit, reduction and parts were asked for."""
    sent = batch(name, soft=soft)
    plain = engine.score(**sent, reduction="none", include=("losses", "gradients", "kl"))
    assert plain.losses is not None
    assert plain.gradients is not None
    assert plain.kl is not None
    finite = np.isfinite(plain.losses)
    kl = plain.kl.kl_divergence[np.isfinite(plain.kl.kl_divergence)]
    for unit in ("nats", "bits"):
        for reduction in ("mean", "sum", "none"):
            meter = Meter(Settings())
            meter.score({**sent, "unit": unit, "reduction": reduction}, {"model": "m"})
            found = exported(meter)
            assert found["lossmeter_rows_scored_total"] == plain.count
            assert found["lossmeter_rows_ignored_total"] == plain.ignored
            assert found["lossmeter_losses_not_finite_total"] == 60 - np.count_nonzero(finite)
            assert found["lossmeter_loss_nats_total"] == pytest.approx(plain.losses[finite].sum())
            assert found["lossmeter_row_loss_nats_sum"] == pytest.approx(plain.losses[finite].sum())
            assert found["lossmeter_kl_nats_total"] == pytest.approx(kl.sum())
            norms = np.sqrt(np.sum(plain.gradients.reshape(60, -1) ** 2, axis=1))
            assert found["lossmeter_gradient_norm_total"] == pytest.approx(norms[np.isfinite(norms)].sum())
            assert found["lossmeter_gradient_rows_total"] == plain.count - np.count_nonzero(
                ~np.isfinite(norms)
            )
            if finite.all():
                assert found["lossmeter_loss_weight_total"] == pytest.approx(plain.denominator)
            losses = plain.losses if plain.ignored == 0 else plain.losses[np.asarray(sent["targets"]) != -100]
            for bound in NATS:
                assert found[f"lossmeter_row_loss_nats_bucket {bound}"] == np.count_nonzero(losses <= bound)
            assert found["lossmeter_row_loss_nats_bucket +Inf"] == plain.count


def test_infinite_losses_do_not_spoil_the_sum() -> None:
    """They are counted, and neither their loss nor their weight is in the mean, with class weights as well."""
    sent: dict[str, Any] = {
        "probabilities": np.array([[1.0, 0, 0], [0.2, 0.3, 0.5], [0, 0.5, 0.5], [0.1, 0.1, 0.8]]),
        "targets": np.array([1, 0, 0, 2]),
        "sample_weights": np.array([2.0, 3.0, 4.0, 5.0]),
        "class_weights": "balanced",
    }
    meter = Meter(Settings())
    scores = meter.score({**sent, "include": ()}, {"model": "m"})
    assert scores.loss == np.inf
    assert scores.losses is None
    assert scores.class_weights is not None
    found = exported(meter)
    good: dict[str, Any] = {
        name: value[[1, 3]] if isinstance(value, np.ndarray) else value for name, value in sent.items()
    }
    alone = engine.score(**{**good, "class_weights": scores.class_weights}, reduction="sum")
    assert found["lossmeter_losses_not_finite_total"] == 2
    assert found["lossmeter_loss_nats_total"] == pytest.approx(alone.loss)
    assert found["lossmeter_loss_weight_total"] == pytest.approx(alone.denominator)
    assert found["lossmeter_gradient_rows_total"] == found["lossmeter_kl_rows_total"] == 0


def test_what_was_not_asked_for_is_not_computed() -> None:
    """Without gradients or kl their rows stay 0; without labels predictions are not looked at."""
    meter = Meter(Settings())
    sent = {"logits": np.eye(3), "targets": np.arange(3)}
    assert meter.score({**sent, "include": ()}).losses is None
    found = exported(meter)
    assert found["lossmeter_loss_weight_total"] == 3
    names = ("gradient", "kl", "confidence", "classified")
    assert all(found[f"lossmeter_{name}_rows_total"] == 0 for name in names)
    meter.score({**sent, "loss": "binary_cross_entropy", "targets": np.eye(3)}, {"model": "labels"})


def test_more_series_than_are_wanted_are_one() -> None:
    """What comes beyond the cap is counted under other, what is not in the list is passed over."""
    meter = Meter(Settings(metric_series=2, metric_labels=("model",)))
    for model in ("a", "b", "c", "d", "a", "b\ud800\n" + "x" * 200):
        meter.score({"logits": np.eye(2), "targets": np.arange(2)}, {"model": model, "user": "17"})
    text = meter.exposed("")[0].decode()
    rows = [line for line in text.splitlines() if line.startswith("lossmeter_rows_scored_total")]
    assert rows == [
        'lossmeter_rows_scored_total{loss="cross_entropy",model="a"} 4.0',
        'lossmeter_rows_scored_total{loss="cross_entropy",model="b"} 2.0',
        'lossmeter_rows_scored_total{loss="cross_entropy",model="other"} 6.0',
    ]


def test_values_of_labels_fit_a_line() -> None:
    """Control characters, lone surrogates and novels do not reach the text."""
    meter = Meter(Settings(metric_labels=("model",)))
    meter.score({"logits": np.eye(2), "targets": np.arange(2)}, {"model": 'é"\\\ud800\n\x00' + "x" * 200})
    (family,) = [
        family
        for family in text_string_to_metric_families(meter.exposed("")[0].decode())
        if family.name == "lossmeter_rows_scored"
    ]
    assert family.samples[0].labels["model"] == 'é"\\___' + "x" * 58
