"""Fetch the pinned Swagger UI and ReDoc into the package: ``python deploy/refresh_docs_assets.py``.

To move to another version, change ``PACKAGES``, run this, look at both pages, commit. The files are stored
exactly as published; ``SHA256SUMS`` beside them records what they were, and the tests compare. Needs ``npm``
on PATH; where npm finds packages is npm's own configuration.
"""

# A script, not a package: that is what INP001 is told here.
# ruff: noqa: INP001

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

STATIC: Final = Path(__file__).parent.parent / "service" / "lossmeter" / "api" / "static"


class Package(NamedTuple):
    """A published package and which of its files are shipped.

    Attributes:
        name: what npm calls it.
        version: the exact version.
        files: path inside the package -> file name in the static folder.
    """

    name: str
    version: str
    files: dict[str, str]


PACKAGES: Final = (
    Package(
        "swagger-ui-dist",
        "5.35.0",
        {
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
            "swagger-ui.css": "swagger-ui.css",
            "favicon-32x32.png": "favicon-32x32.png",
            "LICENSE": "swagger-ui.LICENSE.txt",
            "NOTICE": "swagger-ui.NOTICE.txt",
        },
    ),
    Package(
        "redoc",
        "2.5.4",
        {
            "bundles/redoc.standalone.js": "redoc.standalone.js",
            "bundles/redoc.standalone.js.LICENSE.txt": "redoc.standalone.js.LICENSE.txt",
            "LICENSE": "redoc.LICENSE.txt",
        },
    ),
)


def download(package: Package, folder: Path) -> Path:
    """Let npm fetch the package's archive into the folder; npm checks its integrity."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("refresh_docs_assets: npm is not on PATH")
    target = f"{package.name}@{package.version}"
    # The arguments are the constants above, and npm is the one on PATH on purpose.
    command = [npm, "pack", target, "--silent", f"--pack-destination={folder}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return next(folder.glob(f"{package.name}-*.tgz"))


def extract(package: Package, archive: Path) -> dict[str, bytes]:
    """Read the files that are shipped out of the archive, by the name they get here."""
    contents = {}
    with tarfile.open(archive) as tar:
        for inside, name in package.files.items():
            member = tar.extractfile(f"package/{inside}")
            if member is None:
                raise SystemExit(f"refresh_docs_assets: {inside} is no file in {package.name}")
            contents[name] = member.read()
    return contents


def main() -> None:
    """Replace the vendored files and the record of their hashes (which ``sha256sum --check`` reads too)."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            lines.append(f"# {package.name} {package.version}")
            for name, content in extract(package, download(package, Path(folder))).items():
                STATIC.joinpath(name).write_bytes(content)
                lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}")
    STATIC.joinpath("SHA256SUMS").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
