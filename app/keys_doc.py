"""Writes docs/keys.md from the command registry: ``python -m app.keys_doc``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from app.keys import keys_markdown
from app.pages import page_titles
from app.window import MainWindow

PATH: Final = Path(__file__).parent.parent / "docs" / "keys.md"


def text(window: MainWindow) -> str:
    """The page's text; every page of the window is built for it. GUI thread."""
    window.router.pages.build_all()
    return keys_markdown(window.commands, page_titles())


def main() -> None:
    """Writes the file, without a display."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication(sys.argv[:1])
    window = MainWindow()
    PATH.write_text(text(window), "utf-8")
    window.close()
    app.quit()


if __name__ == "__main__":
    main()
