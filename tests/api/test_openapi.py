"""The OpenAPI document: valid, complete, unchanged by accident, and true of the server."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from lossmeter import engine
from lossmeter.api.app import create_app
from lossmeter.settings import Settings
from servers import running

if TYPE_CHECKING:
    from collections.abc import Iterator


SNAPSHOT = Path(__file__).parent / "openapi.json"
REMAKE = "python -m lossmeter openapi > tests/api/openapi.json"

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
PROBLEM = "application/problem+json"
WITH_STORE = ("/v1/events", "/v1/feedback")
"""Where a server without a store says 404; tests/events posts their examples to one with."""


def body_schema(operation: dict[str, Any]) -> dict[str, Any]:
    """What the operation takes."""
    schema: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema


def answer_schema(operation: dict[str, Any]) -> dict[str, Any]:
    """What the operation answers when all is well."""
    schema: dict[str, Any] = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return schema


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of a schema of the document."""
    return Draft202012Validator(schema | {"components": DOCUMENT["components"]})


def examples() -> Iterator[Any]:
    """Every example of every operation."""
    for _, path, operation in OPERATIONS:
        if "requestBody" in operation and path not in WITH_STORE:
            for name, example in operation["requestBody"]["content"]["application/json"]["examples"].items():
                yield pytest.param(path, operation, example["value"], id=f"{path} {name}")


def test_valid() -> None:
    """The document is OpenAPI 3.1."""
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_snapshot() -> None:
    """What callers generate their clients from changes only on purpose, in a diff that is read."""
    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == DOCUMENT, f"if it is meant to change: {REMAKE}"


def test_words_of_json_schema() -> None:
    """What is not a keyword of JSON Schema says nothing to a validator or a generator."""
    known = set(Draft202012Validator.VALIDATORS) | {"title", "description", "default", "discriminator"}
    for name, schema in SCHEMAS.items():
        for part in (schema, *schema.get("properties", {}).values()):
            assert set(part) <= known, name


def test_every_schema_is_used() -> None:
    """A generator makes a class of every schema: none is there that nothing refers to."""
    text = json.dumps(DOCUMENT)
    assert [name for name in SCHEMAS if f'"#/components/schemas/{name}"' not in text] == []


def test_requests_are_objects() -> None:
    """No request is a union at its root, which generators take for one without fields."""
    for name in SCHEMAS:
        if name.endswith("Request"):
            assert not {"oneOf", "anyOf"} & set(SCHEMAS[name]), name


def test_served(client: httpx2.Client) -> None:
    """The server serves the same document."""
    assert client.get("/openapi.json").json() == DOCUMENT


def test_operations() -> None:
    """Every endpoint of the contract is there, under a name that a generated client can use."""
    assert {(method, path): operation["operationId"] for method, path, operation in OPERATIONS} == {
        ("post", "/v1/score"): "score",
        ("get", "/v1/losses"): "losses",
        ("post", "/v1/softmax"): "softmax",
        ("post", "/v1/divergence"): "divergence",
        ("post", "/v1/class-weights"): "class_weights",
        ("post", "/v1/metrics"): "metrics",
        ("get", "/v1/metrics"): "metric_catalogue",
        ("post", "/v1/merge"): "merge",
        ("post", "/v1/report"): "report",
        ("post", "/v1/compare"): "compare",
        ("post", "/v1/calibrate"): "calibrate",
        ("post", "/v1/expect"): "expect",
        ("post", "/v1/events"): "events",
        ("get", "/v1/events"): "event_report",
        ("post", "/v1/feedback"): "feedback",
        ("get", "/v2"): "server_metadata",
        ("get", "/v2/health/live"): "server_live",
        ("get", "/v2/health/ready"): "server_ready",
        ("get", "/v2/models"): "model_list",
        ("get", "/v2/models/{model_name}"): "model_metadata",
        ("get", "/v2/models/{model_name}/ready"): "model_ready",
        ("get", "/v2/models/{model_name}/versions/{model_version}"): "model_version_metadata",
        ("get", "/v2/models/{model_name}/versions/{model_version}/ready"): "model_version_ready",
        ("post", "/v2/models/{model_name}/infer"): "infer",
        ("post", "/v2/models/{model_name}/versions/{model_version}/infer"): "infer_version",
        ("post", "/v2/repository/index"): "repository_index",
        ("get", "/health/live"): "live",
        ("get", "/health/ready"): "ready",
    }


@pytest.mark.parametrize(("path", "operation", "value"), list(examples()))
def test_examples_work(client: httpx2.Client, path: str, operation: dict[str, Any], value: object) -> None:
    """Every example is what its schema says, is answered, and so is the answer."""
    validator(body_schema(operation)).validate(value)
    response = client.post(path.format(model_name="cross_entropy", model_version="1"), json=value)
    assert response.status_code == 200, response.text
    validator(answer_schema(operation)).validate(response.json())


def test_first_example(client: httpx2.Client) -> None:
    """The example that Swagger UI shows first is the five classes that cost ln 10."""
    content = DOCUMENT["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"]
    first = next(iter(content["examples"].values()))
    assert "five classes" in first["summary"]
    assert client.post("/v1/score", json=first["value"]).json()["loss"] == pytest.approx(
        math.log(10), rel=1e-15
    )


def test_every_loss_has_an_example() -> None:
    """The drop-down of /v1/score names every loss of the registry."""
    content = DOCUMENT["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"]
    assert set(engine.LOSSES) <= set(content["examples"])


def test_losses_conform(client: httpx2.Client) -> None:
    """The catalogue of losses is what its schema says."""
    validator(answer_schema(DOCUMENT["paths"]["/v1/losses"]["get"])).validate(client.get("/v1/losses").json())


@pytest.mark.parametrize(
    "name", [name for name in SCHEMAS if name.endswith(("Request", "Answer", "Loss", "Scheme"))]
)
def test_fields_are_described(name: str) -> None:
    """Every field says what it is; no field may be null but the loss that is not reduced."""
    for field, schema in SCHEMAS[name]["properties"].items():
        assert schema.get("description"), f"{name}.{field}"
        assert '"null"' not in json.dumps(schema) or (name, field) == ("ScoreAnswer", "loss")
        assert schema.get("default", "") is not None


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("ScoreRequest", engine.score),
        ("MetricsRequest", engine.measure),
        ("ReportRequest", engine.report),
        ("CompareRequest", engine.compare),
        ("CalibrateRequest", engine.calibrate),
        ("ExpectRequest", engine.expect),
        ("SoftmaxRequest", engine.softmax),
        ("DivergenceRequest", engine.divergence),
        ("ClassWeightsRequest", engine.class_weights),
    ],
)
def test_defaults_are_the_engines(name: str, function: Any) -> None:  # noqa: ANN401 - any function
    """What the document says happens when a field is left out is what the engine does."""
    parameters = inspect.signature(function).parameters
    for field, schema in SCHEMAS[name]["properties"].items():
        if "default" in schema and field != "state_encoding":  # the answer's business
            default = parameters[field].default
            assert schema["default"] == (list(default) if isinstance(default, tuple) else default), field


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda part: str(part)[:20])
def test_problems_are_documented(method: str, path: str, operation: dict[str, Any]) -> None:
    """Every refusal of an operation is documented as a problem, and as nothing else."""
    expected = {
        "post": {"400", "406", "413", "415", "422", "429", "500", "503"},
        "get": {"406", "429", "500"},
    }
    refusals = {status: answer for status, answer in operation["responses"].items() if status != "200"}
    if path.startswith(("/health", "/v2")):
        return
    of_store = {"404", "422", "503"} if path in WITH_STORE else set()
    assert set(refusals) == expected[method] | of_store
    for answer in refusals.values():
        assert answer["content"] == {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda part: str(part)[:20])
def test_errors_of_inference_are_documented(method: str, path: str, operation: dict[str, Any]) -> None:
    """Every refusal under /v2 is documented as JSON with an error, or as the document that a probe answers."""
    if not path.startswith("/v2"):
        return
    assert "HTTPValidationError" not in json.dumps(DOCUMENT)
    assert ("{model_name}" in path) == ("404" in operation["responses"])
    for status, answer in operation["responses"].items():
        content = answer["content"]
        if status != "200" and "Readiness" not in json.dumps(content):
            assert content == {
                "application/json": {"schema": {"$ref": "#/components/schemas/InferenceError"}}
            }, (method, status)


def test_problems_conform(client: httpx2.Client) -> None:
    """A real problem is what the document says of problems."""
    response = client.post("/v1/score", json={"logits": [[1, "x"]], "targets": None})
    validator({"$ref": "#/components/schemas/Problem"}).validate(response.json())


def test_union_of_losses() -> None:
    """The loss objects are a union discriminated by a name that is required, so that client generators take it."""
    loss = json.dumps(SCHEMAS["ScoreRequest"]["properties"]["loss"])
    assert '"propertyName": "name"' in loss
    for name in engine.LOSSES:
        schema = next(
            schema
            for schema in SCHEMAS.values()
            if schema.get("properties", {}).get("name", {}).get("const") == name
        )
        assert "name" in schema["required"]
        assert "default" not in schema["properties"]["name"]
        assert schema["additionalProperties"] is False


def test_exactly_one_input() -> None:
    """The document, too, says that exactly one of the inputs is required."""
    schema = validator({"$ref": "#/components/schemas/ScoreRequest"})
    assert schema.is_valid({"logits": [[1, 2]], "targets": [0]})
    assert not schema.is_valid({"targets": [0]})
    assert not schema.is_valid({"logits": [[1, 2]], "probabilities": [[0, 1]], "targets": [0]})
    divergence = validator({"$ref": "#/components/schemas/DivergenceRequest"})
    assert divergence.is_valid({"p": [[1, 0]], "q_logits": [[0, 0]]})
    assert not divergence.is_valid({"p": [[1, 0]], "p_logits": [[0, 0]]})


@pytest.mark.parametrize("field", ["logits", "probabilities", "log_probabilities"])
def test_ignored_rows_may_hold_nan(client: httpx2.Client, field: str) -> None:
    """What the server scores, a client that checks against the document may send."""
    good = {"logits": [0, 0], "probabilities": [0.5, 0.5], "log_probabilities": [-math.log(2)] * 2}[field]
    request = {field: [["NaN", 0], good], "targets": [9, 0], "ignore_index": 9}
    validator({"$ref": "#/components/schemas/ScoreRequest"}).validate(request)
    assert client.post("/v1/score", json=request).status_code == 200


def test_keys_are_documented_only_where_asked() -> None:
    """Without keys the document asks for none; with them it says how to send one, and that probes need none."""
    assert "securitySchemes" not in DOCUMENT["components"]
    assert DOCUMENT["security"] == []
    document = create_app(Settings(api_keys=("secret",))).openapi()
    validate(document, cls=OpenAPIV31SpecValidator)
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}
    score = document["paths"]["/v1/score"]["post"]
    assert score["security"] == [{"bearer": ["score"]}, {"key": ["score"]}]
    assert {"401", "403"} <= set(score["responses"])
    assert document["security"] == []
    assert "security" not in document["paths"]["/health/live"]["get"]
    assert "secret" not in json.dumps(document)


def test_behind_a_proxy() -> None:
    """Behind a proxy's prefix the document names the prefix as its server, and paths work with or without it."""
    import httpx2  # noqa: PLC0415 - the only test that needs its own client

    with running(root_path="/loss") as server:
        assert httpx2.get(f"{server.url}/openapi.json").json()["servers"][0]["url"] == "/loss"
        assert httpx2.get(f"{server.url}/loss/health/live").status_code == 200
        assert httpx2.get(f"{server.url}/health/live").status_code == 200


def test_without_docs() -> None:
    """The pages can be switched off; the document stays."""
    with running(docs=False) as server:
        assert httpx2.get(f"{server.url}/docs").status_code == 404
        assert httpx2.get(f"{server.url}/openapi.json").status_code == 200
