"""Everything that the engine refuses: where it points, and how many offenders it counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lossmeter.engine import LOSSES, class_weights, divergence, score, softmax
from lossmeter.errors import ABSENT, InvalidInputError

if TYPE_CHECKING:
    from lossmeter.engine import Parameter

NAN, INF = float("nan"), float("inf")
ROWS = [[1.0, 0.0], [0.0, 1.0]]
HALVES = [[0.5, 0.5], [0.5, 0.5]]
LABELS = "binary_cross_entropy"

SCORE: list[tuple[str, dict[str, Any], list[str], int]] = [
    # the input: exactly one, of the right rank, of numbers
    ("no input", {"targets": [0]}, ["/logits"], 1),
    ("two inputs", {"logits": ROWS, "probabilities": HALVES, "targets": [0, 1]}, ["/probabilities"], 1),
    ("ragged", {"logits": [[1.0, 0.0], [1.0]], "targets": [0, 1]}, ["/logits"], 1),
    ("words", {"logits": [["a", "b"]], "targets": [0]}, ["/logits"], 1),
    ("booleans", {"logits": [[True, False]], "targets": [0]}, ["/logits"], 1),
    ("complex", {"logits": [[1j, 0]], "targets": [0]}, ["/logits"], 1),
    ("null", {"logits": [[None, 0.0]], "targets": [0]}, ["/logits"], 1),
    ("beyond 64 bits", {"logits": [[10**400, 0]], "targets": [0]}, ["/logits"], 1),
    ("a number", {"logits": 1.0, "targets": [0]}, ["/logits"], 1),
    ("a vector", {"logits": [1.0, 0.0], "targets": [0]}, ["/logits"], 1),
    ("rank 3", {"logits": [[[1.0]]], "targets": [0]}, ["/logits"], 1),
    ("rank 3 labels", {"logits": [[[1.0]]], "targets": [[[0]]], "loss": LABELS}, ["/logits"], 1),
    ("no rows", {"logits": [], "targets": []}, ["/logits"], 1),
    ("no row", {"logits": np.zeros((0, 3)), "targets": []}, ["/logits"], 1),
    ("no class", {"logits": [[], []], "targets": [0, 0]}, ["/logits"], 1),
    # logits
    ("NaN", {"logits": [[1.0, NAN], [NAN, 0.0]], "targets": [0, 1]}, ["/logits/0/1", "/logits/1/0"], 2),
    ("Infinity", {"logits": [[1.0, 0.0], [0.0, INF]], "targets": [0, 1]}, ["/logits/1/1"], 1),
    ("all masked", {"logits": [[0.0, 0.0], [-INF, -INF]], "targets": [0, 1]}, ["/logits/1"], 1),
    ("NaN label", {"logits": [0.0, NAN], "targets": [0, 1], "loss": LABELS}, ["/logits/1"], 1),
    ("Infinity label", {"logits": [[0.0, INF]], "targets": [[0, 1]], "loss": LABELS}, ["/logits/0/1"], 1),
    # probabilities
    ("below 0", {"probabilities": [[1.1, -0.1]], "targets": [0]}, ["/probabilities/0/0", "/probabilities/0/1"], 2),
    ("NaN share", {"probabilities": [[NAN, 1.0]], "targets": [0]}, ["/probabilities/0/0"], 1),
    ("sum", {"probabilities": [[0.5, 0.5], [0.5, 0.4]], "targets": [0, 1]}, ["/probabilities/1"], 1),
    ("no tolerance", {"probabilities": [[0.5, 0.5 - 1e-9]], "targets": [0], "tolerance": 0}, ["/probabilities/0"], 1),
    ("sum, soft", {"probabilities": [[0.5, 0.4]], "targets": [[0.5, 0.5]]}, ["/probabilities/0"], 1),
    ("above 1", {"probabilities": [1.5], "targets": [1], "loss": LABELS}, ["/probabilities/0"], 1),
    # log-probabilities
    ("positive", {"log_probabilities": [[0.5, -1.0]], "targets": [0]}, ["/log_probabilities/0/0"], 1),
    ("NaN log", {"log_probabilities": [[NAN, 0.0]], "targets": [0]}, ["/log_probabilities/0/0"], 1),
    ("sum of logs", {"log_probabilities": [[-0.7, -0.7], [-1.0, -1.0]], "targets": [0, 1], "tolerance": 0.1},
     ["/log_probabilities/1"], 1),
    ("all -Infinity", {"log_probabilities": [[-INF, -INF]], "targets": [0]}, ["/log_probabilities/0"], 1),
    ("a positive log", {"log_probabilities": [0.1], "targets": [1], "loss": LABELS}, ["/log_probabilities/0"], 1),
    # targets
    ("ragged targets", {"logits": ROWS, "targets": [[1], [0, 1]]}, ["/targets"], 1),
    ("ragged 0/1", {"logits": ROWS, "targets": [[1], [0, 1]], "loss": LABELS}, ["/targets"], 1),
    ("words as targets", {"logits": ROWS, "targets": ["cat", "dog"]}, ["/targets"], 1),
    ("booleans as targets", {"logits": ROWS, "targets": [True, False]}, ["/targets"], 1),
    ("a number as targets", {"logits": ROWS, "targets": 1}, ["/targets"], 1),
    ("null as targets", {"logits": ROWS, "targets": None}, ["/targets"], 1),
    ("rank 3 targets", {"logits": ROWS, "targets": [[[1]]]}, ["/targets"], 1),
    ("no targets", {"logits": ROWS, "targets": []}, ["/targets"], 1),
    ("too few", {"logits": ROWS, "targets": [0]}, ["/targets"], 1),
    ("too few rows", {"logits": ROWS, "targets": [[1, 0]]}, ["/targets"], 1),
    ("too many classes", {"logits": ROWS, "targets": [[1, 0, 0], [1, 0, 0]]}, ["/targets"], 1),
    ("no class index", {"logits": ROWS, "targets": [2, -1]}, ["/targets/0", "/targets/1"], 2),
    ("not whole", {"logits": ROWS, "targets": [0.5, 1]}, ["/targets/0"], 1),
    ("NaN target", {"logits": ROWS, "targets": [0, NAN]}, ["/targets/1"], 1),
    ("beyond 2**53", {"logits": ROWS, "targets": [0.0, 1e300]}, ["/targets/1"], 1),
    ("wraps in int64", {"logits": ROWS, "targets": np.array([0, 2**64 - 100], np.uint64), "ignore_index": -100},
     ["/targets/1"], 1),
    ("not the ignored index", {"logits": ROWS, "targets": [-100, -1], "ignore_index": -100}, ["/targets/1"], 1),
    ("a negative share", {"logits": ROWS, "targets": [[1, 0], [1.5, -0.5]]}, ["/targets/1/0", "/targets/1/1"], 2),
    ("NaN in a distribution", {"logits": ROWS, "targets": [[1, 0], [NAN, 1]]}, ["/targets/1/0"], 1),
    ("no distribution", {"logits": ROWS, "targets": [[1, 0], [0.5, 0.25]]}, ["/targets/1"], 1),
    ("two true classes", {"logits": ROWS, "targets": [[1, 1], [1, 0]]}, ["/targets/0"], 1),
    ("neither 0 nor 1", {"logits": [0.0, 0.0], "targets": [2, -1], "loss": LABELS}, ["/targets/0", "/targets/1"], 2),
    ("a label of 2", {"logits": ROWS, "targets": [[0, 2], [0, 1]], "loss": LABELS}, ["/targets/0/1"], 1),
    ("NaN truth", {"logits": [0.0], "targets": [NAN], "loss": LABELS}, ["/targets/0"], 1),
    ("another shape", {"logits": ROWS, "targets": [0, 1], "loss": LABELS}, ["/targets"], 1),
    # weights
    ("weights of classes", {"logits": ROWS, "targets": [0, 1], "class_weights": [1, 1, 1]}, ["/class_weights"], 1),
    ("weights of truths", {"logits": [0.0], "targets": [1], "loss": LABELS, "class_weights": [1]},
     ["/class_weights"], 1),
    ("weights of labels", {"logits": ROWS, "targets": ROWS, "loss": LABELS, "class_weights": [1]},
     ["/class_weights"], 1),
    ("a negative weight", {"logits": ROWS, "targets": [0, 1], "class_weights": [1, -1]}, ["/class_weights/1"], 1),
    ("an infinite weight", {"logits": ROWS, "targets": [0, 1], "class_weights": [INF, 1]}, ["/class_weights/0"], 1),
    ("a matrix of weights", {"logits": ROWS, "targets": [0, 1], "class_weights": [[1, 1]]}, ["/class_weights"], 1),
    ("an unknown scheme", {"logits": ROWS, "targets": [0, 1], "class_weights": "equal"}, ["/class_weights"], 1),
    ("a scheme object", {"logits": ROWS, "targets": [0, 1], "class_weights": {"scheme": "equal"}},
     ["/class_weights/scheme"], 1),
    ("beta", {"logits": ROWS, "targets": [0, 1], "class_weights": {"scheme": "effective_number", "beta": 1.0}},
     ["/class_weights/beta"], 1),
    ("a word as beta", {"logits": ROWS, "targets": [0, 1], "class_weights": {"scheme": "balanced", "beta": "1"}},
     ["/class_weights/beta"], 1),
    ("too little of a class", {"logits": np.zeros((1, 2), np.float32), "targets": [[1, 1e-40]],
                               "class_weights": "balanced"}, ["/targets"], 1),
    ("absent", {"logits": ROWS, "targets": [0, 1], "class_weights": {"scheme": "balanced", "absent": "one"}},
     ["/class_weights/absent"], 1),
    ("an unknown key", {"logits": ROWS, "targets": [0, 1], "class_weights": {"schema": "balanced"}},
     ["/class_weights"], 1),
    ("a class without example", {"logits": ROWS, "targets": [0, 0], "class_weights": "balanced"}, ["/targets"], 1),
    ("too few samples", {"logits": ROWS, "targets": [0, 1], "sample_weights": [1]}, ["/sample_weights"], 1),
    ("negative samples", {"logits": ROWS, "targets": [0, 1], "sample_weights": [-1, -2]},
     ["/sample_weights/0", "/sample_weights/1"], 2),
    ("a NaN sample", {"logits": ROWS, "targets": [0, 1], "sample_weights": [1, NAN]}, ["/sample_weights/1"], 1),
    ("beyond float32", {"logits": np.zeros((2, 2), np.float32), "targets": [0, 1], "sample_weights": [1, 1e39]},
     ["/sample_weights/1"], 1),
    ("an infinite sum", {"logits": ROWS, "targets": [0, 1], "sample_weights": [1.7e308, 1.7e308]},
     ["/sample_weights"], 1),
    ("an infinite product", {"logits": ROWS, "targets": [0, 1], "sample_weights": [1e200, 1],
                             "class_weights": [1e200, 1]}, ["/sample_weights"], 1),
    # options
    ("smoothing of 1", {"logits": ROWS, "targets": [0, 1], "label_smoothing": 1.0}, ["/label_smoothing"], 1),
    ("negative smoothing", {"logits": ROWS, "targets": [0, 1], "label_smoothing": -0.1}, ["/label_smoothing"], 1),
    ("NaN smoothing", {"logits": ROWS, "targets": [0, 1], "label_smoothing": NAN}, ["/label_smoothing"], 1),
    ("frozen", {"logits": ROWS, "targets": [0, 1], "temperature": 0.0}, ["/temperature"], 1),
    ("below zero", {"logits": ROWS, "targets": [0, 1], "temperature": -1.0}, ["/temperature"], 1),
    ("infinitely hot", {"logits": ROWS, "targets": [0, 1], "temperature": INF}, ["/temperature"], 1),
    ("colder than float32", {"logits": np.zeros((1, 2), np.float32), "targets": [0], "temperature": 1e-50},
     ["/temperature"], 1),
    ("a word as temperature", {"logits": ROWS, "targets": [0, 1], "temperature": "2"}, ["/temperature"], 1),
    ("temperatures", {"logits": ROWS, "targets": [0, 1], "temperature": np.ones(2)}, ["/temperature"], 1),
    ("no smoothing", {"logits": ROWS, "targets": [0, 1], "label_smoothing": None}, ["/label_smoothing"], 1),
    ("a true epsilon", {"logits": ROWS, "targets": [0, 1], "epsilon": True}, ["/epsilon"], 1),
    ("a word as tolerance", {"logits": ROWS, "targets": [0, 1], "tolerance": "1"}, ["/tolerance"], 1),
    ("temperature of p", {"probabilities": HALVES, "targets": [0, 1], "temperature": 2.0}, ["/temperature"], 1),
    ("a reduction", {"logits": ROWS, "targets": [0, 1], "reduction": "average"}, ["/reduction"], 1),
    ("a normalization", {"logits": ROWS, "targets": [0, 1], "normalization": "n"}, ["/normalization"], 1),
    ("a unit", {"logits": ROWS, "targets": [0, 1], "unit": "bans"}, ["/unit"], 1),
    ("epsilon of a half", {"logits": ROWS, "targets": [0, 1], "epsilon": 0.5}, ["/epsilon"], 1),
    ("negative epsilon", {"logits": ROWS, "targets": [0, 1], "epsilon": -1e-9}, ["/epsilon"], 1),
    ("tolerance", {"logits": ROWS, "targets": [0, 1], "tolerance": -1e-9}, ["/tolerance"], 1),
    ("a part", {"logits": ROWS, "targets": [0, 1], "include": ("losses", "loss")}, ["/include/1"], 1),
    ("a part alone", {"logits": ROWS, "targets": [0, 1], "include": "kl"}, ["/include"], 1),
    ("half an index", {"logits": ROWS, "targets": [0, 1], "ignore_index": 0.5}, ["/ignore_index"], 1),
    ("a word as index", {"logits": ROWS, "targets": [0, 1], "ignore_index": "0"}, ["/ignore_index"], 1),
    ("indices to ignore", {"logits": ROWS, "targets": [0, 1], "ignore_index": [0, 1]}, ["/ignore_index"], 1),
    ("a true index", {"logits": ROWS, "targets": [0, 1], "ignore_index": True}, ["/ignore_index"], 1),
    ("ignored distributions", {"logits": ROWS, "targets": ROWS, "ignore_index": 0}, ["/ignore_index"], 1),
    ("ignored labels", {"logits": ROWS, "targets": ROWS, "loss": LABELS, "ignore_index": 0}, ["/ignore_index"], 1),
    # losses
    ("an unknown loss", {"logits": ROWS, "targets": [0, 1], "loss": "hinge"}, ["/loss"], 1),
    ("an unknown name", {"logits": ROWS, "targets": [0, 1], "loss": {"name": "hinge"}}, ["/loss/name"], 1),
    ("no loss", {"logits": ROWS, "targets": [0, 1], "loss": None}, ["/loss"], 1),
    ("a class of losses", {"logits": ROWS, "targets": [0, 1], "loss": LOSSES["focal"]}, ["/loss"], 1),
    ("no name", {"logits": ROWS, "targets": [0, 1], "loss": {"gamma": 2}}, ["/loss/name"], 1),
    ("a name that is none", {"logits": ROWS, "targets": [0, 1], "loss": {"name": ["focal"]}}, ["/loss/name"], 1),
    ("an unknown parameter", {"logits": ROWS, "targets": [0, 1], "loss": {"name": "focal", "delta": 2}},
     ["/loss/delta"], 1),
    ("null for a number", {"logits": ROWS, "targets": [0, 1], "loss": {"name": "focal", "gamma": None}},
     ["/loss/gamma"], 1),
    ("alpha of classes", {"logits": ROWS, "targets": [0, 1], "loss": {"name": "focal", "alpha": [1, 1, 1]}},
     ["/loss/alpha"], 1),
    ("one alpha", {"logits": ROWS, "targets": [0, 1], "loss": {"name": "focal", "alpha": 0.25}}, ["/loss/alpha"], 1),
    ("ragged alphas", {"logits": ROWS, "targets": [0, 1], "loss": {"name": "focal", "alpha": [[1], [1, 2]]}},
     ["/loss/alpha"], 1),
    ("negative alphas", {"logits": ROWS, "targets": [0, 1], "loss": {"name": "focal", "alpha": [1, -1]}},
     ["/loss/alpha/1"], 1),
    ("pos_weight of labels", {"logits": ROWS, "targets": ROWS, "loss": {"name": LABELS, "pos_weight": [1, 1, 1]}},
     ["/loss/pos_weight"], 1),
    ("beyond float32, too", {"logits": np.zeros((1, 2), np.float32), "targets": [0],
                             "loss": {"name": "generalized_cross_entropy", "q": 1e-50}}, ["/loss/q"], 1),
]  # fmt: skip


def pointers(error: InvalidInputError) -> list[str]:
    """Where an error points."""
    return [problem.pointer for problem in error.problems]


@pytest.mark.parametrize(
    ("said", "expected", "count"), [row[1:] for row in SCORE], ids=[row[0] for row in SCORE]
)
def test_score_refuses(said: dict[str, Any], expected: list[str], count: int) -> None:
    """The error names the field and the element, counts the offenders, and says what is wanted."""
    with pytest.raises(InvalidInputError) as caught:
        score(**said)
    assert pointers(caught.value) == expected
    assert caught.value.count == count
    for problem in caught.value.problems:
        assert problem.detail
        assert len(problem.detail) < 200


def out_of_range(about: Parameter) -> list[Any]:
    """Words, matrices, nothing, what is not finite, and what lies beyond either end."""
    beyond = [about.minimum - 1e-6, about.maximum + 1e-6]
    ends = [about.minimum] * about.exclusive_minimum + [about.maximum] * about.exclusive_maximum
    return ["2", [[1.0]], [], NAN, INF, -INF, *(each for each in beyond + ends if math.isfinite(each))]


RANGES = [
    (loss.name, about.name, value)
    for loss in LOSSES.values()
    for about in loss.parameters().values()
    for value in out_of_range(about)
]


@pytest.mark.parametrize(("loss", "name", "value"), RANGES, ids=str)
def test_parameters_out_of_range(loss: str, name: str, value: Any) -> None:  # noqa: ANN401  anything that is wrong
    """Every parameter of every loss refuses words, matrices, what is not finite and what is out of its range."""
    about = LOSSES[loss].parameters()[name]
    wrong = [1.0, value] if about.vector and not about.scalar and isinstance(value, float) else value
    with pytest.raises(InvalidInputError) as caught:
        score(logits=[[0.0, 0.0]], targets=[[1, 0]], loss={"name": loss, name: wrong})
    assert pointers(caught.value)[0].startswith(f"/loss/{name}")


@pytest.mark.parametrize("form", ["logits", "probabilities", "log_probabilities"])
def test_at_most_twenty_offenders_are_named(form: str) -> None:
    """The first 20 in order, the number of all, and the values that were sent."""
    said: dict[str, Any] = {form: np.full((3000, 2), NAN), "targets": np.zeros(3000, int)}
    with pytest.raises(InvalidInputError) as caught:
        score(**said)
    assert caught.value.count == 6000
    assert pointers(caught.value) == [f"/{form}/{i // 2}/{i % 2}" for i in range(20)]
    assert {str(problem.value) for problem in caught.value.problems} == {"nan"}
    assert str(caught.value).endswith("(5999 more)")


def test_a_row_has_no_value() -> None:
    """A problem of a whole row shows no value; one of an element shows it as sent."""
    with pytest.raises(InvalidInputError) as caught:
        score(probabilities=[[0.5, 0.4]], targets=[0])
    assert caught.value.problems[0].value is ABSENT
    with pytest.raises(InvalidInputError) as caught:
        score(logits=ROWS, targets=[0, 7])
    assert caught.value.problems[0].value == 7


def test_only_rows_beyond_the_tolerance_are_blamed() -> None:
    """A row that is right but for rounding is not counted beside one that is wrong, even at tolerance 0."""
    p = np.array([[0.1] * 10, [0.3, 0.7] + [0.0] * 8, [0.2] * 10])
    targets = [1, 1, 1]
    for form, values in (("probabilities", p), ("log_probabilities", np.log(np.maximum(p, 1e-320)))):
        said: dict[str, Any] = {form: values, "targets": targets, "tolerance": 0.0}
        with pytest.raises(InvalidInputError) as caught:
            score(**said)
        assert pointers(caught.value) == [f"/{form}/2"]


def test_ignored_rows_may_hold_anything() -> None:
    """What is ignored is not judged; what is not, is."""
    rows = [[NAN, INF], [0.5, 0.5]]
    for form in ("logits", "probabilities"):
        said: dict[str, Any] = {form: rows, "ignore_index": 9}
        assert score(**said, targets=[9, 1]).ignored == 1
        with pytest.raises(InvalidInputError) as caught:
            score(**said, targets=[0, 9])
        assert pointers(caught.value) == [f"/{form}/0/0", f"/{form}/0/1"]


def test_an_offender_in_any_block_is_found() -> None:
    """A NaN deep in a batch of many blocks, worked on by several threads, is named like one in the first row."""
    rows = np.zeros((300_000, 2))
    rows[271_828, 1] = NAN
    for loss in ("cross_entropy", "squared_error"):
        with pytest.raises(InvalidInputError) as caught:
            score(logits=rows, targets=np.zeros(300_000, int), loss=loss, threads=2)
        assert pointers(caught.value) == ["/logits/271828/1"]


SOFTMAX: list[tuple[dict[str, Any], str]] = [
    ({"logits": [[NAN, 0.0]]}, "/logits/0/0"),
    ({"logits": [[INF, 0.0]]}, "/logits/0/0"),
    ({"logits": [[-INF, -INF]]}, "/logits/0"),
    ({"logits": [1.0, 2.0]}, "/logits"),
    ({"logits": []}, "/logits"),
    ({"logits": ROWS, "temperature": 0.0}, "/temperature"),
    ({"logits": ROWS, "temperature": NAN}, "/temperature"),
    ({"logits": ROWS, "temperature": "1"}, "/temperature"),
]


@pytest.mark.parametrize(("said", "pointer"), SOFTMAX, ids=str)
def test_softmax_refuses(said: dict[str, Any], pointer: str) -> None:
    """Softmax names the element, the row or the field."""
    with pytest.raises(InvalidInputError) as caught:
        softmax(**said)
    assert pointers(caught.value) == [pointer]


DIVERGENCE: list[tuple[dict[str, Any], list[str]]] = [
    ({"p": HALVES}, ["/q"]),
    ({"q": HALVES}, ["/p"]),
    ({"p": HALVES, "p_logits": ROWS, "q": HALVES}, ["/p"]),
    ({"p": HALVES, "q": HALVES, "q_logits": ROWS}, ["/q"]),
    ({"p": HALVES, "q": [[0.5, 0.5]]}, ["/q"]),
    ({"p": HALVES, "q_logits": [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]}, ["/q_logits"]),
    ({"p": [[0.5, 0.6], [0.5, 0.5]], "q": HALVES}, ["/p/0"]),
    ({"p": HALVES, "q": [[0.5, 0.5], [-0.5, 1.5]]}, ["/q/1/0", "/q/1/1"]),
    ({"p_logits": [[NAN, 0.0]], "q": [[0.5, 0.5]]}, ["/p_logits/0/0"]),
    ({"p": [[0.5, 0.5]], "q_logits": [[0.0, INF]]}, ["/q_logits/0/1"]),
    ({"p": [0.5, 0.5], "q": [0.5, 0.5]}, ["/p"]),
    ({"p": HALVES, "q": HALVES, "unit": "dits"}, ["/unit"]),
    ({"p": HALVES, "q": HALVES, "tolerance": 1.0}, ["/tolerance"]),
    ({"p": HALVES, "q": HALVES, "tolerance": None}, ["/tolerance"]),
    ({"p": HALVES, "q": HALVES, "include": ["kl"]}, ["/include/0"]),
    ({"p": HALVES, "q": HALVES, "include": "contributions"}, ["/include"]),
]


@pytest.mark.parametrize(("said", "expected"), DIVERGENCE, ids=str)
def test_divergence_refuses(said: dict[str, Any], expected: list[str]) -> None:
    """Divergence names the side under the name by which it was sent."""
    with pytest.raises(InvalidInputError) as caught:
        divergence(**said)
    assert pointers(caught.value) == expected


CLASS_WEIGHTS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["/targets"]),
    ({"targets": [0], "counts": [1]}, ["/targets"]),
    ({"targets": [0, 1], "scheme": "sqrt"}, ["/scheme"]),
    ({"targets": [0, 1], "absent": "skip"}, ["/absent"]),
    ({"targets": [0, 1], "beta": 1.0}, ["/beta"]),
    ({"targets": [0, 1], "beta": -0.1}, ["/beta"]),
    ({"targets": [0, 1], "beta": "0"}, ["/beta"]),
    ({"targets": [0, 1], "classes": 0}, ["/classes"]),
    ({"targets": [0, 1], "classes": 2.5}, ["/classes"]),
    ({"targets": [0, 1], "ignore_index": "0"}, ["/ignore_index"]),
    ({"counts": [[1], [1, 2]]}, ["/counts"]),
    ({"counts": [5e-324, 1]}, ["/counts"]),
    ({"counts": [5e-324, 1], "scheme": "effective_number"}, ["/counts"]),
    ({"targets": [0, 2]}, ["/targets"]),
    ({"counts": [3, 0]}, ["/counts"]),
    ({"counts": [0, 0], "absent": "zero"}, ["/counts"]),
    ({"counts": [1, -1]}, ["/counts/1"]),
    ({"counts": [1, INF]}, ["/counts/1"]),
    ({"counts": [1, 2], "classes": 3}, ["/counts"]),
    ({"counts": [[1, 2]]}, ["/counts"]),
    ({"counts": []}, ["/counts"]),
    ({"targets": []}, ["/targets"]),
    ({"targets": [[1], [0, 1]]}, ["/targets"]),
    ({"targets": [[[1]]]}, ["/targets"]),
    ({"targets": [0.5]}, ["/targets/0"]),
    ({"targets": [-1, 0]}, ["/targets/0"]),
    ({"targets": [1 << 20]}, ["/targets/0"]),
    ({"targets": [0, 2], "classes": 2}, ["/targets/1"]),
    ({"targets": [[0.5, 1.5]]}, ["/targets/0/1"]),
    ({"targets": [[0.5, 0.5]], "classes": 3}, ["/targets"]),
    ({"targets": [7, 7], "ignore_index": 7}, ["/targets"]),
]


@pytest.mark.parametrize(("said", "expected"), CLASS_WEIGHTS, ids=str)
def test_class_weights_refuse(said: dict[str, Any], expected: list[str]) -> None:
    """Class weights name the field, the count or the target."""
    with pytest.raises(InvalidInputError) as caught:
        class_weights(**said)
    assert pointers(caught.value) == expected
