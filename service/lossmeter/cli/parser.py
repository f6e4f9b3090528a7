"""What can be typed. Nothing heavy is imported here: this is all that ``--help`` needs."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, NoReturn

import lossmeter

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Commands = _SubParsersAction["OneLineParser"]

DESCRIPTION = """\
Say how wrong a classifier is: losses, gradients and KL divergences, over HTTP or from a file.

Settings come from the environment (LOSSMETER_PORT=9000); a flag wins over them.
Exit status: 0 done, 1 refused or failed, 2 bad usage."""

SERVE = """\
Start the REST service and serve until SIGINT or SIGTERM; requests in progress get 20 seconds to end.

  lossmeter serve --port 9000 --workers 2

Swagger UI is under /docs, ReDoc under /redoc, the schema under /openapi.json.
Limits and keys are set in the environment: LOSSMETER_MAX_BODY_BYTES, LOSSMETER_API_KEYS_FILE and others.
On another address than this machine's own it starts with keys, or with LOSSMETER_ALLOW_ANONYMOUS=true."""

SCORE = """\
Score a request file and print the answer, without a server. The file is a body of POST /v1/score.

  echo '{"logits": [[2, 0, 0]], "targets": [0]}' | lossmeter score - --indent 2

A request that cannot be scored prints what is wrong, one line per offender, on stderr and exits with 1."""

LOSSES = """\
Print a table of the losses: name, parameters with their defaults, and one sentence on each.

  lossmeter losses | grep focal

A parameter whose default is "none" is off unless it is sent."""

HEALTHCHECK = """\
Ask a running service whether it is ready: exit status 0 if it is, 1 if not. For containers' health checks.

  lossmeter healthcheck --url http://127.0.0.1:9000

It waits 3 seconds for the answer."""

KEY = """\
Make a key for a caller: prints the key, and the line by which the service knows it without having it.

  lossmeter key new --name ci --scopes score --rate 100/s

The line is for the file that LOSSMETER_API_KEYS_FILE names; the service takes it up without a restart."""

SETTINGS = """\
Print the settings that are in force, one per line as the environment has them, secrets hidden.

  LOSSMETER_WORKERS=4 lossmeter settings | grep -v '^#'

What is behind a # nobody has set: it is the default, or empty where there is none."""

OPENAPI = """\
Print the OpenAPI 3.1 schema of the service as JSON, without a server.

  lossmeter openapi > openapi.json

It is what /openapi.json answers under the same settings."""


class OneLineParser(ArgumentParser):
    """A parser that answers bad usage with one line instead of a page."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2 and one line that names the way to the help."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (try {self.prog} --help)\n")


def build_parser() -> ArgumentParser:
    """The whole command line; ``command`` in what it parses is the module that runs it."""
    parser = OneLineParser(
        prog="lossmeter",
        description=DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lossmeter {lossmeter.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_score(commands)
    _add(commands, "losses", "print a table of the losses", LOSSES)
    _add_healthcheck(commands)
    _add_key(commands)
    _add(commands, "settings", "print the settings that are in force", SETTINGS)
    _add(commands, "openapi", "print the OpenAPI schema", OPENAPI)
    return parser


def _add(commands: Commands, name: str, summary: str, description: str) -> ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_serve(commands: Commands) -> None:
    serve = _add(commands, "serve", "start the REST service", SERVE)
    serve.add_argument(
        "--host", help="address to listen on (default: LOSSMETER_HOST, else 127.0.0.1); 0.0.0.0 is every one"
    )
    serve.add_argument(
        "--port",
        type=int,
        help="port to listen on (default: LOSSMETER_PORT, else 8000); 0 is any that is free",
    )
    serve.add_argument("--workers", type=int, help="worker processes (default: LOSSMETER_WORKERS, else 1)")
    serve.add_argument(
        "--tls-certificate", metavar="FILE", help="PEM of the certificate: https instead of http"
    )
    serve.add_argument("--tls-key", metavar="FILE", help="PEM of its private key (default: in the same file)")
    serve.add_argument(
        "--tls-client-ca",
        metavar="FILE",
        help="PEM of who signs callers' certificates; none connects without",
    )


def _add_score(commands: Commands) -> None:
    score = _add(commands, "score", "score a request file, without a server", SCORE)
    score.add_argument("file", metavar="FILE", help="a request as JSON; - reads standard input")
    score.add_argument(
        "--indent",
        type=int,
        choices=range(9),
        metavar="SPACES",
        help="indent the answer for people, by 0 to 8 (default: one line)",
    )


def _add_key(commands: Commands) -> None:
    key = _add(commands, "key", "make a key for a caller", KEY)
    actions = key.add_subparsers(dest="action", metavar="new", required=True, parser_class=OneLineParser)
    new = _add(actions, "new", "make a key", KEY)
    new.add_argument("--name", required=True, help="who is to have it: letters, digits, . _ -")
    new.add_argument(
        "--scopes",
        default="score",
        help="what for: score, metrics, or admin, which is everything; several with commas (default: score)",
    )
    new.add_argument(
        "--rate", help="how often, such as 100/s, 600/m or 5000/h (default: LOSSMETER_RATE_PER_KEY)"
    )


def _add_healthcheck(commands: Commands) -> None:
    healthcheck = _add(commands, "healthcheck", "ask whether a service is ready", HEALTHCHECK)
    healthcheck.add_argument(
        "--url",
        help="address of the service (default: http://127.0.0.1 with port LOSSMETER_PORT, else 8000); "
        "without a path, /health/ready is asked",
    )
