"""Streams: the same scores as one batch has, answer by answer, and a summary at the end."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from api.batches import ARROW, JSON, NDJSON, NPZ
from api.streaming import ALL, BATCHES, RECORDS, ROWS, lines, post, told, whole
from lossmeter import engine
from wire.arrows import batch, batches, stream

if TYPE_CHECKING:
    import httpx2


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_every_arrow_batch_is_answered_by_one(client: httpx2.Client, reduction: Any) -> None:  # noqa: ANN401 - a literal
    """With a reduction of its own, in the precision of what was sent; the last one tells of all."""
    response = post(client, ARROW, stream(RECORDS), reduction=reduction)
    assert response.headers["Content-Type"] == ARROW
    *answers, (empty, last) = batches(response.content)
    for (logits, targets), (rows, metadata) in zip(BATCHES, answers, strict=True):
        wanted = engine.score(logits=logits, targets=targets, reduction=reduction)
        np.testing.assert_array_equal(rows.column("losses").to_numpy(), wanted.losses)
        np.testing.assert_array_equal(
            rows.column("gradients").flatten().to_numpy().reshape(-1, 4), wanted.gradients
        )
        assert rows.column("id").to_pylist() == list(range(len(targets)))
        assert told(metadata, "batch")["loss"] == wanted.loss
    assert empty.num_rows == 0
    summary = told(last, "summary")
    assert summary.pop("loss") == pytest.approx(
        whole(reduction="sum" if reduction == "sum" else "mean"), rel=1e-6
    )
    assert summary == {
        "reduction": "sum" if reduction == "sum" else "mean",
        "unit": "nats",
        "denominator": ALL,
        "count": ALL,
        "ignored": 0,
        "batches": 3,
    }


def test_rows_of_ndjson_are_answered_line_for_line(client: httpx2.Client) -> None:
    """With the loss and the gradient of each; then the summary."""
    response = post(client, NDJSON, lines(*ROWS))
    assert response.headers["Content-Type"] == NDJSON
    *answers, last = [json.loads(line) for line in response.text.splitlines()]
    for row, answer in zip(ROWS, answers, strict=True):
        wanted = engine.score(logits=[row["logits"]], targets=[row["target"]], reduction="none")
        assert wanted.losses is not None
        assert wanted.gradients is not None
        assert wanted.kl is not None
        assert answer == {
            "losses": wanted.losses[0],
            "gradients": wanted.gradients[0].tolist(),
            "kl": {
                "target_entropy": wanted.kl.target_entropy[0],
                "cross_entropy": wanted.kl.cross_entropy[0],
                "kl_divergence": wanted.kl.kl_divergence[0],
            },
        }
    assert last["summary"]["loss"] == pytest.approx(whole(), rel=1e-14)
    assert (last["summary"]["count"], last["summary"]["batches"]) == (ALL, ALL)


def test_batches_of_ndjson_are_answered_as_json_is(client: httpx2.Client) -> None:
    """Each by the document that it would get alone."""
    documents = [{"logits": logits.tolist(), "targets": targets.tolist()} for logits, targets in BATCHES]
    *answers, last = post(client, NDJSON, lines(*documents), unit="bits").text.splitlines()
    for document, answer in zip(documents, answers, strict=True):
        alone = client.post("/v1/score?unit=bits", json=document).json()
        assert json.loads(answer) == alone
    assert json.loads(last)["summary"]["loss"] == pytest.approx(whole(unit="bits"), rel=1e-14)


def test_lines_as_arrow_and_arrow_as_lines(client: httpx2.Client) -> None:
    """What streams in one format can be answered in the other."""
    (rows, _), (_, last) = batches(post(client, NDJSON, lines(*ROWS), ARROW).content)
    assert rows.num_rows == ALL
    assert told(last, "summary")["count"] == ALL
    *answers, summary = post(client, ARROW, stream(RECORDS), NDJSON).text.splitlines()
    assert [json.loads(answer)["count"] for answer in answers] == [5, 1, 8]
    assert json.loads(summary)["summary"]["count"] == ALL


@pytest.mark.parametrize("accept", ["*/*", JSON, NPZ])
def test_arrow_is_scored_as_one_batch_if_no_stream_is_wanted(client: httpx2.Client, accept: str) -> None:
    """With one reduction over all of it."""
    response = post(client, ARROW, stream(RECORDS), accept)
    assert response.headers["Content-Type"] == (NPZ if accept == NPZ else JSON)
    if accept != NPZ:
        assert response.json()["loss"] == pytest.approx(whole(), rel=1e-6)


@pytest.mark.parametrize(
    "options", [{"include": "kl"}, {"include": "gradients", "reduction": "none"}, {"include": ""}]
)
def test_the_summary_does_not_depend_on_what_is_included(
    client: httpx2.Client, options: dict[str, str]
) -> None:
    """Losses that nobody asked for are counted, not sent."""
    if not options["include"]:
        options = {"include": "probabilities", "reduction": "none"}
    *answers, (_, last) = batches(post(client, ARROW, stream(RECORDS), **options).content)
    assert "losses" not in answers[0][0].schema.names
    assert told(last, "summary")["loss"] == pytest.approx(whole(), rel=1e-6)


@pytest.mark.parametrize("media_type", [ARROW, NDJSON])
def test_the_state_of_a_stream_is_that_of_all_its_rows(client: httpx2.Client, media_type: str) -> None:
    """To the byte, however it was cut; its batches need not carry theirs."""
    logits = np.concatenate([logits for logits, _ in BATCHES]).astype(np.float64)
    targets = np.concatenate([targets for _, targets in BATCHES])
    alone = client.post(
        "/v1/score",
        json={
            "logits": logits.tolist(),
            "targets": targets.tolist(),
            "include": ["state"],
            "state_encoding": "binary",
        },
    ).json()["state"]
    sent = lines(*ROWS)
    if media_type == ARROW:
        sent = stream(
            [batch(logits[start : start + 4], targets[start : start + 4]) for start in range(0, ALL, 4)]
        )
    query = {"include": "losses,state", "state_encoding": "binary"}
    response = post(client, media_type, sent, **query)
    if media_type == ARROW:
        *answers, (_, last) = batches(response.content)
        assert all("state" not in told(metadata, "batch") for _, metadata in answers)
        found = told(last, "summary")["state"]
    else:
        found = json.loads(response.text.splitlines()[-1])["summary"]["state"]
    assert found == alone


def test_batches_without_rows_are_counted(client: httpx2.Client) -> None:
    """They have no answer; so a stream may have no rows at all."""
    *answers, (_, last) = batches(post(client, ARROW, stream([RECORDS[0].slice(0, 0), RECORDS[0]])).content)
    assert len(answers) == 1
    assert told(last, "summary")["batches"] == 2
    ((_, only),) = batches(post(client, ARROW, stream([RECORDS[0].slice(0, 0)])).content)
    assert (told(only, "summary")["loss"], told(only, "summary")["count"]) == (0, 0)


def test_weights_and_ignored_rows_are_summed_up(client: httpx2.Client) -> None:
    """As in one batch of all."""
    sent = [row | {"sample_weight": place / 2} for place, row in enumerate(ROWS)]
    last = json.loads(post(client, NDJSON, lines(*sent), ignore_index="3").text.splitlines()[-1])["summary"]
    wanted = engine.score(
        logits=[row["logits"] for row in ROWS],
        targets=[row["target"] for row in ROWS],
        sample_weights=np.arange(ALL) / 2,
        ignore_index=3,
    )
    assert last["loss"] == pytest.approx(wanted.loss, rel=1e-14)
    assert (last["count"], last["ignored"]) == (wanted.count, wanted.ignored)
    assert last["denominator"] == pytest.approx(wanted.denominator, rel=1e-14)


def test_a_stream_in_a_content_coding(client: httpx2.Client) -> None:
    """Both ways; lines shrink, Arrow's numbers do not."""
    headers = {"Content-Type": NDJSON, "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    response = client.post("/v1/score", content=gzip.compress(lines(*ROWS)), headers=headers)
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(response.text.splitlines()[-1])["summary"]["count"] == ALL
    headers["Content-Type"] = headers["Accept"] = ARROW
    response = client.post("/v1/score", content=gzip.compress(stream(RECORDS)), headers=headers)
    assert "Content-Encoding" not in response.headers
    assert len(list(batches(response.content))) == 4
