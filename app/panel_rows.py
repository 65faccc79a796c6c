"""What the sources panel and the path show, as values made from the sources and the focus. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from app.context import Source
from app.pages import PAGES, PageSpec, home, missing
from app.saved import SavedView
from engine_bridge.focus import Focus
from engine_bridge.format import count, plain
from widgets.shell.breadcrumb import Crumb
from widgets.shell.sources_panel import PanelRow

_WORDS = {"opening": "opening …", "failed": "failed", "stale": "no answer", "closed": "closed"}


def rows(
    sources: Sequence[Source],
    views: Iterable[SavedView],
    focus: Focus,
    counts: Mapping[str, int] = MappingProxyType({}),
) -> list[PanelRow]:
    """Sources, the focused source's pages, saved views; ``counts`` are of the pages that need no source."""
    found = [PanelRow("header", "Sources")]
    found += [_source(source, focus) for source in sources]
    if not sources:
        found.append(PanelRow("hint", "none yet: Ctrl+N connects"))
    focused = next((source for source in sources if source.key == focus.source), None)
    if focused is not None:
        found.append(PanelRow("header", focused.title))
        found += [_page(spec, focused, focus, counts) for spec in PAGES if listed(spec, focused)]
    else:
        found.append(PanelRow("header", "Operators"))
        found += [_page(spec, None, focus, counts) for spec in PAGES if spec.title and not spec.capability]
    saved = [
        PanelRow("view", view.title, view, tooltip=view.query, current=_is(view, focus)) for view in views
    ]
    return found + ([PanelRow("header", "Saved views"), *saved] if saved else [])


def listed(spec: PageSpec, source: Source) -> bool:
    """Whether a page is offered for a source, be it with the reason why it cannot be shown."""
    if not spec.quiet or spec.capability is None or source.info is None:
        return bool(spec.title) and not spec.quiet
    told = spec.capability in source.info.capabilities or spec.capability in source.info.missing
    return bool(spec.title) and told


def _is(view: SavedView, focus: Focus) -> bool:
    return focus.page == "runs" and bool(view.query) and focus.query == view.query


def _source(source: Source, focus: Focus) -> PanelRow:
    engine = source.info.engine_title if source.info else ""
    note = f"{engine} · live" if source.state == "live" else _WORDS[source.state]
    tooltip = "\n".join(filter(None, (source.title, plain(source.url), str(source.error or ""))))
    return PanelRow(
        "source",
        source.title,
        source.key,
        note,
        source.state,
        current=source.key == focus.source,
        tooltip=tooltip,
        warn=source.state == "failed",
    )


def _page(spec: PageSpec, source: Source | None, focus: Focus, counts: Mapping[str, int]) -> PanelRow:
    number = source.counts.get(spec.count) if source is not None and spec.capability else None
    if not spec.capability:
        number = counts.get(spec.count) or None
    reason = missing(spec, source)
    return PanelRow(
        "page",
        spec.title,
        spec.name,
        "" if number is None else count(number),
        current=spec.name == _listing(focus, source),
        reason=reason,
        warn=spec.name == "failures" and bool(number),
    )


def _listing(focus: Focus, source: Source | None) -> str:
    """The page on the screen; for a run's page the one that lists it."""
    if focus.page != "run":
        return focus.page
    return (
        "entities"
        if focus.run is not None and focus.run.kind == "entity" and home(source) == "entities"
        else "runs"
    )


def crumbs(focus: Focus, source: Source | None) -> list[Crumb]:
    """The path of the focus; each part's value is the focus to go to."""
    if source is None and focus.page == "journal":
        return [Crumb("Journal", focus)]
    if focus.page == "welcome" or source is None:
        return [Crumb("Welcome", Focus())]
    there = Focus(page="runs", source=focus.source)
    parts = [Crumb(source.title, there)]
    page, type_ = _listing(focus, source), focus.type
    parts.append(Crumb(page, there.with_(page=page)))
    if focus.page == "run":
        type_ = focus.run.group if focus.run is not None and page == "entities" else None
    if type_:
        parts.append(Crumb(type_, there.with_(page=page, type=type_)))
    if focus.query and page in ("runs", "entities"):
        parts.append(Crumb(focus.query, there.with_(page=page, type=type_, query=focus.query)))
    if focus.page == "run" and focus.run is not None:
        parts.append(Crumb(focus.run.label, focus))
    return parts
