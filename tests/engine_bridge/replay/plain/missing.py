"""Runner part: an engine whose library nobody has."""

from __future__ import annotations

import importlib

from engine_bridge.replay.runners.loop import Engine, serve


class MissingEngine(Engine):
    """Cannot come up."""

    def warm(self) -> tuple[str, tuple[str, ...]]:
        return importlib.import_module("nolib").__version__, ()


serve(MissingEngine())
