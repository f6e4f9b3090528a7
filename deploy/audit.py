"""Looks every locked package up in a database of known weaknesses (pip-audit), and says so where none could be asked.

python deploy/audit.py requirements.lock deploy/build.lock

Exit status: 0 nothing is known, or nobody could be asked, which is told; 1 a weakness is known.
"""
# A script, not a package.
# ruff: noqa: INP001

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SERVICES = ("pypi", "osv")
PATIENCE = 300


def asked(lock: str, service: str) -> list[dict[str, Any]] | None:
    """What a database knows of each package, or None if it did not answer."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        lock,
        "--require-hashes",
        "--disable-pip",
        "-s",
        service,
    ]
    quiet = ["--progress-spinner", "off", "--timeout", "10", "--format", "json"]
    try:
        done = subprocess.run(  # noqa: S603 - pip-audit, on a file of ours
            [*command, *quiet], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, subprocess.TimeoutExpired):
        return None
    return packages


def audit(lock: str) -> int:
    """Prints what is known of a lock's packages; the number of weaknesses."""
    for service in SERVICES:
        packages = asked(lock, service) or []
        known = [package for package in packages if "skip_reason" not in package]
        if known:
            break
    else:
        sys.stdout.write(
            f"{lock}: NOTHING WAS CHECKED: no database could be reached ({', '.join(SERVICES)})\n"
        )
        return 0
    missed = len(packages) - len(known)
    weak = [(package, weakness) for package in known for weakness in package["vulns"]]
    sys.stdout.write(f"{lock}: {len(known)} packages checked, {missed} NOT CHECKED, {len(weak)} weaknesses\n")
    for package, weakness in weak:
        mended = ", ".join(weakness["fix_versions"]) or "nowhere"
        sys.stdout.write(f"  {package['name']} {package['version']}: {weakness['id']}, mended in {mended}\n")
    return len(weak)


if __name__ == "__main__":
    sys.exit(min(1, sum(map(audit, sys.argv[1:]))))
