"""Nothing that is sent is ever run: no code of ours can unpickle, and pickles that are sent do nothing."""

from __future__ import annotations

import ast
import gzip
import io
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import numpy as np
import pytest

import lossmeter
from access.endpoints import ENDPOINTS
from events import kserve
from servers import PATIENCE, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

PACKAGE = Path(lossmeter.__file__).parent

RUNS_CODE = {
    "pickle",
    "cPickle",
    "_pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "jsonpickle",
    "yaml",
}
CALLS = {"eval", "exec", "compile", "__import__"}
LOADS = {"np.load", "np.save", "np.lib.format.read_array", "np.lib.format.write_array"}
MEDIA_TYPES = [
    "application/json",
    "application/octet-stream",
    "application/x-npy",
    "application/x-npz",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.parquet",
    "application/x-ndjson",
    "application/python-pickle",
    "multipart/form-data; boundary=x",
]

EVENT = kserve.headers("trap")
"""Without them no payload would be looked at where events are taken."""


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self._file,))


def test_a_trap_is_one(tmp_path: Path) -> None:
    """It would spring: else the tests below showed nothing."""
    trapped = payloads(tmp_path / "sprung")
    np.load(io.BytesIO(trapped["npy"]), allow_pickle=True)
    assert (tmp_path / "sprung").exists()


def payloads(file: Path) -> dict[str, bytes]:
    """The trap in every wrapping that some server has unpickled."""
    trap = pickle.dumps(Trap(file))
    array = np.array([[Trap(file)]], dtype=object)
    npy, npz, raw = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, array, allow_pickle=True)
    np.savez(npz, logits=array, targets=array)
    with zipfile.ZipFile(raw, "w") as archive:
        for name in ("logits.npy", "targets.npy", "data.pkl"):
            archive.writestr(name, trap)
    part = b'--x\r\nContent-Disposition: form-data; name="logits"; filename="logits.npy"\r\n\r\n'
    return {
        "pickle": trap,
        "npy": npy.getvalue(),
        "npz": npz.getvalue(),
        "npz of pickles": raw.getvalue(),
        "multipart": part + npy.getvalue() + b"\r\n--x--\r\n",
    }


@pytest.fixture(scope="module")
def numpys_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of our own that takes events, too: what is sent here is meant to break it."""
    with running(events_store=tmp_path_factory.mktemp("store") / "events.sqlite") as server:
        yield server


@pytest.mark.parametrize("path", sorted({path for method, path in ENDPOINTS if method == "POST"}))
def test_a_pickle_does_nothing(numpys_server: Server, path: str, tmp_path: Path) -> None:
    """At every door, under every media type, compressed or not: refused, no failure of ours, and nothing sprang."""
    url = numpys_server.url + path
    with httpx2.Client(timeout=PATIENCE) as client:
        for what, payload in payloads(tmp_path / "sprung").items():
            for media_type in MEDIA_TYPES:
                packed = gzip.compress(payload)
                # Loggers do not say that what they forward is packed.
                for coding, body in (("identity", payload), ("gzip", packed), ("identity", packed)):
                    headers = {**EVENT, "Content-Type": media_type, "Content-Encoding": coding}
                    status = client.post(url, content=body, headers=headers).status_code
                    # The index of models takes no options, so it reads no body.
                    is_unread = status == 200 and path == "/v2/repository/index"
                    assert is_unread or 400 <= status < 500, (what, media_type, coding, status)
    assert not (tmp_path / "sprung").exists()


def test_no_code_of_ours_can() -> None:
    """No import of a module that runs what it reads, no eval, and NumPy is told every time."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            _check(node, file)


def _check(node: ast.AST, file: Path) -> None:
    match node:
        case ast.Import():
            assert not {alias.name.partition(".")[0] for alias in node.names} & RUNS_CODE, file
        case ast.ImportFrom():
            assert (node.module or "").partition(".")[0] not in RUNS_CODE, file
        case ast.Call():
            name = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert name not in CALLS, file
            assert keywords.get("allow_pickle", "False") == "False", file
            assert name not in LOADS or "allow_pickle" in keywords, file
