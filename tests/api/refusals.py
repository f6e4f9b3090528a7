"""A request that is refused, and the check that the refusal says what it should."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

JSON = {"Content-Type": "application/json"}
LARGEST_ANSWER = 16 * 1024
TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
}


@dataclass(frozen=True)
class Case:
    """One request that is refused.

    Attributes:
        name: what is wrong with it.
        body: what is sent; anything but bytes and text is sent as JSON.
        status: the status of the answer.
        pointers: those of its errors, in order; None where the answer has no errors.
        count: how many offenders the answer tells of, where more than it names.
        says: a part of the answer's text.
    """

    name: str
    body: object
    status: int = 422
    pointers: tuple[str, ...] | None = None
    count: int | None = None
    says: str = ""
    path: str = "/v1/score"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=lambda: JSON)
    answers_with: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


def check(client: httpx2.Client, case: Case) -> None:
    """The refusal has its status, says what is wrong where, and is a problem as RFC 9457 has it."""
    response = client.request(case.method, case.path, content=case.content(), headers=case.headers)
    problem = response.json()
    assert response.status_code == case.status, problem
    assert response.headers["Content-Type"] == "application/problem+json"
    assert len(response.content) <= LARGEST_ANSWER
    assert {
        "type": "about:blank",
        "status": case.status,
        "title": TITLES[case.status],
    }.items() <= problem.items()
    assert problem["instance"] == case.path
    assert case.says in response.text
    check_errors(case, problem)
    for name, value in case.answers_with.items():
        assert response.headers[name] == value


def check_errors(case: Case, problem: dict[str, Any]) -> None:
    """The pointers are those of the table, and lead to the values shown."""
    if case.pointers is None:
        assert "errors" not in problem
        return
    found = problem["errors"]
    assert tuple(error["pointer"] for error in found) == case.pointers, problem
    assert problem["count"] == (case.count or len(case.pointers))
    assert all(error["detail"] for error in found)


def scored(**fields: object) -> dict[str, object]:
    """A good request to /v1/score with some fields set otherwise."""
    return {"logits": [[1.0, 2.0], [0.5, 0.0]], "targets": [0, 1]} | fields
