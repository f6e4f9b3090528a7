"""However much is wrong, the answer to it is short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.refusals import JSON, LARGEST_ANSWER

if TYPE_CHECKING:
    import httpx2

HOSTILE = {
    "strings": '{"logits": [[' + ",".join(['"x"'] * 1_000_000) + "]]}",
    "nulls in rows": '{"logits": [' + ",".join(["[null,true]"] * 400_000) + '], "targets": [0]}',
    "one long string": '{"logits": "' + "x" * 5_000_000 + '", "targets": [0]}',
    "one long key": '{"' + "x" * 5_000_000 + '": 1}',
    "many keys": "{" + ",".join(f'"key{n}": {n}' for n in range(250_000)) + "}",
    "many parts": '{"include": ['
    + ",".join(['"losess"'] * 500_000)
    + '], "logits": [[1, 2]], "targets": [0]}',
    "a long loss": '{"loss": "' + "é" * 2_500_000 + '", "logits": [[1, 2]], "targets": [0]}',
    "many labels": '{"labels": {' + ",".join(f'"key{n}": {n}' for n in range(250_000)) + "}}",
    "lone surrogates": '{"loss": "' + "\\ud800" * 800_000 + '", "logits": [[1, 2]], "targets": [0]}',
    "long unknown fields": "{" + ",".join(f'"{"😀" * 60}{n}": {n}' for n in range(200)) + "}",
    "wrong targets": '{"logits": [[1, 2]], "targets": [' + ",".join(["7"] * 2_000_000) + "]}",
    "ragged": '{"logits": [' + ",".join(["[1, 2], [1]"] * 400_000) + '], "targets": [0]}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_get_short_answers(client: httpx2.Client, name: str) -> None:
    """Megabytes of what is wrong get at most 16 KiB and 20 errors back, and nothing of it is repeated."""
    response = client.post("/v1/score", content=HOSTILE[name], headers=JSON)
    assert response.status_code in (400, 422)
    assert len(response.content) <= LARGEST_ANSWER
    assert len(response.json().get("errors", [])) <= 20
    assert "x" * 300 not in response.text


def test_long_path(client: httpx2.Client) -> None:
    """A path of 30 000 characters that is not there is not repeated either."""
    response = client.get("/" + "x" * 30_000)
    assert response.status_code == 404
    assert len(response.content) <= 1024
