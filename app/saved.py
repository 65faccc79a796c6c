"""What the user keeps: named sources, recently opened ones, saved views. Qt-free, for the command line too.

``sources.toml`` and ``views.toml`` of the configuration folder hold no secret: every URL passes ``safe_url``.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app import toml_file
from engine_bridge.errors import NotFoundError, UsageError
from engine_bridge.words import Environment

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


@dataclass(frozen=True, slots=True)
class SavedSource:
    """A named source; ``@name`` opens it. ``url`` is a URL or a path, without secret."""

    name: str
    url: str
    environment: Environment = Environment.DEV


@dataclass(frozen=True, slots=True)
class Recent:
    """A source that was opened; ``opened_ns`` when, for the last time."""

    url: str
    title: str
    opened_ns: int


@dataclass(frozen=True, slots=True)
class SavedView:
    """A filter worth keeping; it fits any source."""

    title: str
    query: str


class Saved:
    """Reads and changes the two files. Raises PlayheadError when one cannot be written. Any thread."""

    def __init__(self, folder: Path | None = None) -> None:
        self._sources = folder / "sources.toml" if folder else toml_file.config_path("sources.toml")
        self._views = folder / "views.toml" if folder else toml_file.config_path("views.toml")

    def sources(self) -> list[SavedSource]:
        """All named sources, by name."""
        rows = _rows(toml_file.read(self._sources), "source")
        found = [SavedSource(r["name"], r["url"], _environment(r)) for r in rows if _has(r, "name", "url")]
        return sorted(found, key=lambda source: source.name.lower())

    def source(self, name: str) -> SavedSource:
        """The source of a name, with or without its ``@``. Raises NotFoundError."""
        wanted = name.removeprefix("@")
        for source in self.sources():
            if source.name == wanted:
                return source
        known = ", ".join(f"@{source.name}" for source in self.sources())
        hint = (
            f"Saved: {known}." if known else "Save one in the connect dialog or with `playhead source add`."
        )
        raise NotFoundError(f"No source is saved as @{wanted}.", hint)

    def save_source(
        self, name: str, url: str, environment: Environment = Environment.DEV, *, replace: bool = False
    ) -> SavedSource:
        """Keeps a source under a name; its secret, if the URL has one, is dropped. Raises UsageError."""
        name = name.removeprefix("@")
        if not re.fullmatch(_NAME, name):
            raise UsageError(
                f"A source cannot be called {name!r}.", "Use letters, digits, dot, dash and underscore."
            )
        from app.secrets import safe_url

        source = SavedSource(name, safe_url(url)[0], environment)

        def change(content: toml_file.Table) -> None:
            rows = _rows(content, "source")
            if not replace and any(row.get("name") == name for row in rows):
                raise UsageError(
                    f"A source called @{name} exists.", "Choose another name, or remove that one first."
                )
            row = {"name": name, "url": source.url, "environment": environment.value}
            content["source"] = [r for r in rows if r.get("name") != name] + [row]

        toml_file.update(self._sources, change)
        return source

    def rename_source(self, old: str, new: str) -> SavedSource:
        """Raises NotFoundError for an unknown name and UsageError for a bad or taken new one."""
        source = self.source(old)
        renamed = self.save_source(new, source.url, source.environment)
        self.remove_source(old)
        return renamed

    def set_environment(self, name: str, environment: Environment) -> None:
        """Raises NotFoundError for an unknown name."""
        self.save_source(name, self.source(name).url, environment, replace=True)

    def remove_source(self, name: str) -> None:
        """Raises NotFoundError when there is none of that name."""
        wanted = self.source(name).name
        toml_file.update(self._sources, lambda content: _drop(content, "source", "name", wanted))

    def recents(self) -> list[Recent]:
        """Recently opened sources, newest first."""
        rows = [r for r in _rows(toml_file.read(self._sources), "recent") if _has(r, "url", "title")]
        found = [Recent(r["url"], r["title"], _int(r.get("opened_ns"))) for r in rows]
        return sorted(found, key=lambda recent: -recent.opened_ns)

    def add_recent(self, url: str, title: str, keep: int) -> None:
        """Remembers that a source was opened now, and forgets all but the newest ``keep``."""
        from app.secrets import safe_url

        row = {"url": safe_url(url)[0], "title": title, "opened_ns": time.time_ns()}

        def change(content: toml_file.Table) -> None:
            rows = [r for r in _rows(content, "recent") if r.get("url") != row["url"]]
            rows = [row, *sorted(rows, key=lambda r: -_int(r.get("opened_ns")))]
            content["recent"] = rows[:keep]

        toml_file.update(self._sources, change, durable=False)

    def remove_recent(self, url: str) -> None:
        toml_file.update(self._sources, lambda content: _drop(content, "recent", "url", url))

    def views(self) -> list[SavedView]:
        """Saved views, in the order in which they were saved."""
        rows = _rows(toml_file.read(self._views), "view")
        return [SavedView(r["title"], r["query"]) for r in rows if _has(r, "title", "query")]

    def save_view(self, title: str, query: str) -> SavedView:
        """Keeps a filter; one of the same title is replaced. Raises UsageError for an empty title."""
        title = title.strip()
        if not title:
            raise UsageError("A saved view needs a title.")

        def change(content: toml_file.Table) -> None:
            rows = [r for r in _rows(content, "view") if r.get("title") != title]
            content["view"] = [*rows, {"title": title, "query": query}]

        toml_file.update(self._views, change)
        return SavedView(title, query)

    def remove_view(self, title: str) -> None:
        toml_file.update(self._views, lambda content: _drop(content, "view", "title", title))


def _rows(content: toml_file.Table, name: str) -> list[toml_file.Table]:
    rows = content.get(name, [])
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _has(row: toml_file.Table, *names: str) -> bool:
    return all(isinstance(row.get(name), str) for name in names)


def _int(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _drop(content: toml_file.Table, table: str, key: str, value: str) -> None:
    content[table] = [row for row in _rows(content, table) if row.get(key) != value]


def _environment(row: toml_file.Table) -> Environment:
    try:
        return Environment(row.get("environment", Environment.DEV))
    except ValueError:
        # A hand-written "prod" must not open as harmless.
        return Environment.PRODUCTION
