"""One line for each request, and everything else that is logged, in one of two forms: JSON or text for people.

A line says what was asked, how it ended and what it cost; never what was in it.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from lossmeter.observability.record import Record

REQUESTS: Final = logging.getLogger("lossmeter.requests")

FIELDS: Final = "lossmeter"
"""The attribute of a log record that has the fields of a request."""

_COLOURS: Final = {"DEBUG": 36, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 41}
_FIRST_REFUSAL: Final = 400
_FIRST_FAILURE: Final = 500


class Requests:
    """Tells the log of requests."""

    def tell(self, record: Record, *, silent: bool) -> None:
        """One line for a request that is over: a warning if it failed; for debugging only, if it is silent."""
        failed = record.status >= _FIRST_FAILURE or not record.status
        level = logging.DEBUG if silent else logging.WARNING if failed else logging.INFO
        if REQUESTS.isEnabledFor(level):
            # Logger.log would walk the stack for who calls, which costs as much as all the rest.
            line = logging.LogRecord(REQUESTS.name, level, "", 0, "request", (), None)
            setattr(line, FIELDS, fields(record))
            REQUESTS.handle(line)


def fields(record: Record) -> dict[str, Any]:
    """What a line says of a request, but for what there is nothing to say of."""
    seconds = perf_counter() - record.begun
    found = {
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        "method": record.method[:16],
        "route": record.route,
        "status": record.status,
        "duration": round(seconds, 6),
        **{name: round(took, 6) for name, took in record.seconds.items() if took},
        "bytes_in": record.received,
        "bytes_out": record.sent,
        "rows": record.rows,
        "classes": record.classes,
        "loss": record.loss,
        "error": record.error,
    }
    return {name: value for name, value in found.items() if value != "" and (value or name in _ALWAYS)}


_ALWAYS: Final = frozenset(("status", "duration", "bytes_in", "bytes_out"))


class JSONLines(logging.Formatter):
    """One object per line: ``time``, ``level``, ``logger``, then the fields of a request or ``message``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        own = getattr(record, FIELDS, None)
        line |= own if own is not None else {"message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, option=orjson.OPT_UTC_Z, default=str).decode()


class Text(logging.Formatter):
    """For people: time, level, what happened; in colour on a terminal."""

    def __init__(self, *, colour: bool | None = None) -> None:
        super().__init__()
        self._colour = sys.stderr.isatty() if colour is None else colour

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback below it if there is one."""
        clock = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        level = f"{record.levelname.lower():<8}"
        if self._colour:
            level = f"\033[{_COLOURS.get(record.levelname, 0)}m{level}\033[0m"
        own = getattr(record, FIELDS, None)
        text = record.getMessage() if own is None else _sentence(own)
        return f"{clock} {level} {text}" + (
            f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        )


def _sentence(own: dict[str, Any]) -> str:
    head = f"{own.get('method', '-')} {own['route']} {own['status']} {own['duration'] * 1000:.1f} ms"
    rest = {
        name: value for name, value in own.items() if name not in {"method", "route", "status", "duration"}
    }
    return " ".join([head, *(f"{name}={value}" for name, value in rest.items())])


def configuration(form: str, level: str) -> dict[str, Any]:
    """For ``logging.config``: our lines and uvicorn's in one form, on stderr; uvicorn's own line of a request is off.

    Args:
        form: ``json``, ``text``, or ``auto``: text on a terminal, else JSON.
        level: the least severe that is logged.
    """
    people = form == "text" or (form == "auto" and sys.stderr.isatty())
    ours = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{__name__}.{'Text' if people else 'JSONLines'}"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
        },
        "loggers": {
            "uvicorn": ours,
            "uvicorn.access": {"handlers": [], "propagate": False},
            "lossmeter": ours,
        },
    }
