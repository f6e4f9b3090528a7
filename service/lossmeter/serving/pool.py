"""Worker processes: as many as are wanted, each replaced the moment it dies, none left behind.

uvicorn's own supervisor keeps the listening sockets until its workers have ended; whoever connects meanwhile waits for
an answer that never comes. This one lets go of them first.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Final

from lossmeter.serving.config import DRAIN_SECONDS
from lossmeter.serving.server import LINGER_SECONDS, Server

if TYPE_CHECKING:
    import socket
    from multiprocessing.process import BaseProcess

    from lossmeter.serving.config import Config

LOG: Final = logging.getLogger("lossmeter")

STARTUP_FAILED: Final = 3
"""What uvicorn exits with when the application does not start."""

INTERRUPTED: Final = 128 + signal.SIGINT

_PRELOADED: Final = ["lossmeter.api.app", "lossmeter.serving.server"]

_TICK: Final = 0.1
_PAUSE: Final = 1.0
_MOST_DEATHS: Final = 10
"""More in as many seconds, and the next worker waits for a second."""
_GRACE_SECONDS: Final = 5


class Pool:
    """The parent of the worker processes."""

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        self._config = config
        self._sockets = sockets
        # A fork of a process that has imported everything serves in a tenth of the time of a new one.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._workers: list[BaseProcess] = []
        self._signal: int | None = None
        self._deaths: list[float] = []

    def run(self) -> int:
        """Keeps the workers alive until told to stop; what to exit with."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        for _ in range(self._config.workers):
            self._start()
        while self._signal is None:
            wait([worker.sentinel for worker in self._workers], timeout=_TICK)
            for worker in [worker for worker in self._workers if worker.exitcode is not None]:
                if worker.exitcode == STARTUP_FAILED:
                    self._stop()
                    return STARTUP_FAILED
                self._let_go(worker)
            self._replace()
        self._stop()
        return INTERRUPTED if self._signal == signal.SIGINT else 0

    def _on_signal(self, number: int, _: object) -> None:
        self._signal = number

    def _start(self) -> None:
        worker = self._context.Process(target=work, args=(self._config, self._sockets))
        worker.start()
        self._workers.append(worker)

    def _let_go(self, worker: BaseProcess) -> None:
        self._workers.remove(worker)
        LOG.error("worker process %s ended with %s; another one takes its place", worker.pid, worker.exitcode)
        # It seems to have ended, too, when the process that forked it has. Then it is told to leave by this.
        worker.close()
        now = time.monotonic()
        self._deaths = [death for death in self._deaths if now - death < _MOST_DEATHS] + [now]
        if len(self._deaths) > _MOST_DEATHS:
            time.sleep(_PAUSE)  # whatever kills them is not going to stop by being fed faster

    def _replace(self) -> None:
        """Starts those that are missing; where the system cannot now, they are still missing at the next look."""
        try:
            while self._signal is None and len(self._workers) < self._config.workers:
                self._start()
        except (OSError, EOFError, MemoryError) as error:
            LOG.error("no worker process can be started, it is tried again: %r", error)  # noqa: TRY400 - no fault of ours
            time.sleep(_PAUSE)

    def _stop(self) -> None:
        for listener in self._sockets:
            listener.close()
        for worker in self._workers:
            worker.terminate()
        last = (
            time.monotonic()
            + self._config.settings.shutdown_delay
            + LINGER_SECONDS
            + DRAIN_SECONDS
            + _GRACE_SECONDS
        )
        for worker in self._workers:
            worker.join(max(last - time.monotonic(), 0))
            worker.kill()
            worker.join()


def work(config: Config, sockets: list[socket.socket]) -> None:
    """A worker process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_outlive, args=(parent.sentinel,), daemon=True).start()
    config.configure_logging()
    Server(config).run(sockets)


def _outlive(parent: int) -> None:
    """Leaves in order when the parent is no more."""
    wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)
