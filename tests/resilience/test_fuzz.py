"""Bodies that were once right, with something wrong about them, in every codec: each is answered, briefly and soon."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import random
import time
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from api.batches import ARROW, JSON, NDJSON, NPY, NPZ, PARQUET, WHOLE
from events import kserve
from lossmeter.wire.cloudevents import BATCH as EVENTS
from lossmeter.wire.cloudevents import STRUCTURED
from resilience.monsters import MONSTERS
from resilience.test_memory import in_zstd
from v2.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilience.conftest import Tell
    from resilience.targets import Target

RANDOM = np.random.default_rng(5)
BATCH: dict[str, Any] = {
    "logits": RANDOM.normal(size=(4, 3)),
    "targets": np.array([0, 1, 2, 0]),
    "sample_weights": np.array([1.0, 0.5, 2, 1]),
}
LINES = b"".join(
    json.dumps({"logits": row.tolist(), "target": 1}).encode() + b"\n" for row in BATCH["logits"]
)
BOUNDARY = "frontier"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'.encode()
    + f"Content-Type: {NPZ}\r\n\r\n".encode()
    + WHOLE[NPZ](BATCH)
    + f"\r\n--{BOUNDARY}--\r\n".encode()
)
DOCUMENT = json.dumps(
    {name: values.tolist() for name, values in BATCH.items()} | {"loss": {"name": "focal", "gamma": 2}}
)
MODEL = "/v2/models/cross_entropy/infer"
TENSORS, TENSOR_HEADERS = message({"logits": BATCH["logits"], "targets": BATCH["targets"]})
PLAIN_TENSORS, _ = message({"logits": BATCH["logits"], "targets": BATCH["targets"]}, binary=False)
SERIAL = b"@@@@@@@@"
"""Stands for the number of the body: an id that comes again is known, and its event is not looked at."""
P = np.full((2, 4), 0.25, np.float32)
LOGGED_TENSOR, LOGGED_BYTES = kserve.binary(P)
TRUTH = {"id": SERIAL.decode(), "targets": [0, 3], "labels": {"slice": "a"}}


def event(type_: str, data: dict[str, Any]) -> dict[str, Any]:
    """An event of the exchange with this number."""
    return {"specversion": "1.0", "id": TRUTH["id"], "source": "x", "type": type_, "data": data}


RESPONSE = event(kserve.RESPONSE, {"outputs": [kserve.tensor(P)]})
EXCHANGE = [RESPONSE, event("io.lossmeter.feedback", TRUTH)]


def npy(values: Any) -> bytes:  # noqa: ANN401 - whatever NumPy takes
    """One array."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def coded(coding: str, compress: Callable[[bytes], bytes]) -> tuple[str, dict[str, str], bytes]:
    """JSON in a content coding."""
    return "/v1/score", {"Content-Type": JSON, "Content-Encoding": coding}, compress(DOCUMENT.encode())


CODECS: dict[str, tuple[str, dict[str, str], bytes]] = {
    "json": ("/v1/score", {"Content-Type": JSON}, DOCUMENT.encode()),
    "npz": ("/v1/score", {"Content-Type": NPZ}, WHOLE[NPZ](BATCH)),
    "npy": ("/v1/score?input=logits&targets=0,1,2,0", {"Content-Type": NPY}, npy(BATCH["logits"])),
    "arrow": ("/v1/score", {"Content-Type": ARROW, "Accept": JSON}, WHOLE[ARROW](BATCH)),
    "arrow stream": ("/v1/score", {"Content-Type": ARROW, "Accept": ARROW}, WHOLE[ARROW](BATCH)),
    "parquet": ("/v1/score", {"Content-Type": PARQUET}, WHOLE[PARQUET](BATCH)),
    "multipart": ("/v1/score", {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, FORM),
    "ndjson": ("/v1/score", {"Content-Type": NDJSON}, LINES),
    "tensors": (MODEL, TENSOR_HEADERS, TENSORS),
    "tensors in JSON": (MODEL, {"Content-Type": JSON}, PLAIN_TENSORS),
    "gzip": coded("gzip", gzip.compress),
    "deflate": coded("deflate", zlib.compress),
    "zstd": coded("zstd", in_zstd),
    "event": ("/v1/events", {"Content-Type": STRUCTURED}, json.dumps(RESPONSE).encode()),
    "events": ("/v1/events", {"Content-Type": EVENTS}, json.dumps(EXCHANGE).encode()),
    "logged": (
        "/v2/events",
        kserve.headers(SERIAL.decode()),
        kserve.oip(LOGGED_TENSOR, tail=LOGGED_BYTES),
    ),
    "feedback": ("/v1/feedback", {"Content-Type": JSON}, json.dumps(TRUTH).encode()),
}
SPLINTERS = [
    *(body for body, _ in MONSTERS.values() if len(body) < 200),
    *(
        b"1e400",
        b"NaN",
        b"null",
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"\\u0000",
        b"\xff\xff\xff\xff",
        b"\0" * 8,
        b"\x7f\xff\xff\xff",
    ),
    *(
        b"-1",
        b"18446744073709551616",
        b"\x93NUMPY\x01\x00\xff\xff",
        b"PK\x03\x04",
        b"ARROW1",
        b"PAR1",
        b"\r\n--frontier--",
    ),
]


def mutated(body: bytes, chance: random.Random) -> bytes:
    """The body after one to four accidents."""
    damaged = bytearray(body)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        at = chance.randrange(len(damaged) + 1)
        length = min(chance.choice([1, 1, 2, 4, 8, 64]), len(damaged) - at)
        match chance.randrange(7):
            case 0 if at < len(damaged):
                damaged[at] ^= 1 << chance.randrange(8)
            case 1:
                damaged[at : at + length] = chance.randbytes(length)
            case 2:
                del damaged[at : at + length]
            case 3:
                damaged[at:at] = damaged[max(at - 64, 0) : at]
            case 4:
                damaged[at : at + length] = chance.choice(SPLINTERS)
            case 5:
                del damaged[at:]
            case _:
                damaged[at:at] = chance.choice(SPLINTERS)
    return bytes(damaged)


def fuzz(target: Target, codec: str, count: int) -> dict[str, float]:
    """Sends so many damaged bodies on one connection; what the answers were like."""
    path, headers, body = CODECS[codec]
    chance = random.Random(codec)  # noqa: S311 - the same every time
    connection = http.client.HTTPConnection(*target.address, timeout=60)
    seen: Counter[int] = Counter()
    largest, slowest = 0, 0.0
    for number in range(count):
        serial = b"%s %d" % (codec.encode(), number)
        sent = body.replace(SERIAL, serial)
        if number:
            sent = mutated(sent, chance)
        said = {name: value.replace(SERIAL.decode(), serial.decode()) for name, value in headers.items()}
        started = time.perf_counter()
        connection.request("POST", path, sent, said)
        response = connection.getresponse()
        read = response.read()
        slowest = max(slowest, time.perf_counter() - started)
        seen[response.status // 100] += 1
        assert number or response.status == 200, read
        assert response.status < 500, (sent, read)
        if response.status >= 400:
            largest = max(largest, len(read))
    # What was taken must not spoil what is told of it.
    connection.request("GET", "/v1/events")
    response = connection.getresponse()
    assert response.status == 200, response.read()
    connection.close()
    return {
        "bodies": count,
        "scored": seen[2],
        "refused": seen[4],
        "slowest s": slowest,
        "largest refusal": largest,
    }


@pytest.mark.parametrize(
    "count", [1500, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
@pytest.mark.parametrize("codec", CODECS)
def test_fuzz(target: Target, codec: str, count: int, tell: Tell) -> None:
    """No body ends in a 5xx, hangs, or is answered at length."""
    figures = fuzz(target, codec, count)
    tell(f"fuzzed {codec}", figures)
    assert figures["refused"] > 0
    assert figures["largest refusal"] <= 16 * 1024
    assert figures["slowest s"] < 10
