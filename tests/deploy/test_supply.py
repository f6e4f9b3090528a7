"""What is in the image can be told, and looked up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import lossmeter

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"


def printed(*command: str | Path, **environment: str) -> str:
    """What a script of ours prints."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def told(bill: dict[str, Any]) -> dict[str, set[str]]:
    """The hashes of each package of a bill, by its package URL."""
    return {
        component["purl"]: {
            said["content"] for place in component["externalReferences"] for said in place.get("hashes", [])
        }
        for component in bill["components"]
    }


def test_the_bill_of_materials(tmp_path: Path) -> None:
    """It is CycloneDX, says the same of the lock as CycloneDX's own tool, and is the same each time."""
    text = printed("deploy/sbom.py", LOCK)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert printed("deploy/sbom.py", LOCK) == text
    ours = json.loads(text)
    theirs = tmp_path / "theirs.json"
    printed("-m", "cyclonedx_py", "requirements", LOCK, "--of", "JSON", "-o", theirs)
    assert told(ours) == told(json.loads(theirs.read_text()))
    root = ours["metadata"]["component"]
    assert (root["name"], root["version"]) == ("lossmeter", lossmeter.__version__)
    everything = {component["purl"] for component in ours["components"]}
    assert set(ours["dependencies"][0]["dependsOn"]) == everything
    assert any(component.get("properties") for component in ours["components"])


def test_the_image_has_it() -> None:
    """Where deploy/README.md says."""
    place = "/opt/venv/share/lossmeter/sbom.cdx.json"
    assert f"sbom.py requirements.lock >{place}" in (ROOT / "Dockerfile").read_text()
    assert place in (ROOT / "deploy" / "README.md").read_text()


def test_an_audit_that_reaches_nobody_says_so() -> None:
    """Silence would read as a clean bill."""
    nowhere = "http://127.0.0.1:9"
    said = printed("deploy/audit.py", LOCK, HTTPS_PROXY=nowhere, HTTP_PROXY=nowhere, ALL_PROXY=nowhere)
    assert said == f"{LOCK}: NOTHING WAS CHECKED: no database could be reached (pypi, osv)\n"
