"""Rows that processes share, in real files and real processes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lossmeter.observability.store import SIZE, Store

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = """
import sys, time
from pathlib import Path
from lossmeter.observability.store import Store
row = Store(Path(sys.argv[1])).row(("t", "ä\\n\\""), 2)
for _ in range(1000):
    row[0] += 1
row[1] = 7
print("done", flush=True)
sys.stdin.read()
"""


def counting(folder: Path) -> subprocess.Popen[str]:
    """A process that has counted to 1000 and goes on living."""
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    """It ends without a chance to tidy up."""
    process.kill()
    process.communicate()


def test_processes_count_together_and_the_dead_are_succeeded(tmp_path: Path) -> None:
    """Each living one has a file; one that was killed leaves its counts to the next, and its id to nobody."""
    key = ("t", 'ä\n"')
    first, second = counting(tmp_path), counting(tmp_path)
    store = Store(tmp_path)
    store.row(key, 2)[0] += 5
    found = store.snapshots()
    assert [snapshot.rows.get(key, [0])[0] for snapshot in found] == [1000, 1000, 5]
    assert [snapshot.process for snapshot in found][:2] == [first.pid, second.pid]

    killed(first)
    found = store.snapshots()
    assert [snapshot.process is None for snapshot in found] == [True, False, False]
    assert found[0].rows[key] == [1000, 7]

    third = counting(tmp_path)
    found = store.snapshots()
    assert [snapshot.rows[key][0] for snapshot in found] == [2000, 1000, 5]
    assert found[0].process == third.pid
    killed(second)
    killed(third)


def test_rows_without_a_folder_are_this_processes_own() -> None:
    """The same key is the same row."""
    store = Store()
    store.row(("a",), 3)[2] = 1.5
    store.row(("b", "c"), 1)[0] = 2
    assert store.row(("a",), 3)[2] == 1.5
    assert store.snapshots()[0].rows == {("a",): [0, 0, 1.5], ("b", "c"): [2]}


@pytest.mark.parametrize("folder", [True, False], ids=["file", "memory"])
def test_a_full_store_loses_only_what_is_new(tmp_path: Path, *, folder: bool) -> None:
    """Rows that there is no room for can be counted in, and are read by nobody."""
    store = Store(tmp_path if folder else None)
    wide = SIZE // 8 // 2
    store.row(("wide",), wide)[0] = 1
    store.row(("too wide",), wide)[0] = 1
    store.row(("narrow",), 1)[0] = 1
    assert store.snapshots()[0].rows.keys() == {("wide",), ("narrow",)}
