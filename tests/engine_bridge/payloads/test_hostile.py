"""Hostile pickles: nothing runs, nothing is imported, and rendering stays within time and memory."""

from __future__ import annotations

import base64
import os
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.payloads import decode, failure, summary
from engine_bridge.payloads.masking import mask

from .hostile import bombs, executable, executing, malformed, samples

CANARY = Path(f"/tmp/playhead-canary-{os.getpid()}")
FORBIDDEN = ("pickle.", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "webbrowser.")
FORBIDDEN += ("import", "exec", "compile", "open")
_watched: list[str] | None = None


def _audit(event: str, _args: tuple[Any, ...]) -> None:
    if _watched is not None and event.startswith(FORBIDDEN):
        _watched.append(event)


sys.addaudithook(_audit)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Collects audit events; a hook cannot be removed, so it is switched."""
    global _watched
    _watched = events = []
    try:
        yield events
    finally:
        _watched = None


ALL = samples(CANARY)


@pytest.fixture(autouse=True)
def _no_canary() -> Iterator[None]:
    CANARY.unlink(missing_ok=True)
    yield
    assert not CANARY.exists()


def test_there_are_enough_samples_and_the_canary_sings() -> None:
    assert len(ALL) >= 60
    with watched() as events:
        for load in executable(CANARY):
            load()
            assert CANARY.exists()
            CANARY.unlink()
    assert "pickle.find_class" in events and "os.system" in events


@pytest.mark.parametrize(("name", "raw"), ALL, ids=[name for name, _ in ALL])
def test_nothing_runs_and_rendering_is_bounded(name: str, raw: bytes) -> None:
    for stored in (raw, base64.b64encode(raw)):
        for encoding in ("py_pickle", None):
            with watched() as events:
                began = time.process_time()
                decoded = decode(stored, encoding)
                line = summary(decoded, 80)
                took = time.process_time() - began
            assert events == []
            assert took <= 2, took
            assert len(line) <= 80 and "\n" not in line
            assert len(decoded.text) <= 60 << 20


@pytest.mark.parametrize(("name", "raw"), list(bombs()), ids=[name for name, _ in bombs()])
def test_bombs_take_little_memory(name: str, raw: bytes) -> None:
    stored = base64.b64encode(raw)
    tracemalloc.start()
    try:
        decode(stored, "py_pickle")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 50 << 20


@pytest.mark.parametrize(
    ("name", "raw"), list(executing(CANARY)), ids=[name for name, _ in executing(CANARY)]
)
def test_failures_and_masking_run_nothing_either(name: str, raw: bytes) -> None:
    with watched() as events:
        failure(base64.b64encode(raw), "py_pickle")
        mask(decode(raw, "py_pickle").tree)
    assert events == []


@pytest.mark.parametrize(("name", "raw"), list(malformed()), ids=[name for name, _ in malformed()])
def test_malformed_pickles_say_where(name: str, raw: bytes) -> None:
    decoded = decode(base64.b64encode(raw), "py_pickle")
    if name != "frame too long":  # readers ignore frames
        assert decoded.error is not None and "at byte" in decoded.error


def test_what_a_hostile_pickle_would_import_is_named() -> None:
    found = {
        name for _, raw in executing(CANARY) for name in decode(base64.b64encode(raw), "py_pickle").globals
    }
    assert {"os.system", "posix.system", "eval", "subprocess.Popen", "pickle.loads"} <= found
