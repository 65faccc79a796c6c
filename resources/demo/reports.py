"""Monthly reports: one at a time on each worker, by priority, deduplicated, and cancelled at their deadline."""

from __future__ import annotations

from typing import Any

from dbos import DBOS

from resources.demo import pace

SECTIONS = ("revenue", "returns", "shipping", "stock", "campaigns", "forecast")


@DBOS.step()
def render_section(month: str, section: str) -> dict[str, Any]:
    """One section of the report, and the seconds that the database should rest after it."""
    pace.work(1.0, 2.5)
    file = f"{month}/{section}.pdf ({pace.dice().randrange(2, 40)} pages)"
    return {"file": file, "rest": pace.seconds(1.5)}


@DBOS.workflow()
def monthly_report(month: str) -> list[str]:
    """Renders section by section, with a pause that lets the database breathe."""
    pages = []
    for number, section in enumerate(SECTIONS, 1):
        DBOS.set_event("progress", number / len(SECTIONS))
        rendered = render_section(month, section)
        pages.append(rendered["file"])
        DBOS.sleep(rendered["rest"])
    return pages
