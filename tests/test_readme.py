"""The README does what it says: its commands are run, its answers compared, its tables made anew."""

from __future__ import annotations

import doctest
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lossmeter
from lossmeter.engine import LOSSES
from lossmeter.settings import PREFIX, Settings
from servers import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lossmeter.engine import Parameter
    from servers import Server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")
ROUNDED_DIGITS = 8
"""Numbers of at least so many digits are results of arithmetic; shorter ones are compared as text."""


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[tuple[str, str]]:
    """Commands of the console blocks and what they print; a command follows ``$``."""
    entries = [entry for block in blocks("console") for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)]
    said = [entry.partition("\n") for entry in entries]
    return [(command, output) for command, _, output in said if command.split(" ")[0] == program]


def is_same(shown: str, got: str) -> bool:
    """Whether two texts are equal but for the spaces of JSON and the last three digits of long numbers.

    The digits depend on the processor: NumPy's ``exp`` is another one with AVX-512 than without.
    """
    shown, got = plain(shown), plain(got)
    if NUMBER.sub("#", shown) != NUMBER.sub("#", got):
        return False
    return all(map(is_close, NUMBER.findall(shown), NUMBER.findall(got)))


def plain(text: str) -> str:
    """JSON without line breaks, anything else without those around it."""
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text.strip()


def is_close(shown: str, got: str) -> bool:
    """Whether a number is the one that is shown."""
    digits = len(re.sub(r"e.*|\D", "", shown))
    if digits < ROUNDED_DIGITS:
        return shown == got
    return math.isclose(float(shown), float(got), rel_tol=10.0 ** (3 - digits))


def shell(command: str, folder: Path) -> str:
    """What a shell in the repository prints, with ``lossmeter`` on its path whether installed or not."""
    stand_in = folder / "lossmeter"
    stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lossmeter "$@"\n', encoding="utf-8")
    stand_in.chmod(0o755)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], str(folder)])
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes events."""
    with running(events_store=tmp_path_factory.mktemp("store") / "events.sqlite") as started:
        yield started


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """Console, Python session, or the one tree of folders; and no program but those below is called."""
    fences = re.findall(r"^```(.*)$", README, re.MULTILINE)[::2]
    assert set(fences) == {"console", "pycon", "text"}
    assert len(blocks("text")) == 1
    known = sum(len(commands(program)) for program in ("make", "curl", "lossmeter"))
    assert known == len(re.findall(r"^\$ ", README, re.MULTILINE))


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize(("command", "output"), commands("curl"))
def test_curl(command: str, output: str, server: Server, sink: Server, tmp_path: Path) -> None:
    """The service answers what is shown; with a store, where it is about events."""
    assert ADDRESS in command
    asked = sink if re.search("/v1/(events|feedback)", command) else server
    got = shell(command.replace(ADDRESS, asked.url), tmp_path)
    assert is_same(output, got), got


@pytest.mark.parametrize(("command", "output"), commands("lossmeter"))
def test_command(command: str, output: str, tmp_path: Path) -> None:
    """The command prints what is shown."""
    got = shell(command, tmp_path)
    assert is_same(output, got), got


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize(
    ("command", "last"),
    [
        ("make run", "lossmeter serve"),
        ("make test", "coverage report"),
        ("make bench BENCH=json_endpoint", "exec .venv/bin/python benchmarks/json_endpoint.py"),
        ("make bench BENCH=accuracy", "exec .venv/bin/python benchmarks/accuracy.py"),
        ("make bench BENCH=faults ARGS=--quick", "exec .venv/bin/python benchmarks/faults.py --quick"),
        ("make bench BENCH=engine", "exec .venv/bin/python benchmarks/engine.py"),
    ],
)
def test_make(command: str, last: str) -> None:
    """Targets exist and end as described.

    They are not run: one never ends, one would run this test, and one takes a minute; a shorter one is below.
    """
    assert command in [shown for shown, _ in commands("make")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    planned = subprocess.run(
        ["make", "-n", *command.split()[1:]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert last in planned.stdout


class Checker(doctest.OutputChecker):
    """Doctest's, but for the last digits."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Whether what is wanted was printed."""
        return super().check_output(want, got, optionflags) or is_same(want, got)


def test_python(server: Server) -> None:
    """The Python sessions, as one."""
    said_there = "".join(blocks("pycon")).replace(ADDRESS, server.url)
    session = doctest.DocTestParser().get_doctest(said_there, {}, "README", "README.md", 0)
    assert len(session.examples) > 5
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(checker=Checker()).run(session, out=said.append)
    assert not failed, "".join(said)


def test_what_is_said_of_pytorch() -> None:
    """It answers 0 where the truth is 8.5e-18."""
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: it is in the extra torch")
    logits = torch.tensor([[40.0, 0.0, 0.0]], dtype=torch.float64)
    assert torch.nn.functional.cross_entropy(logits, torch.tensor([0])).item() == 0


def rows(head: str) -> list[str]:
    """The rows of the table with this head."""
    table = README.partition(f"{head}\n")[2].partition("\n\n")[0]
    return table.splitlines()[1:]


def parameter(about: Parameter) -> str:
    """A parameter as the table has it: ``gamma` = 2 (a number >= 0)``."""
    default = "none" if about.default is None else f"{about.default:g}"
    many = ", or one for each label" if about.scalar else " for each class"
    return f"`{about.name}` = {default} ({about.range}{many if about.vector else ''})"


def losses() -> Iterator[str]:
    """The rows that the table of losses should have."""
    for loss in LOSSES.values():
        parameters = "; ".join(map(parameter, loss.parameters().values()))
        yield f"| `{loss.name}` | $`{loss.formula}`$ | {parameters} |"


def settings() -> Iterator[str]:
    """The rows that the table of settings should have."""
    for name, field in Settings.model_fields.items():
        yield f"| `{PREFIX}{name.upper()}` | {default_of(field.default)} | {field.description} |"


def default_of(value: object) -> str:
    """A default as one would set it."""
    if value in (None, ()):
        return "not set"
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else "empty"


def test_table_of_losses() -> None:
    """It is what the registry says."""
    assert rows("| name | formula of a row | parameters |") == list(losses())


def test_table_of_settings() -> None:
    """It is what the settings say."""
    assert rows("| name | default | meaning |") == list(settings())


def test_tree_of_folders() -> None:
    """Every path of it exists, and every folder and module of the package is in it or in one that is."""
    named, parents = set(), [ROOT]
    for line in blocks("text")[0].splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()  # type: ignore[union-attr]
        del parents[len(indent) // 2 + 1 :]
        parents.append(parents[-1] / name)
        assert parents[-1].exists(), name
        named.add(parents[-1])
    package = ROOT / "service" / "lossmeter"
    assert {path for path in package.iterdir() if path.name[0] != "_" and path.name != "py.typed"} <= named


def test_links() -> None:
    """Every link to a file or a section leads to one."""
    headings = re.findall(r"^## (.*)$", README, re.MULTILINE)
    sections = {f"#{heading.lower().replace(' ', '-')}" for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target in sections or target.startswith("https://") or (ROOT / target).exists(), target


def test_benchmark_of_the_table() -> None:
    """The script that measured it still runs, on less, and has the table's rows."""
    done = subprocess.run(
        [sys.executable, "benchmarks/json_endpoint.py", "--rows", "50", "--classes", "5", "--repeats", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    measured = rows("| | median | times | processor time | largest resident set | divided by the body |")
    names = [row.split()[1] for row in measured]
    assert names == ["lossmeter", "plain", "typed"]
    assert [line.split()[0] for line in done.stdout.splitlines()[3:]] == names


def test_changelog_has_this_version() -> None:
    """What is released is described."""
    assert f"## [{lossmeter.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
