"""The contract's refusals, as one table: what is sent, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.refusals import Case, check, scored

if TYPE_CHECKING:
    import httpx2


def logits(text: str, targets: str = "[0, 1]") -> str:
    """A request whose logits are written as in this text."""
    return f'{{"logits": {text}, "targets": {targets}}}'


MALFORMED = [
    Case("nothing", b"", 400, says="empty"),
    Case("no JSON", "logits=1", 400),
    Case("half a document", '{"logits": [[1, 2', 400),
    Case("something after the document", '{"targets": [0]} x', 400),
    Case("a trailing comma", logits("[[1, 2,], [0, 0]]"), 400),
    Case("a bare NaN", logits("[[1, NaN], [0, 0]]"), 400),
    Case("a bare Infinity", logits("[[1, -Infinity], [0, 0]]"), 400),
    Case("leading zeros", logits("[[01, 2], [0, 0]]"), 400),
    Case("no UTF-8", b'{"logits": [[1, 2]], "targets": [0], "loss": "\xff"}', 400),
    Case("UTF-16", '{"targets": [0]}'.encode("utf-16"), 400),
    Case("65 levels", '{"logits": ' + "[" * 65 + "1" + "]" * 65 + "}", 400, says="64"),
    Case("100 000 levels", "[" * 100_000, 400),
]
ARRAYS = [
    Case("ragged rows", logits("[[1, 2], [1, 2, 3]]"), pointers=("/logits/1",)),
    Case(
        "ragged rows whose total fits",
        logits("[[1, 2], [1], [1, 2, 3]]", "[0, 0, 0]"),
        pointers=("/logits/1", "/logits/2"),
    ),
    Case("a string", logits('[[1, "2"], [0, 0]]'), pointers=("/logits/0/1",)),
    Case("a misspelt infinity", logits('[[1, "-inf"], [0, 0]]'), pointers=("/logits/0/1",)),
    Case("booleans", logits("[[1, true], [false, 0]]"), pointers=("/logits/0/1", "/logits/1/0"), count=2),
    Case("null in a row", logits("[[1, null], [0, 0]]"), pointers=("/logits/0/1",)),
    Case("an object in a row", logits("[[1, {}], [0, 0]]"), pointers=("/logits/0/1",)),
    Case("deeper than a matrix", logits("[[[1, 2]], [[0, 0]]]"), pointers=("/logits/0", "/logits/1")),
    Case("an empty batch", logits("[]", "[]"), pointers=("/logits", "/targets")),
    Case("empty rows", logits("[[], []]"), pointers=("/logits",)),
    Case("a number for an array", logits("1"), pointers=("/logits",)),
    Case("a string for an array", logits('"[[1, 2]]"'), pointers=("/logits",)),
    Case("an object for an array", logits("{}"), pointers=("/logits",)),
    Case(
        "a number beyond doubles", logits("[[1, 1e400], [0, 0]]"), pointers=("/logits/0/1",), says="too large"
    ),
    Case("a negative number beyond doubles", logits("[[1, -1e400], [0, 0]]"), pointers=("/logits/0/1",)),
    Case("an integer of 400 digits", logits(f"[[1, {'9' * 400}], [0, 0]]"), pointers=("/logits/0/1",)),
    Case("NaN logits", scored(logits=[[1, "NaN"], [0, 0]]), pointers=("/logits/0/1",)),
    Case("infinite logits", scored(logits=[[1, 2], ["Infinity", 0]]), pointers=("/logits/1/0",)),
    Case(
        "more classes than max_classes",
        {"logits": [[0] * 262_145], "targets": [0]},
        pointers=("/logits",),
        says="262144",
    ),
    Case(
        "30 offenders",
        scored(logits=[["x"] * 30, [0] * 30]),
        pointers=tuple(f"/logits/0/{c}" for c in range(20)),
        count=30,
    ),
]
FIELDS = [
    Case("no object", [1], pointers=("",)),
    Case("nothing in it", {}, pointers=("", "/targets")),
    Case("no targets", {"logits": [[1, 2]]}, pointers=("/targets",), says="required"),
    Case("no input", {"targets": [0]}, pointers=("",), says="exactly one of logits"),
    Case("two inputs", scored(probabilities=[[0.5, 0.5]] * 2), pointers=("/probabilities",)),
    Case("an unknown field", scored(los="focal"), pointers=("/los",), says="did you mean loss?"),
    Case("a field with a slash", scored(**{"a/b~c": 1}), pointers=("/a~1b~0c",)),
    Case("null for a field", scored(class_weights=None), pointers=("/class_weights",), says="leave"),
    Case("null for targets", scored(targets=None), pointers=("/targets",)),
    Case("duplicate keys", '{"logits": [[1, 2]], "targets": [0], "targets": [1]}', pointers=("/targets",)),
    Case(
        "a key twice, once escaped",
        '{"logits": [[1, 2]], "targets": [0], "t\\u0061rgets": [1]}',
        pointers=("/targets",),
    ),
    Case(
        "duplicate keys inside",
        '{"logits":[[1,2]],"targets":[0],"loss":{"name":"focal","gamma":1,"gamma":2}}',
        pointers=("/loss/gamma",),
    ),
    Case("an unknown unit", scored(unit="bit"), pointers=("/unit",), says="did you mean bits?"),
    Case("a number as a string", scored(temperature="2"), pointers=("/temperature",)),
    Case("a boolean for a number", scored(temperature=True), pointers=("/temperature",)),
    Case("an array for a number", scored(temperature=[1]), pointers=("/temperature",)),
    Case("an infinite temperature", scored(temperature="Infinity"), pointers=("/temperature",)),
    Case(
        "a temperature beyond doubles",
        '{"logits": [[1, 2]], "targets": [0], "temperature": 1e400}',
        pointers=("/temperature",),
        says="too large",
    ),
    Case("temperature 0", scored(temperature=0), pointers=("/temperature",)),
    Case("smoothing 1", scored(label_smoothing=1), pointers=("/label_smoothing",)),
    Case("a negative smoothing", scored(label_smoothing=-0.1), pointers=("/label_smoothing",)),
    Case("epsilon a half", scored(epsilon=0.5), pointers=("/epsilon",)),
    Case("a negative tolerance", scored(tolerance=-1), pointers=("/tolerance",)),
    Case("half an index", scored(ignore_index=0.5), pointers=("/ignore_index",)),
    Case("an unknown part", scored(include=["losses", "loses"]), pointers=("/include/1",)),
    Case("parts that are no names", scored(include=[1, 2]), pointers=("/include/0", "/include/1")),
    Case("parts that are no array", scored(include="losses"), pointers=("/include",)),
    Case("an unknown reduction", scored(reduction="avg"), pointers=("/reduction",)),
    Case("an unknown normalization", scored(normalization=1), pointers=("/normalization",)),
    Case("labels that are no strings", scored(labels={"model": 3}), pointers=("/labels/model",)),
    Case("long labels", scored(labels={"model": "x" * 1000}), pointers=("/labels/model",)),
    Case("labels that are no object", scored(labels=["model"]), pointers=("/labels",)),
    Case("a label without a name", scored(labels={"": "x"}), pointers=("/labels",)),
    Case("many labels", scored(labels={str(n): "" for n in range(17)}), pointers=("/labels",)),
    Case("several things at once", scored(unit=1, los=2, loss="focl"), pointers=("/los", "/loss", "/unit")),
]
LOSSES = [
    Case("an unknown loss", scored(loss="focl"), pointers=("/loss",), says="did you mean focal?"),
    Case("an unknown loss object", scored(loss={"name": "focl"}), pointers=("/loss/name",)),
    Case("a loss without name", scored(loss={"gamma": 1}), pointers=("/loss/name",)),
    Case("a loss that is a number", scored(loss=1), pointers=("/loss",)),
    Case("a loss named by an array", scored(loss={"name": [1]}), pointers=("/loss/name",)),
    Case(
        "another loss's parameter",
        scored(loss={"name": "cross_entropy", "gamma": 1}),
        pointers=("/loss/gamma",),
    ),
    Case(
        "a field named like the loss", scored(loss={"name": "focal", "focal": 1}), pointers=("/loss/focal",)
    ),
    Case(
        "a parameter that is a string",
        scored(loss={"name": "focal", "gamma": "2"}),
        pointers=("/loss/gamma",),
    ),
    Case(
        "a parameter that is null", scored(loss={"name": "focal", "gamma": None}), pointers=("/loss/gamma",)
    ),
    Case(
        "one number for one per class",
        scored(loss={"name": "focal", "alpha": 0.5}),
        pointers=("/loss/alpha",),
        says="is a single number",
    ),
    Case(
        "a string for a number or one per label",
        scored(loss={"name": "binary_cross_entropy", "pos_weight": "3"}),
        pointers=("/loss/pos_weight",),
        says="must be a number, or an array",
    ),
    Case("a negative gamma", scored(loss={"name": "focal", "gamma": -1}), pointers=("/loss/gamma",)),
    Case("an unknown scheme", scored(class_weights={"scheme": "fair"}), pointers=("/class_weights/scheme",)),
    Case(
        "a scheme's unknown field",
        scored(class_weights={"scheme": "balanced", "x": 1}),
        pointers=("/class_weights/x",),
    ),
    Case("unknown weights", scored(class_weights="balance"), pointers=("/class_weights",), says="balanced"),
    Case("weights of rank 2", scored(class_weights=[[1, 2]]), pointers=("/class_weights",)),
    Case("a wrong weight", scored(class_weights=[1, "x"]), pointers=("/class_weights/1",)),
]
VALUES = [
    Case(
        "NaN among the scores of single labels",
        {"logits": [1, "NaN"], "targets": [0, 1], "loss": "binary_cross_entropy"},
        pointers=("/logits/1",),
    ),
    Case(
        "a probability of a single label beyond 1",
        {"probabilities": [0.5, 2], "targets": [0, 1], "loss": "binary_focal"},
        pointers=("/probabilities/1",),
    ),
    Case("a class that is none", scored(targets=[0, 2]), pointers=("/targets/1",)),
    Case("a negative class", scored(targets=[0, -1]), pointers=("/targets/1",)),
    Case("half a class", scored(targets=[0, 0.5]), pointers=("/targets/1",)),
    Case("more targets than rows", scored(targets=[0, 1, 0]), pointers=("/targets",)),
    Case("targets of another width", scored(targets=[[1, 0, 0]] * 2), pointers=("/targets",)),
    Case("targets that sum to 2", scored(targets=[[1, 1], [1, 0]]), pointers=("/targets/0",)),
    Case(
        "probabilities that sum to 2",
        {"probabilities": [[1, 1]], "targets": [0]},
        pointers=("/probabilities/0",),
    ),
    Case(
        "a negative probability",
        {"probabilities": [[1.5, -0.5]], "targets": [0]},
        pointers=("/probabilities/0/0", "/probabilities/0/1"),
    ),
    Case(
        "log-probabilities that sum to 2",
        {"log_probabilities": [[0, 0]], "targets": [0]},
        pointers=("/log_probabilities/0",),
    ),
    Case("a negative class weight", scored(class_weights=[1, -1]), pointers=("/class_weights/1",)),
    Case("one class weight too few", scored(class_weights=[1]), pointers=("/class_weights",)),
    Case("a negative sample weight", scored(sample_weights=[1, -1]), pointers=("/sample_weights/1",)),
    Case("one sample weight too few", scored(sample_weights=[1]), pointers=("/sample_weights",)),
    Case("an absent class", scored(targets=[0, 0], class_weights="balanced"), pointers=("/targets",)),
]
OTHERS = [
    Case("softmax without logits", {}, path="/v1/softmax", pointers=("/logits",)),
    Case("softmax of a vector", {"logits": [1, 2]}, path="/v1/softmax", pointers=("/logits",)),
    Case("divergence from nothing", {"p": [[1, 0]]}, path="/v1/divergence", pointers=("",)),
    Case(
        "two of p",
        {"p": [[1, 0]], "p_logits": [[1, 0]], "q": [[1, 0]]},
        path="/v1/divergence",
        pointers=("/p_logits",),
    ),
    Case("weights of nothing", {}, path="/v1/class-weights", pointers=("",)),
    Case(
        "a class without example",
        {"counts": [1, 0]},
        path="/v1/class-weights",
        pointers=("/counts",),
        says="1",
    ),
    Case(
        "a billion classes",
        {"targets": [0, 1_000_000_000]},
        path="/v1/class-weights",
        pointers=("/targets/1",),
    ),
    Case(
        "counts of more classes than max_classes",
        {"counts": [1] * 262_145},
        path="/v1/class-weights",
        pointers=("/counts",),
        says="262144",
    ),
    Case(
        "a billion classes, asked for",
        {"targets": [0], "classes": 1_000_000_000, "absent": "zero"},
        path="/v1/class-weights",
        pointers=("/classes",),
    ),
]
CASES = MALFORMED + ARRAYS + FIELDS + LOSSES + VALUES + OTHERS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused(client: httpx2.Client, case: Case) -> None:
    """Every refusal has its status, says what is wrong where, and is a problem as RFC 9457 has it."""
    check(client, case)
