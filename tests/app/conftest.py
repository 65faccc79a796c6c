"""Fixtures of the window's tests."""

from tests.app.window_fixture import engine, opened, window

__all__ = ["engine", "opened", "window"]
