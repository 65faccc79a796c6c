"""Glyphs: each of our own names has a file, and a foreign name has a picture."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

import resources
from widgets import glyphs


def test_every_name_of_ours_has_a_file() -> None:
    named = {*glyphs.STATE.values(), *glyphs.KIND.values(), *glyphs.ACTION.values()}
    named |= {name for name, _ in glyphs.EVENT.values()}
    assert [name for name in named if not resources.path("icons", f"{name}.svg").is_file()] == []


def test_a_glyph_that_only_an_engine_knows_is_drawn_as_unknown(qtbot: QtBot) -> None:
    unknown = glyphs.pixmap("unknown", "#ffffff").toImage()
    assert glyphs.pixmap("sparkles", "#ffffff").toImage() == unknown
    assert glyphs.pixmap("rewind", "#ffffff").toImage() != unknown
