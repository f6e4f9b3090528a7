"""The files an operator starts from, each read by the tool that judges it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lossmeter
from lossmeter.serving.config import DRAIN_SECONDS
from lossmeter.serving.server import LINGER_SECONDS
from lossmeter.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DCLINT = ROOT / "build" / "clients" / "dclint" / "node_modules" / ".bin" / "dclint"
LOCKS = [ROOT / "requirements.lock", DEPLOY / "build.lock"]
USER = 10001


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: Path) -> list[Requirement]:
    """The requirements of a lock, their hashes left out."""
    lines = [line for line in lock.read_text().splitlines() if re.match(r"[a-z0-9]", line)]
    return [Requirement(line.removesuffix("\\").strip()) for line in lines]


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def compose() -> dict[str, Any]:
    """Ours."""
    return services()["api"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_hashes_and_no_address(lock: Path) -> None:
    """Every requirement is one exact version with hashes; where it comes from is the installer's affair."""
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(blocks) == len(pins(lock)) > 0
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==[^\s*]+( ;.*)? \\\n", block), block[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), block[:80]


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (
            LOCKS[0],
            project()["project"]["dependencies"]
            + project()["project"]["optional-dependencies"]["jwt"]
            + project()["project"]["optional-dependencies"]["otel"]
            + project()["project"]["optional-dependencies"]["postgres"],
        ),
        (LOCKS[1], project()["build-system"]["requires"]),
    ],
    ids=["requirements.lock", "build.lock"],
)
def test_a_lock_satisfies_the_project(lock: Path, wanted: list[str]) -> None:
    """Each direct requirement is locked to versions that it allows: a forgotten `make lock` fails here."""
    locked = pins(lock)
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        versions = [str(pin.specifier).removeprefix("==") for pin in locked if pin.name == name]
        assert versions, f"{name} is missing: make lock"
        assert all(requirement.specifier.contains(version) for version in versions), f"{name}: make lock"


def test_the_dockerfile_is_clean() -> None:
    """Hadolint finds nothing."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_what_the_deployments_expect() -> None:
    """The number of the user, the port and the health check are the same everywhere."""
    text = (ROOT / "Dockerfile").read_text()
    assert f"\nUSER {USER}:{USER}\n" in text
    assert f"\nEXPOSE {Settings.model_fields['port'].default}\n" in text
    assert 'CMD ["lossmeter", "healthcheck"]' in text
    assert text.count("\nFROM ") == 2
    assert f"\nARG VERSION={lossmeter.__version__}\n" in text


def test_compose_is_hardened() -> None:
    """Read-only, no capabilities, no new privileges, bounded, and published on this machine only."""
    api = compose()
    for name, service in services().items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert {"mem_limit", "cpus", "pids_limit"} <= service.keys(), name
        assert "privileged" not in service
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for mount in service.get("volumes", ()):
            source, _, rest = mount.partition(":")
            assert not source.startswith(".") or (DEPLOY / source).exists()
            assert not source.startswith(".") or rest.endswith(":ro")
    assert api["user"] == f"{USER}:{USER}"
    assert [mount.split(":")[0] for mount in api["tmpfs"]] == ["/tmp"]  # noqa: S108  (in the container)
    assert "ports" not in api
    assert api["healthcheck"]["test"] == ["CMD", "lossmeter", "healthcheck"]
    assert api["image"].endswith(f":{lossmeter.__version__}")
    assert all(re.search(r":v?\d+\.\d+", service["image"]) for service in services().values())


@pytest.mark.skipif(
    not DCLINT.exists(), reason="there is no dclint; where npm is, `make clients` installs it"
)
def test_compose_is_clean() -> None:
    """Dclint finds nothing, but for what deploy/.dclintrc.yaml gives a reason against."""
    done = subprocess.run(
        [DCLINT, f"--config={DEPLOY / '.dclintrc.yaml'}", "--max-warnings=0", DEPLOY / "compose.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_stops_more_slowly_than_requests() -> None:
    """A container is not killed while a request may still be answered."""
    assert int(compose()["stop_grace_period"].removesuffix("s")) > LINGER_SECONDS + DRAIN_SECONDS


def test_compose_sets_only_what_can_be_set() -> None:
    """A name that the settings do not know would stop the container."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert compose()["environment"].keys() <= known | {"FORWARDED_ALLOW_IPS"}
