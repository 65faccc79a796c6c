"""Fixtures of the window's tests."""

from tests.app.acting import acting
from tests.app.window_fixture import engine, opened, window
from tests.widgets.conftest import graphs_at_once

__all__ = ["acting", "engine", "graphs_at_once", "opened", "window"]
