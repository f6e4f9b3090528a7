"""The command, run as people run it: in a process of its own."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lossmeter
from commands import environment, run
from lossmeter.engine import LOSSES
from lossmeter.settings import PREFIX, Settings

COMMANDS = ("serve", "score", "losses", "healthcheck", "openapi", "settings")

FIVE_CLASSES = '{"probabilities": [[0.1, 0.5, 0.1, 0.1, 0.2]], "targets": [[1, 0, 0, 0, 0]]}'


def test_version() -> None:
    """The version is the package's."""
    assert run("--version").stdout == f"lossmeter {lossmeter.__version__}\n"


def test_help_names_every_command() -> None:
    """The first page says what can be done and how a command ends."""
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for command in COMMANDS:
        assert re.search(rf"^ +{command}\b", done.stdout, re.MULTILINE), command
    assert "Exit status: 0 done, 1 refused or failed, 2 bad usage." in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_a_sentence_and_an_example(command: str) -> None:
    """What it does, then a line to copy."""
    done = run(command, "--help")
    assert done.returncode == 0
    description = done.stdout.split("\n\n")[1]
    assert description.endswith((".", ":")), description
    assert re.search(rf"^  .*lossmeter {command}\b", done.stdout, re.MULTILINE)


def test_the_help_of_serve_tells_the_defaults_that_are_true() -> None:
    """The numbers in the text are those of the settings."""
    text = " ".join(run("serve", "--help").stdout.split())
    defaults = Settings.model_fields
    for name in ("host", "port", "workers"):
        assert f"(default: LOSSMETER_{name.upper()}, else {defaults[name].default})" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "lossmeter: the following arguments are required: COMMAND"),
        (("frobnicate",), "lossmeter: argument COMMAND: invalid choice: 'frobnicate'"),
        (("serve", "--port", "eighty"), "lossmeter serve: argument --port: invalid int value: 'eighty'"),
        (("serve", "--port", "70000"), "lossmeter serve: --port=70000: input should be less than"),
        (("serve", "--workers", "0"), "lossmeter serve: --workers=0: input should be greater than"),
        (("serve", "--por", "1"), "lossmeter: unrecognized arguments: --por 1"),
        (("score",), "lossmeter score: the following arguments are required: FILE"),
        (("score", "no\nsuch"), "lossmeter score: cannot read 'no\\nsuch': No such file or directory"),
        (("score", "-", "--indent", "-1"), "lossmeter score: argument --indent: "),
        (("healthcheck", "--url", "localhost"), "lossmeter healthcheck: localhost: an address such as"),
        (("healthcheck", "--url", "http://a:b"), "lossmeter healthcheck: http://a:b: Port could not be"),
        (("losses", "more"), "lossmeter: unrecognized arguments: more"),
    ],
)
def test_bad_usage_is_one_line_and_exits_2(arguments: tuple[str, ...], message: str) -> None:
    """No page of usage, no traceback: what was wrong."""
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")


@pytest.mark.parametrize("command", [("serve",), ("score", "-"), ("openapi",)])
def test_a_misspelt_setting_stops_every_command_that_reads_settings(command: tuple[str, ...]) -> None:
    """One line that names the closest, before anything starts."""
    done = run(*command, LOSSMETER_PROT="1")
    assert done.returncode == 2
    assert done.stderr == (
        f"lossmeter {command[0]}: LOSSMETER_PROT is not a setting; the closest is LOSSMETER_PORT\n"
    )


PROBE = """
import sys
from lossmeter.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(sorted({"fastapi", "numpy", "pydantic", "uvicorn"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    "arguments", [("--help",), ("serve", "--help"), ("healthcheck", "--url", "http://127.0.0.1:1")]
)
def test_what_must_be_quick_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Help and the container's health check import neither the framework nor the engine."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_score_prints_the_answer_to_a_file(tmp_path: Path) -> None:
    """The example of the documentation costs ln 10."""
    request = tmp_path / "request.json"
    request.write_text(FIVE_CLASSES)
    done = run("score", str(request))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    answer = json.loads(done.stdout)
    assert answer["loss"] == pytest.approx(math.log(10), rel=1e-15)
    assert (answer["count"], answer["ignored"], answer["reduction"]) == (1, 0, "mean")


def test_score_reads_standard_input_and_indents() -> None:
    """The indented answer is the same answer."""
    plain = run("score", "-", stdin=FIVE_CLASSES)
    indented = run("score", "-", "--indent", "2", stdin=FIVE_CLASSES)
    assert indented.stdout.startswith('{\n  "')
    assert json.loads(indented.stdout) == json.loads(plain.stdout)


def test_score_tells_each_offender_with_its_pointer() -> None:
    """Refused, on stderr, one line per offender, nothing on stdout."""
    done = run("score", "-", stdin='{"logits": [[1, "NaN"], ["Infinity", 0]], "targets": [0, 1]}')
    assert (done.returncode, done.stdout) == (1, "")
    first, *offenders = done.stderr.splitlines()
    assert first == "lossmeter score: the request cannot be scored: 2 problems"
    assert [line.split(":")[0].strip() for line in offenders] == ["/logits/0/1", "/logits/1/0"]


def test_score_says_how_many_offenders_it_leaves_out() -> None:
    """A thousand bad numbers are counted, and 20 shown."""
    rows = [["NaN", 0.0]] * 1000
    done = run("score", "-", stdin=json.dumps({"logits": rows, "targets": [0] * 1000}))
    first, *offenders = done.stderr.splitlines()
    assert first == "lossmeter score: the request cannot be scored: 1000 problems, the first 20 of them"
    assert len(offenders) == 20


def test_score_refuses_what_is_not_json() -> None:
    """One line, exit 1."""
    done = run("score", "-", stdin='{"logits": ')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lossmeter score: ")
    assert done.stderr.count("\n") == 1


def test_score_obeys_the_limits_of_the_environment() -> None:
    """The same limits as the service's."""
    done = run("score", "-", stdin=FIVE_CLASSES, LOSSMETER_MAX_CLASSES="4")
    assert done.returncode == 1
    assert "/probabilities" in done.stderr


def test_losses_is_a_table_of_the_registry() -> None:
    """Every loss has a line with its name, its parameters and their defaults, and its sentence."""
    head, *rows = run("losses").stdout.splitlines()
    assert head.split() == ["loss", "parameters", "in", "one", "sentence"]
    assert [row.split()[0] for row in rows] == list(LOSSES)
    for row, loss in zip(rows, LOSSES.values(), strict=True):
        assert row.endswith(loss.summary)
        assert all(f"{name}=" in row for name in loss.parameters())
    assert "gamma=2" in rows[list(LOSSES).index("focal")]


def test_losses_into_a_reader_that_leaves() -> None:
    """A closed pipe is no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "lossmeter", "losses"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        env=environment(),
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_onto_a_full_disk() -> None:
    """One line says so."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lossmeter", "losses"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment(),
        )
    assert (done.returncode, done.stderr) == (1, "lossmeter losses: cannot write: No space left on device\n")


def test_settings_are_printed_as_they_are_set() -> None:
    """Every setting once, defaults behind a #, secrets hidden; what it prints can be set again."""
    chosen = {"WORKERS": "4", "DOCS": "no", "METRIC_LABELS": "model, region", "API_KEYS": "hunter2,hunter3"}
    sent = {PREFIX + name: value for name, value in chosen.items()}
    said = run("settings", **sent).stdout.splitlines()
    assert [line.removeprefix("# ").partition("=")[0] for line in said] == [
        PREFIX + name.upper() for name in Settings.model_fields
    ]
    assert [line for line in said if not line.startswith("#")] == [
        "LOSSMETER_WORKERS=4",
        "LOSSMETER_DOCS=false",
        "LOSSMETER_API_KEYS=(hidden),(hidden)",
        "LOSSMETER_METRIC_LABELS=model,region",
    ]
    assert "# LOSSMETER_THREADS=" in said
    again = dict(
        line.removeprefix("# ").split("=", 1) for line in said if not line.endswith(("=", "(hidden)"))
    )
    assert run("settings", **again).returncode == 0
    assert run("settings", LOSSMETER_PORT="x").returncode == 2


def test_openapi_prints_the_schema() -> None:
    """Valid JSON that names the endpoints."""
    schema: dict[str, Any] = json.loads(run("openapi").stdout)
    assert schema["openapi"].startswith("3.1")
    assert "/v1/score" in schema["paths"]
