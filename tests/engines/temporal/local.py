"""Real Temporal servers and workers for tests, as processes of their own; nothing here imports the client."""

from __future__ import annotations

import ctypes
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.waiting import LIMIT_S

ROOT: Final = Path(__file__).resolve().parents[3]
NAMESPACE: Final = "shop"
ATTRIBUTES: Final = (
    "tenant=Keyword", "amount=Double", "items=Int", "express=Bool", "dueAt=Datetime", "tags=KeywordList", "remark=Text",
)  # fmt: skip


class LocalServer:
    """A development server on a free port of the loopback, with its database in a file; with its page if asked."""

    def __init__(self, folder: Path, *options: str, page: bool = False) -> None:
        self.program = Path(sys.executable).with_name("temporal")
        self.file = folder / "temporal.db"
        self.port = free_port()
        self.page_port = free_port() if page else 0
        self._options = options
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"temporal://{self.address}/{NAMESPACE}"

    def _shows(self) -> tuple[str, ...]:
        page = ("--ui-port", str(self.page_port), "--ui-disable-news-fetch")
        return page if self.page_port else ("--headless",)

    def start(self) -> None:
        """Starts it (again), and waits until its port answers."""
        # It picks ports for its parts itself, and one of them may be taken before it comes to listen there.
        if not any(self._comes_up() for _ in range(3)):
            raise RuntimeError(self._log.read_text()[-2000:])

    def _comes_up(self) -> bool:
        attributes = [part for pair in ATTRIBUTES for part in ("--search-attribute", pair)]
        command = [
            str(self.program), "server", "start-dev", *self._shows(), "--ip", "127.0.0.1",
            "--port", str(self.port), "--db-filename", str(self.file), "--log-level", "error",
            "--namespace", NAMESPACE, *attributes, "--dynamic-config-value", "frontend.WorkflowPauseEnabled=true",
            *self._options,
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=_dies_with_its_parent
            )
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            time.sleep(0.02)
        self.stop(kill=True)
        return False

    def stop(self, *, kill: bool = False) -> None:
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait(LIMIT_S)
            self._process = None


@contextmanager
def recording() -> Iterator[LocalServer]:
    """A server in a folder of its own, for histories that are recorded."""
    with tempfile.TemporaryDirectory() as folder:
        server = LocalServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop(kill=True)


class LocalWorker:
    """A worker of the sample workflows (apps/worker.py), which starts runs too."""

    def __init__(self, server: LocalServer, namespace: str = NAMESPACE, *options: str) -> None:
        module = "tests.engines.temporal.apps.worker"
        command = [sys.executable, "-m", module, server.address, namespace, *options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._answer()

    def ask(self, command: str, *args: Any, **options: Any) -> Any:
        """One command of the clerk, and its answer. Raises RuntimeError as it failed."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, args, options]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = "?"
        while line and not line.startswith("@"):
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended with {self._process.wait(LIMIT_S)}")
        answer = json.loads(line[1:])
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self, *, kill: bool = False) -> None:
        if kill:
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        try:
            self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(LIMIT_S)


def _dies_with_its_parent() -> None:
    """On Linux, where tests may be killed themselves."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def fill(worker: LocalWorker) -> None:
    """Two dozen runs in every status, stuck ones, a chain, a family, a reset, a paused one, schedules."""
    ask = worker.ask
    for number in range(1, 7):
        ask(
            "start",
            "fulfil_order",
            f"order-{number:04d}",
            f"order-{number:04d}",
            tenant="acme" if number % 2 else "globex",
        )
    for number in (7, 8):
        ask("start", "fulfil_order", f"order-{number:04d}", f"poor-{number}", tenant="globex")
    ask("start", "fulfil_order", "order-0009", "order-0009", True)
    ask("start", "fulfil_order", "order-0010", "order-0010", True)
    ask("start", "import_catalog", "catalog", 2)
    ask("start", "nightly_export", "export-stuck", "ledger")
    ask("start", "send_invoice", "invoice-waits", "i1", tenant="initech")
    ask("start", "send_invoice", "invoice-cancelled", "i2")
    ask("start", "send_invoice", "invoice-terminated", "i3", tenant="globex")
    ask("start", "send_invoice", "invoice-timed-out", "i4", run_timeout=1)
    ask("start", "research_agent", "agent", 5)
    ask("start", "new_release", "release", "broken")
    ask("start", "send_invoice", "nobody-works", "i5", queue="nobody")
    ask("start", "send_invoice", "invoice-later", "i6", start_delay=86_400)
    for number in range(1, 9):
        ask("wait", f"order-{number:04d}")
    for done in ("catalog", "agent"):
        ask("wait", done)
    ask("signal", "order-0010", "approve_order", "ann")
    ask("wait", "order-0010")
    ask("update", "order-0009", "change_address", "there")
    ask("cancel", "invoice-cancelled")
    ask("terminate", "invoice-terminated")
    ask("reset", "order-0001", 4)
    ask("wait", "order-0001")
    for cancelled in ("invoice-cancelled", "invoice-timed-out"):
        ask("wait", cancelled)
    ask("schedule", "nightly", False)
    ask("schedule", "paused-one", True)
    # The lists tell of an end a moment after the end itself.
    orders = [f"order-{number:04d}" for number in range(1, 11) if number != 9]
    for closed in (
        *orders,
        "catalog",
        "agent",
        *(f"invoice-{how}" for how in ("cancelled", "terminated", "timed-out")),
    ):
        ask("listed", closed)


def free_port() -> int:
    """A port that the kernel gives to no connection: it is still free when a server is started again."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
