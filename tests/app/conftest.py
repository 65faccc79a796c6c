"""Fixtures of the window's tests."""

from tests.app.acting import acting
from tests.app.window_fixture import engine, opened, window

__all__ = ["acting", "engine", "opened", "window"]
