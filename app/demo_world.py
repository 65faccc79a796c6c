"""One application of the demo: what it is called, where its files lie, and who makes its past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from app.demo_build import Builder


class DemoSource(NamedTuple):
    """A source that the demo offers to open."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class World:
    """An application with an engine, a SQLite file and worker processes (``python -m module FILE --mode live``).

    ``proof`` is a table that has rows in every complete past. ``address`` makes the URL of the file; ``weight`` is how
    long the past takes, compared with the others'. ``modules`` hold its workflows, where these can be replayed.
    """

    name: str
    file: str
    module: str
    proof: str
    address: Callable[[Path], str]
    builder: type[Builder]
    size: int
    weight: float
    modules: tuple[str, ...] = ()
