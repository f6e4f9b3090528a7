"""Files of rows through the clients: every format, every layout of columns, and memory that stays flat."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lossmeter import engine
from lossmeter.client import FileBatch, InvalidInputError

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: it is in the extra arrow")
pq = pytest.importorskip("pyarrow.parquet")

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.conftest import Connect
    from servers import Server

N, CLASSES = 1000, 4
RNG = np.random.default_rng(3)
LOGITS = RNG.normal(size=(N, CLASSES)).astype(np.float32)
TARGETS = np.concatenate([np.arange(CLASSES), RNG.integers(0, CLASSES, N - CLASSES)])
WEIGHTS = RNG.random(N)


def listed(**more: object) -> Any:  # noqa: ANN401 - a table of pyarrow, which has no types
    """The batch as a table whose logits are lists."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(LOGITS.ravel()), CLASSES)
    return pa.table({"logits": lists, "target": TARGETS, "id": [f"row {k}" for k in range(N)], **more})


def per_class() -> Any:  # noqa: ANN401 - as above
    """The batch as a table with a column for each class, the last class first."""
    columns = {f"logits_{k}": LOGITS[:, k] for k in reversed(range(CLASSES))}
    return pa.table({**columns, "target": TARGETS, "id": np.arange(N)})


def parquet(path: Path, table: Any) -> None:  # noqa: ANN401 - as above
    """A Parquet file of three row groups."""
    pq.write_table(table, path, row_group_size=400)


def arrow_file(path: Path, table: Any) -> None:  # noqa: ANN401 - as above
    """An Arrow file."""
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=300)


def arrow_stream(path: Path, table: Any) -> None:  # noqa: ANN401 - as above
    """An Arrow stream."""
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=300)


SCRIPT = """
import sys
from pathlib import Path
from lossmeter.client import Client
with Client(sys.argv[1]) as client:
    client.score_file(sys.argv[2], batch_rows=20_000)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""

FORMATS = [parquet, arrow_file, arrow_stream]


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("table", [listed, per_class])
@pytest.mark.parametrize("rows", [None, 77])
def test_a_file_is_its_batch(  # noqa: PLR0917 - three axes beside the fixtures
    connect: Connect,
    server: Server,
    tmp_path: Path,
    write: Callable[..., None],
    table: Callable[[], Any],
    rows: int | None,
) -> None:
    """Whatever its format and its batches, it scores as its rows at once."""
    write(tmp_path / "file", table())
    got = connect(server.url).score_file(tmp_path / "file", batch_rows=rows, include=["kl"], progress=False)
    wanted = engine.score(logits=LOGITS, targets=TARGETS)
    assert wanted.kl is not None
    assert got.kl_by_class is not None
    assert got.loss == pytest.approx(wanted.loss, rel=1e-6)
    np.testing.assert_allclose(got.kl_by_class, wanted.kl.by_class, rtol=1e-6)
    assert (got.count, got.ignored, got.denominator) == (N, 0, N)
    assert (got.reduction, got.unit, got.class_weights) == ("mean", "nats", None)


@pytest.mark.parametrize("write", FORMATS)
def test_each_batch(connect: Connect, server: Server, tmp_path: Path, write: Callable[..., None]) -> None:
    """Batches come in order, with their columns and what was included."""
    write(tmp_path / "file", listed())
    batches: list[FileBatch] = []
    connect(server.url).score_file(tmp_path / "file", include=["losses"], batch_rows=300, each=batches.append)
    wanted = engine.score(logits=LOGITS, targets=TARGETS).losses
    losses = [batch.scores.losses for batch in batches if batch.scores.losses is not None]
    assert wanted is not None
    np.testing.assert_allclose(np.concatenate(losses), wanted, rtol=1e-5)
    assert [batch.rows.column("id")[0].as_py() for batch in batches] == [
        f"row {batch.start}" for batch in batches
    ]


def test_options(connect: Connect, server: Server, tmp_path: Path) -> None:
    """Weights of rows come from a column, weights of classes from all rows."""
    parquet(tmp_path / "file", listed(sample_weight=WEIGHTS))
    options: dict[str, Any] = {
        "loss": {"name": "focal", "gamma": 1},
        "class_weights": {"scheme": "balanced", "absent": "zero"},
        "ignore_index": 1,
        "unit": "bits",
        "normalization": "count",
        "label_smoothing": 0.1,
    }
    for reduction in ("mean", "sum", "none"):
        batch: dict[str, Any] = {**options, "reduction": reduction}
        wanted = engine.score(logits=LOGITS, targets=TARGETS, sample_weights=WEIGHTS, **batch)
        got = connect(server.url).score_file(tmp_path / "file", batch_rows=90, **batch)
        assert (got.count, got.ignored, got.unit) == (wanted.count, wanted.ignored, "bits")
        assert got.denominator == pytest.approx(wanted.denominator)
        assert got.loss == (wanted.loss and pytest.approx(wanted.loss, rel=1e-6))
        assert got.class_weights == pytest.approx(wanted.class_weights, rel=1e-6)


def test_state(connect: Connect, server: Server, tmp_path: Path) -> None:
    """The state of a file is that of its rows, however many batches it took."""
    parquet(tmp_path / "file", listed())
    client = connect(server.url)
    wanted = client.score(logits=LOGITS, targets=TARGETS, include=["state"]).state
    for rows in (None, 400, 40):
        assert client.score_file(tmp_path / "file", include=["state"], batch_rows=rows).state == wanted


def test_slices_are_columns(connect: Connect, server: Server, tmp_path: Path) -> None:
    """Each batch tells its slices, and the state has those of all rows."""
    days = np.repeat([1, 2], N // 2)
    parquet(tmp_path / "file", listed(day=days))
    client = connect(server.url)
    options: dict[str, Any] = {"include": ["state"], "batch_rows": 300}
    got = client.score_file(tmp_path / "file", slices=["day"], **options)
    slices = {"day": [str(day) for day in days]}
    assert got.state == client.score(logits=LOGITS, targets=TARGETS, include=["state"], slices=slices).state
    seen: list[FileBatch] = []
    client.score_file(tmp_path / "file", slices=["day"], each=seen.append, **options)
    assert [list(batch.scores.slices or ()) for batch in seen] == [["day"]] * 4


def test_pointers_are_rows_of_the_file(connect: Connect, server: Server, tmp_path: Path) -> None:
    """What the server refuses in a later batch is told as the row of the file."""
    targets = TARGETS.copy()
    targets[777] = CLASSES
    parquet(tmp_path / "file", listed().set_column(1, "target", [targets]))
    with pytest.raises(InvalidInputError, match="/targets/777"):
        connect(server.url).score_file(tmp_path / "file", batch_rows=100)


@pytest.mark.parametrize(
    ("column", "match"),
    [(["a"] * N, "/target"), ([*[0] * (N - 1), None], f"/target/{N - 1}")],
    ids=["texts", "a null"],
)
def test_columns_that_are_no_numbers(
    connect: Connect, server: Server, tmp_path: Path, column: list[Any], match: str
) -> None:
    """They are refused before they are sent, by name and row."""
    parquet(tmp_path / "file", listed().set_column(1, "target", [column]))
    with pytest.raises(InvalidInputError, match=match):
        connect(server.url).score_file(tmp_path / "file", batch_rows=100)


def test_columns_that_say_the_same_twice(connect: Connect, server: Server, tmp_path: Path) -> None:
    """A file that does not say which column it means is refused."""
    parquet(tmp_path / "file", listed(targets=TARGETS))
    with pytest.raises(InvalidInputError, match="/targets: is there beside another column"):
        connect(server.url).score_file(tmp_path / "file")


def test_without_pyarrow(server: Server, tmp_path: Path) -> None:
    """Where it is not installed, the error says what to install."""
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from lossmeter.client import Client\n"
        "Client(sys.argv[1]).score_file(sys.argv[2])"
    )
    command = [sys.executable, "-c", code, server.url, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: files need pyarrow: pip install 'lossmeter[arrow]'" in done.stderr


def test_a_file_without_rows(connect: Connect, server: Server, tmp_path: Path) -> None:
    """Nothing costs nothing."""
    for write in FORMATS:
        write(tmp_path / "file", listed().slice(0, 0))
        got = connect(server.url).score_file(tmp_path / "file", class_weights="balanced")
        assert (got.loss, got.count, got.denominator) == (0, 0, 0)


def test_no_file(connect: Connect, server: Server, tmp_path: Path) -> None:
    """What cannot be read is told as Python and pyarrow tell it."""
    with pytest.raises(FileNotFoundError):
        connect(server.url).score_file(tmp_path / "none")
    (tmp_path / "rubbish").write_bytes(b"a,b\n1,2\n")
    with pytest.raises((pa.ArrowInvalid, OSError)):
        connect(server.url).score_file(tmp_path / "rubbish")


def test_bar(connect: Connect, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is drawn when asked for, and by itself only on a terminal."""
    parquet(tmp_path / "file", listed())
    connect(server.url).score_file(tmp_path / "file")
    assert not capsys.readouterr().err
    connect(server.url).score_file(tmp_path / "file", progress=True)
    assert "1.00k/1.00k" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
def test_memory_is_flat(server: Server, tmp_path: Path) -> None:
    """Ten times the rows need the same memory, but for a few megabytes; in one row group, which is the worst."""
    peaks = []
    for rows in (100_000, 1_000_000):
        values = np.random.default_rng(1).normal(size=rows * 10).astype(np.float32)
        lists = pa.FixedSizeListArray.from_arrays(pa.array(values), 10)
        table = pa.table({"logits": lists, "target": np.arange(rows) % 10})
        pq.write_table(table, tmp_path / "file", row_group_size=rows)
        command = [sys.executable, "-c", SCRIPT, server.url, str(tmp_path / "file")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < peaks[0] + 20, peaks
