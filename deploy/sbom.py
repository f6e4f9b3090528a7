"""Prints what a lock installs as a CycloneDX bill of materials: packages, their versions, the hashes they may have.

python deploy/sbom.py requirements.lock >sbom.cdx.json

Only the standard library, so that the image can be built with it; the same lock gives the same bytes.
"""
# A script, not a package.
# ruff: noqa: INP001

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def bill(lock: str, project: dict[str, Any]) -> dict[str, Any]:
    """The document, in the form of CycloneDX 1.6."""
    packages = [component(block) for block in re.split(r"\n(?=\S)", lock.strip())]
    root = part("application", project["name"], project["version"])
    root["licenses"] = [{"expression": project["license"]}]
    references = [package["bom-ref"] for package in packages]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, lock)}",
        "version": 1,
        "metadata": {"component": root, "lifecycles": [{"phase": "build"}]},
        "components": packages,
        "dependencies": [
            {"ref": root["bom-ref"], "dependsOn": references},
            *({"ref": reference} for reference in references),
        ],
    }


def component(block: str) -> dict[str, Any]:
    """One requirement of the lock, ``name==version ; marker``, and the hashes below it."""
    found = re.match(r"([a-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*\\?\n", block + "\n")
    if not found:
        raise SystemExit(f"not a locked requirement: {block[:80]}")
    name, version, marker = found.groups()
    made = part("library", name, version)
    hashes = [{"alg": "SHA-256", "content": digest} for digest in re.findall(r"sha256:([0-9a-f]{64})", block)]
    place = {"type": "distribution", "url": made["purl"], "comment": "one of its files has one of these"}
    made["externalReferences"] = [{**place, "hashes": hashes}]
    if marker:
        made["properties"] = [{"name": "lossmeter:installed-where", "value": marker}]
    return made


def part(kind: str, name: str, version: str) -> dict[str, Any]:
    """A package by its package URL."""
    url = f"pkg:pypi/{name}@{version}"
    return {"type": kind, "bom-ref": url, "name": name, "version": version, "purl": url}


if __name__ == "__main__":
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    json.dump(bill(Path(sys.argv[1]).read_text("utf-8"), about), sys.stdout, indent=1)
    sys.stdout.write("\n")
