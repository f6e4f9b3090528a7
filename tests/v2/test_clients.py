"""The clients that people have: each a real one, in an environment of its own, against the real server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers import Server

SCRIPTS = Path(__file__).parent / "clients"
ENVIRONMENTS = Path(__file__).parents[2] / "build" / "clients"


@pytest.mark.parametrize(
    ("environment", "package"), [("triton", "tritonclient"), ("kserve", "kserve"), ("mlserver", "mlserver")]
)
def test_a_real_client_scores(server: Server, environment: str, package: str) -> None:
    """What it sends is understood, what it is answered it understands, and the numbers are the oracle's."""
    python = ENVIRONMENTS / environment / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no {python.relative_to(ENVIRONMENTS.parents[1])}; `make clients` makes it")
    known = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    if subprocess.run([python, "-c", known], check=False).returncode:
        pytest.skip(f"{package} is not made for this Python")
    script = SCRIPTS / f"with_{environment}.py"
    ran = subprocess.run(
        [python, script, server.url.removeprefix("http://")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
