"""What the image leaves out is what nothing reads that runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

RUNS = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import csimdjson, httptools, uvloop
assert all(module.__file__.startswith(sys.argv[1]) for module in (csimdjson, httptools, uvloop))
assert csimdjson.Parser().parse(b"[1.5, 2]").as_list() == [1.5, 2]
try:
    httptools.HttpRequestParser(object()).feed_data(b"no HTTP")
except httptools.HttpParserError:
    print(uvloop.run(asyncio.sleep(0, "it runs")))
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """One with some packages that have compiled code, and what comes with such packages."""
    packages = tmp_path / "lib" / "python3.99" / "site-packages"
    packages.mkdir(parents=True)
    for name in ("csimdjson", "httptools", "uvloop"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        place = Path(spec.origin)
        if place.suffix == ".so":
            shutil.copy(place, packages)
        else:
            shutil.copytree(place.parent, packages / name)
    for name in (
        "uvloop/tests/test_loop.py",
        "uvloop/_core/include/loop.h",
        "uvloop/more.pyi",
        "uvloop/a.cpp",
    ):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("")
    (packages / "uvloop" / "no_library.so.txt").write_text("text")
    return tmp_path


def slimmed(environment: Path) -> None:
    """Runs the script."""
    subprocess.run([sys.executable, ROOT / "deploy" / "slim.py", environment], check=True, timeout=60)


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_slim_environment_runs(environment: Path) -> None:
    """Tests, headers, stubs and sources are gone; libraries are a beginning of what they were, and do what they did."""
    (packages,) = environment.glob("lib/*/site-packages")
    before = contents(packages)
    slimmed(environment)
    after = contents(packages)
    gone = {path.relative_to(packages).as_posix() for path in before.keys() - after.keys()}
    assert gone >= {
        "uvloop/tests/test_loop.py",
        "uvloop/_core/include/loop.h",
        "uvloop/more.pyi",
        "uvloop/a.cpp",
    }
    assert not any(name.endswith((".py", ".so", ".txt")) and "/tests/" not in name for name in gone)
    libraries = [path for path in after if path.suffix == ".so"]
    assert len(libraries) >= 4
    for path in libraries:
        assert before[path][64 : len(after[path])] == after[path][64:]
    assert all(after[path] == before[path] for path in after.keys() - set(libraries))
    done = subprocess.run(
        [sys.executable, "-c", RUNS, packages], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("it runs\n", "")
    slimmed(environment)
    assert contents(packages) == after


def test_the_image_is_slim() -> None:
    """The script has its turn after everything is installed, and before that is copied."""
    text = (ROOT / "Dockerfile").read_text()
    assert text.rindex("pip --python") < text.index("RUN python deploy/slim.py") < text.rindex("\nFROM")
