"""POST /v1/score in other formats than JSON, as the OpenAPI document tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lossmeter.api.negotiation import ARROW, MULTIPART, NDJSON, NPY, NPZ, PARQUET
from lossmeter.api.query import AS_LIST, LISTS, ROWS
from lossmeter.api.schemas.arrays import NOT_NEGATIVE, vector
from lossmeter.api.schemas.losses import parameter_schema
from lossmeter.engine import LOSSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lossmeter.api.schemas.document import Document

_COLUMNS: Final = (
    "Columns: `logits` (or `probabilities`, `log_probabilities`) as lists of one length, or one column per class "
    "(`logits_0`, `logits_1` …, or `logits.0` …); `target` (class indices, or lists: distributions); perhaps "
    "`sample_weight`. Other columns are carried through to an Arrow answer."
)
_BATCHES: Final = (
    "Answered in this format, or in the other one that streams, it is scored batch by batch as it arrives, however "
    "long it is; each batch has its own `reduction`. Read the answer while you send."
)

BODIES: Final[dict[str, Any]] = {
    NPZ: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "`numpy.savez`: `logits` (or `probabilities`, `log_probabilities`), `targets`, perhaps "
            "`sample_weights`, `class_weights`. float32 is computed and answered as float32.",
        }
    },
    NPY: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "`numpy.save` of the predictions; `?input=logits` says which they are, and the query has "
            "the targets.",
        }
    },
    PARQUET: {"schema": {"type": "string", "format": "binary", "description": _COLUMNS}},
    ARROW: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": f"An IPC stream. {_COLUMNS} {_BATCHES}",
        }
    },
    NDJSON: {
        "schema": {
            "type": "string",
            "description": 'Each line a row, `{"logits": [2.0, 0.5], "target": 0, "sample_weight": 1.0}`, or a '
            f'batch, `{{"logits": [[2.0, 0.5]], "targets": [0]}}`. {_BATCHES} A row\'s line is answered by a line, '
            "with `losses` and `gradients` of that row as with reduction `none`.",
        },
        "example": '{"logits": [2.0, 0.5], "target": 0}\n{"logits": [0.1, 3.0], "target": 1}\n',
    },
    MULTIPART: {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": {
                    "type": "string",
                    "format": "binary",
                    "description": "A Parquet, npz, npy or Arrow file; its first bytes tell which. The name of the "
                    "part does not matter.",
                }
            },
        }
    },
}
"""What a request may be beside JSON."""

ANSWERS: Final[dict[str, Any]] = {
    NPZ: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "The members of the JSON answer as arrays, those of `kl` as `kl.by_class` …; numbers and "
            "words are arrays without axes. Without `loss` if that is null.",
        }
    },
    NPY: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "`losses`, or the one array of `include`.",
        }
    },
    ARROW: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "An IPC stream with columns `losses`, `gradients`, `kl.kl_divergence` … and those carried "
            "through. Metadata are JSON: of every batch under `lossmeter.batch`; the last one has no rows, and tells "
            "`loss`, `denominator` and `count` of the whole under `lossmeter.summary`, or under `lossmeter.problem` "
            "why it ends early: the problem, with `batch` and `row`. All before it is valid.",
        }
    },
    NDJSON: {
        "schema": {
            "type": "string",
            "description": 'A line per batch, as the JSON answer, or per row; the last one is `{"summary": …}` of '
            'the whole, or `{"problem": …}` with `batch` and `row`. All before it is valid.',
        }
    },
}
"""What an answer may be beside JSON, if the Accept header asks for it."""


def parameters(model: type[Document]) -> list[dict[str, Any]]:
    """The options of a request as parameters of the query, read off its model."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    options = [
        _parameter(name, field) for name, field in schema["properties"].items() if name not in (*ROWS, "loss")
    ]
    return [_INPUT, _SLICES, _CLUSTER, _LOSS, *_of_losses(set(schema["properties"])), *options]


def _parameter(name: str, field: dict[str, Any]) -> dict[str, Any]:
    described = {"name": name, "in": "query", "description": f"As in JSON. {field['description']}"}
    if name == "class_weights":
        weights = {"anyOf": [vector(NOT_NEGATIVE), {"const": "balanced"}]}
        return {**described, "schema": weights, "style": "form", "explode": False}
    # A default would be typed into Swagger UI's form, and sent beside a body that may say something else.
    plain = {key: value for key, value in field.items() if key not in ("default", "description", "title")}
    if plain.get("type") == "object":
        return {**described, "content": {"application/json": {"schema": plain}}}
    return {**described, "schema": plain} | (AS_LIST if name in LISTS else {})


def _of_losses(taken: set[str]) -> Iterator[dict[str, Any]]:
    """The parameters of the losses, each under its own name unless an option has it."""
    found: dict[str, list[str]] = {}
    schemas: dict[str, list[Any]] = {}
    for loss in LOSSES.values():
        for parameter in loss.parameters().values():
            name = f"loss.{parameter.name}" if parameter.name in taken else parameter.name
            found.setdefault(name, []).append(f"`{loss.name}`: {parameter.description}")
            schemas.setdefault(name, []).append(
                {
                    key: value
                    for key, value in parameter_schema(parameter).items()
                    if key not in ("description", "default")
                }
            )
    for name, descriptions in found.items():
        kinds = [kind for place, kind in enumerate(schemas[name]) if kind not in schemas[name][:place]]
        yield {
            "name": name,
            "in": "query",
            "description": " ".join(descriptions),
            "schema": kinds[0] if len(kinds) == 1 else {"anyOf": kinds},
            "style": "form",
            "explode": False,
        }


_INPUT: Final = {
    "name": "input",
    "in": "query",
    "description": f"With {NPY} alone: what the array is.",
    "schema": {"type": "string", "enum": ["logits", "probabilities", "log_probabilities"]},
}
_SLICES: Final = {
    "name": "slices",
    "in": "query",
    "description": "With Arrow and Parquet: columns to slice by. Their texts are what JSON has in `slices`.",
    "schema": {"type": "array", "items": {"type": "string"}},
    "style": "form",
    "explode": False,
}
_CLUSTER: Final = {
    "name": "cluster",
    "in": "query",
    "description": "With Arrow and Parquet: the column of what rows belong together, as `cluster` in JSON.",
    "schema": {"type": "string"},
}
_LOSS: Final = {
    "name": "loss",
    "in": "query",
    "description": "A loss's name; its parameters have their own names here. Options stand in the query when the body "
    "is not JSON; with JSON they may stand in either.",
    "schema": {"type": "string", "enum": list(LOSSES)},
}
