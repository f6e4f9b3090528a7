"""The definitions by brute force, in fractions: pairs of rows, thresholds, bins and groups, one after the other."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.metrics.batches import DEGENERATE, Sample, ordinary, tied
from engine.metrics.observed import bin_of
from lossmeter.engine.metrics import METRICS, compute

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Binning

SAMPLES = {
    "ordinary": ordinary(),
    "weighted": ordinary().weighted(),
    "tied": tied(),
    "tied and weighted": tied().weighted(),
    "two classes": ordinary(50, 2),
    "two classes, tied and weighted": tied(50, 2).weighted(),
    "an absent class": DEGENERATE["an absent class"],
    "weights of 0": DEGENERATE["weights of 0"],
    "a certain miss": DEGENERATE["a certain miss"],
}

every_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def read(sample: Sample) -> tuple[list[list[Fraction]], list[int], list[Fraction]]:
    """Probabilities, truths and weights as fractions."""
    weights = np.ones(len(sample.targets)) if sample.weights is None else sample.weights
    rows = [[Fraction(float(value)) for value in row] for row in sample.probabilities]
    return rows, sample.targets.tolist(), [Fraction(float(weight)) for weight in weights]


def area(sample: Sample, c: int, others: set[int]) -> Fraction:
    """Of all pairs of a row of c and one of the others, the share in which that of c has the higher p_c."""
    p, truth, w = read(sample)
    own = [i for i, t in enumerate(truth) if t == c]
    rest = [i for i, t in enumerate(truth) if t in others]
    won = sum(
        (
            w[i] * w[j] * (Fraction(p[i][c] > p[j][c]) + Fraction(p[i][c] == p[j][c]) / 2)
            for i in own
            for j in rest
        ),
        Fraction(),
    )
    return won / (sum(w[i] for i in own) * sum(w[j] for j in rest))


def part(sample: Sample, name: str, which: str, binning: Binning = "equal_width") -> Any:  # noqa: ANN401  number or list
    """One part of one metric."""
    answer: Any = METRICS[name].compute(sample.evidence(binning))
    return answer[which]


@every_sample
def test_roc_auc(sample: Sample) -> None:
    """One-vs-rest and one-vs-one areas are the shares of pairs that are in order, ties half."""
    present = sorted(set(sample.targets.tolist()))
    for c, found in enumerate(part(sample, "roc_auc", "per_class")):
        if c not in present:
            assert math.isnan(found)
        else:
            assert found == pytest.approx(float(area(sample, c, set(present) - {c})), rel=1e-14)
    pairs = [float(area(sample, a, {b})) for a in present for b in present if a != b]
    assert part(sample, "roc_auc", "ovo_macro") == pytest.approx(np.mean(pairs), rel=1e-14)


@every_sample
def test_average_precision(sample: Sample) -> None:
    """Precision at every threshold, times the recall that it adds."""
    p, truth, w = read(sample)
    for c, found in enumerate(part(sample, "average_precision", "per_class")):
        own = sum(w[i] for i, t in enumerate(truth) if t == c)
        if not own:
            assert math.isnan(found)
            continue
        wanted, recall_before = Fraction(), Fraction()
        for threshold in sorted({row[c] for row in p}, reverse=True):
            above = [i for i, row in enumerate(p) if row[c] >= threshold]
            hits = sum((w[i] for i in above if truth[i] == c), Fraction())
            weight = sum(w[i] for i in above)
            if weight:
                wanted += (hits / own - recall_before) * hits / weight
                recall_before = hits / own
        assert found == pytest.approx(float(wanted), rel=1e-14)


@every_sample
def test_calibration_errors_of_equal_width(sample: Sample) -> None:
    """Bin by bin: the distance of the sum of confidences from the sum of hits."""
    p, truth, w = read(sample)
    bins: defaultdict[int, list[int]] = defaultdict(list)
    for i, row in enumerate(p):
        bins[bin_of(float(max(row)), 10)].append(i)
    whole = sum(w)
    gaps, shares = [], []
    for k in sorted(bins):
        weight = sum((w[i] for i in bins[k]), Fraction())
        if weight:
            hits = sum((w[i] for i in bins[k] if p[i].index(max(p[i])) == truth[i]), Fraction())
            gaps.append(abs(hits - sum(w[i] * max(p[i]) for i in bins[k])) / weight)
            shares.append(weight / whole)
    answers, _ = sample.metrics()
    expected = sum(gap * share for gap, share in zip(gaps, shares, strict=True))
    square = sum(gap**2 * share for gap, share in zip(gaps, shares, strict=True))
    assert answers["expected_calibration_error"] == pytest.approx(float(expected), abs=1e-14)
    assert answers["maximum_calibration_error"] == pytest.approx(float(max(gaps)), abs=1e-14)
    assert answers["root_mean_square_calibration_error"] == pytest.approx(math.sqrt(square), abs=1e-14)


@every_sample
def test_classwise_calibration_error(sample: Sample) -> None:
    """The same for every class's own probability."""
    p, truth, w = read(sample)
    for c, found in enumerate(part(sample, "classwise_calibration_error", "per_class")):
        gaps: defaultdict[int, Fraction] = defaultdict(Fraction)
        for i, row in enumerate(p):
            gaps[bin_of(float(row[c]), 10)] += w[i] * ((truth[i] == c) - row[c])
        assert found == pytest.approx(float(sum(map(abs, gaps.values())) / sum(w)), abs=1e-14)


@every_sample
def test_bins_of_equal_mass_hold_what_they_say(sample: Sample) -> None:
    """Every bin but the last reaches the next multiple of a tenth of the weight, and not without its last value."""
    p, _, w = read(sample)
    curve: Any = METRICS["reliability_curve"].compute(sample.evidence("equal_mass"))
    confidences = [float(max(row)) for row in p]
    for k in range(len(curve["upper"]) - 1):
        upper = curve["upper"][k]
        reached = (
            sum((w[i] for i, value in enumerate(confidences) if value <= upper), Fraction()) * 10 / sum(w)
        )
        below = sum((w[i] for i, value in enumerate(confidences) if value < upper), Fraction()) * 10 / sum(w)
        assert math.floor(reached) > below or below == 0 or math.ceil(below) <= math.floor(reached)
    assert curve["weight"].sum() == pytest.approx(float(sum(w)))
    assert (curve["lower"][1:] >= curve["upper"][:-1]).all()


def test_bins_of_equal_mass_of_distinct_values() -> None:
    """Sixty rows in ten bins: six each."""
    assert part(ordinary(60), "reliability_curve", "count", "equal_mass").tolist() == [6.0] * 10


def test_a_confidence_of_one_lies_in_the_last_bin() -> None:
    """Torchmetrics 1.9 keeps it in a bin of its own and says 0.525: here it counts with those above 0.9."""
    sample = Sample(np.array([[1.0, 0.0], [0.95, 0.05]]), np.array([0, 1]))
    answers, _ = sample.metrics()
    assert answers["expected_calibration_error"] == pytest.approx(0.475, rel=1e-15)
    assert part(sample, "reliability_curve", "count").tolist() == [2.0]
    assert part(sample, "reliability_curve", "upper").tolist() == [1.0]


def groups_of(sample: Sample) -> dict[tuple[int, int], list[int]]:
    """Rows by predicted class and bin."""
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    p, _, w = read(sample)
    for i, row in enumerate(p):
        if w[i]:
            found[row.index(max(row)), bin_of(float(max(row)), 10)].append(i)
    return found


def shares(w: list[Fraction], values: list[list[Fraction]]) -> list[Fraction]:
    """The weighted mean of rows."""
    return [
        sum(a * b for a, b in zip(w, column, strict=True)) / sum(w) for column in zip(*values, strict=True)
    ]


@every_sample
@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_decompositions(sample: Sample, name: str) -> None:
    """Each part by its definition, and together they are the loss."""
    p, truth, w = read(sample)
    classes = len(p[0])
    one_hot = [[Fraction(c == t) for c in range(classes)] for t in truth]
    base = shares(w, one_hot)

    def divergence(o: list[Fraction], f: list[Fraction]) -> float:
        if name == "brier":
            return float(sum((a - b) ** 2 for a, b in zip(o, f, strict=True)))
        seen = [(a, b) for a, b in zip(o, f, strict=True) if a]
        return math.fsum(float(a) * math.log(a / b) if b else math.inf for a, b in seen)

    miscalibration = discrimination = 0.0
    for rows in groups_of(sample).values():
        of_rows = [w[i] for i in rows]
        share = float(sum(of_rows) / sum(w))
        o = shares(of_rows, [one_hot[i] for i in rows])
        miscalibration += share * divergence(o, shares(of_rows, [p[i] for i in rows]))
        discrimination += share * divergence(o, base)
    uncertainty = (
        1 - float(sum(b * b for b in base))
        if name == "brier"
        else -math.fsum(float(b) * math.log(b) for b in base if b)
    )
    found: Any = METRICS[f"{name}_decomposition"].compute(sample.evidence())
    assert found["miscalibration"] == pytest.approx(miscalibration, abs=1e-14)
    assert found["discrimination"] == pytest.approx(discrimination, abs=1e-14)
    assert found["uncertainty"] == pytest.approx(uncertainty, abs=1e-14)
    loss = METRICS["brier_score" if name == "brier" else name].compute(sample.evidence())
    if math.isfinite(miscalibration):
        together = (
            found["miscalibration"] - found["discrimination"] + found["uncertainty"] + found["within_bin"]
        )
        assert together == pytest.approx(loss, abs=1e-14)


@every_sample
def test_decompositions_of_many_classes(sample: Sample) -> None:
    """Where the forecasts of the groups are not kept the rows say the same; without rows there is a reason."""
    evidence = sample.evidence()
    assert evidence.groups is not None
    bare = replace(evidence, groups=replace(evidence.groups, forecast=None))
    for name in ("log_loss_decomposition", "brier_decomposition"):
        wanted: Any = METRICS[name].compute(evidence)
        found: Any = METRICS[name].compute(bare)
        assert found == pytest.approx(wanted, abs=1e-14, nan_ok=True)
        assert METRICS[name].needs_rows("equal_width", 11)
        assert "every row" in compute(replace(bare, rows=None), [name])[1][name]


def test_a_group_that_is_surely_wrong_has_no_part_within() -> None:
    """Loss and miscalibration are both infinite; their difference is NaN, with the reason."""
    answers, undefined = compute(
        DEGENERATE["a group that is surely wrong"].evidence(), ["log_loss_decomposition"]
    )
    found: Any = answers["log_loss_decomposition"]
    assert found["miscalibration"] == math.inf
    assert math.isnan(found["within_bin"])
    assert undefined == {"log_loss_decomposition.within_bin": "loss and miscalibration are both infinite"}


def test_probabilities_below_what_the_sums_resolve() -> None:
    """A finite loss, but a forecast that was rounded to 0: no infinite miscalibration, a reason instead."""
    evidence = Sample(np.array([[1.0, 1e-300], [0.9, 0.1]]), np.array([1, 0])).evidence()
    assert evidence.groups is not None
    assert evidence.groups.forecast is not None
    rounded = np.asarray(np.round(evidence.groups.forecast, 9))
    coarse = replace(evidence, groups=replace(evidence.groups, forecast=rounded))
    answers, undefined = compute(coarse, ["log_loss_decomposition", "brier_decomposition"])
    assert list(answers) == ["brier_decomposition"]
    assert "resolve" in undefined["log_loss_decomposition"]


def test_decompositions_of_rows_that_do_not_quite_sum_to_one() -> None:
    """Rows within the tolerance are never renormalised; the parts are still ≥ 0 and add up."""
    sample = ordinary()
    off = Sample(sample.probabilities * (1 + 1e-6), sample.targets)
    for name, loss in (("log_loss_decomposition", "log_loss"), ("brier_decomposition", "brier_score")):
        found: Any = METRICS[name].compute(off.evidence())
        together = (
            found["miscalibration"] - found["discrimination"] + found["uncertainty"] + found["within_bin"]
        )
        assert together == pytest.approx(METRICS[loss].compute(off.evidence()), abs=1e-14)


def test_tiny_parts_keep_their_digits() -> None:
    """A rare class in a million: uncertainty and skill are right to the last digits."""
    weights = np.array([1e6, 1.0])
    sample = Sample(np.array([[0.999999, 0.000001], [0.999999, 0.000001]]), np.array([0, 1]), weights)
    b = 1e-6 / (1 + 1e-6)
    wanted = -b * math.log(b) - (1 - b) * math.log1p(-b)
    assert part(sample, "log_loss_decomposition", "uncertainty") == pytest.approx(wanted, rel=1e-14)
    skill: Any = METRICS["log_loss_skill"].compute(sample.evidence())
    assert skill == pytest.approx(1 - sample.evidence().log_loss / wanted, abs=1e-9)


@pytest.mark.parametrize("name", ["log_loss_skill", "brier_skill"])
def test_skill_in_a_window_of_one_class(name: str) -> None:
    """The base rate costs nothing: −∞ for any loss, 1 for none; and a series of ever rarer classes goes there."""
    imperfect = Sample(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 0]))
    perfect = Sample(np.array([[1.0, 0.0]]), np.array([0]))
    assert imperfect.metrics()[0][name] == -math.inf
    assert perfect.metrics()[0][name] == 1
    p = np.array([[0.9, 0.1], [0.1, 0.9]])
    series: list[Any] = [
        METRICS[name].compute(Sample(p, np.array([0, 1]), np.array([1.0, rare])).evidence())
        for rare in (1.0, 1e-2, 1e-4, 1e-8, 1e-16)
    ]
    assert series == sorted(series, reverse=True)
    assert series[-1] < -1e12


def test_skill_of_soft_truths() -> None:
    """The base rate as the forecast of every row has skill 0, the truth itself a Brier skill of 1."""
    soft = DEGENERATE["soft"]
    base = np.tile(soft.targets.mean(axis=0), (len(soft.targets), 1))
    for name in ("log_loss_skill", "brier_skill"):
        assert METRICS[name].compute(Sample(base, soft.targets).evidence()) == pytest.approx(0, abs=1e-13)
    assert METRICS["brier_skill"].compute(Sample(soft.targets, soft.targets).evidence()) == 1


def test_soft_truths_have_no_metrics_of_classes() -> None:
    """Log loss, Brier scores, skills and perplexity are defined; every other metric says why it is not."""
    answers, undefined = DEGENERATE["soft"].metrics()
    assert set(answers) == {
        "brier_score",
        "brier_skill",
        "half_brier_score",
        "log_loss",
        "log_loss_skill",
        "perplexity",
    }
    assert {why.split(",")[0] for why in undefined.values()} == {"it compares true classes"}


def test_a_state_answers_all_that_adds_up() -> None:
    """Without the rows the metrics that need them say so, and so do bins of equal mass."""
    needing = {name for name, metric in METRICS.items() if metric.needs_rows("equal_width", 4)}
    assert needing == {"average_precision", "classwise_calibration_error", "roc_auc"}
    _, undefined = compute(ordinary().evidence(kept=False))
    assert set(undefined) == needing
    _, undefined = compute(ordinary().evidence("equal_mass", kept=False))
    assert set(undefined) == {name for name, metric in METRICS.items() if metric.needs_rows("equal_mass", 4)}


def test_confusion_matrix_of_many_classes() -> None:
    """Beyond 256 classes only what is not 0."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 300, 20)
    sample = Sample(rng.dirichlet(np.ones(300), 20), targets)
    found: Any = compute(sample.evidence())[0]["confusion_matrix"]
    dense = np.zeros((300, 300))
    np.add.at(dense, (targets, sample.probabilities.argmax(axis=1)), 1)
    rebuilt = np.zeros((300, 300))
    rebuilt[found["truth"], found["predicted"]] = found["weight"]
    assert (rebuilt == dense).all()
    assert (found["weight"] > 0).all()
