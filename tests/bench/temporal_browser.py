"""Headless Chromium, driven through ChromeDriver by the standard library alone: a tool of the benchmarks.

Debian's packages: ``apt-get install chromium chromium-driver``. Without them ``missing()`` says so.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.bench.temporal_memory import tree_mb
from tests.engines.temporal.local import free_port

_ARGUMENTS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--window-size=1600,900",
)  # fmt: skip
_CALL_S: Final = 180


def missing() -> str:
    """What is not installed, and how to; "" when all is there."""
    gone = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(gone)} missing: apt-get install chromium chromium-driver" if gone else ""


class Browser:
    """One browser with an empty profile, one page. Use it as a context."""

    def __enter__(self) -> Self:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._port = free_port()
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={self._port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def _begin(self) -> None:
        arguments = [*_ARGUMENTS, f"--user-data-dir={self._profile.name}"]
        options = {"binary": shutil.which("chromium"), "args": arguments}
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        deadline = time.monotonic() + 30
        while True:
            try:
                session = self._ask("POST", "/session", wanted)
                break
            except OSError:
                if time.monotonic() > deadline or self._driver.poll() is not None:
                    raise
                time.sleep(0.05)
        self._session = f"/session/{session['sessionId']}"
        self._ask("POST", f"{self._session}/timeouts", {"script": _CALL_S * 1000})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._ask("DELETE", self._session)
        self._end()

    def _end(self) -> None:
        self._driver.terminate()
        self._driver.wait(10)
        self._profile.cleanup()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=_CALL_S) as answer:
            return json.load(answer)["value"]

    def go(self, url: str) -> None:
        """Loads a page, and waits for its load event."""
        self._ask("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str, *args: Any) -> Any:
        """The value of a script's body."""
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": list(args)})

    def wait(self, script: str, *args: Any) -> Any:
        """What a script's body gives to its last argument, a callback."""
        return self._ask("POST", f"{self._session}/execute/async", {"script": script, "args": list(args)})

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    @property
    def mb(self) -> float:
        """Memory of all its processes."""
        return tree_mb(self._driver.pid)
