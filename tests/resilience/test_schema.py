"""Schemathesis: what the OpenAPI document says is what the service does, whatever is sent."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from resilience.conftest import Tell
    from resilience.targets import Target

COMMAND = Path(__file__).parents[2] / "build" / "clients" / "schemathesis" / "bin" / "st"

EXCLUDED = (
    # A schema cannot say that a row's probabilities add up, or that there are as many targets as rows.
    "positive_data_acceptance"
)


@pytest.mark.parametrize(
    "seconds", [15, pytest.param(600, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_schemathesis(target: Target, seconds: int, tmp_path: Path, tell: Tell) -> None:
    """All phases and all checks but one find nothing."""
    if not COMMAND.exists():
        pytest.skip("there is no schemathesis; `make clients` installs it")
    options = (
        f"--checks all --exclude-checks {EXCLUDED} --continue-on-failure --no-color --max-time {seconds}"
    )
    ran = subprocess.run(
        [COMMAND, "run", f"{target.url}/openapi.json", *options.split(), "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    cases = re.search(r"(\d+) generated", ran.stdout)
    tell(f"schemathesis for {seconds} s", {"cases": int(cases[1]) if cases else 0})
    assert "Failures:" not in ran.stdout, ran.stdout[-20_000:]
    assert cases
