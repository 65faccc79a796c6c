"""Listing the runs of a server, and of its database with the server stopped, next to the server's raw calls.

    python -m tests.bench.bench_temporal_list [--runs N] [--seconds S] [--folder KEPT]

A development server gets N short runs (100,000 take it 12 minutes; it stops after S seconds and says how many there
are; a KEPT folder is made once). Then: pages of 200 rows, counts, facets and changes through a session as the window
has it, for each kind of clause; the window; the command line. JSON lines, wall ms, least of five rounds; ``raw_ms`` is
the server's own call for the same clause and as many rows, in its own order, which is not that of creation.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from engine_bridge.bridge import Page, Sort, load_engine
from engine_bridge.query import parse
from engine_bridge.session import Session
from tests.bench.temporal_place import Place, folder, load, say, told
from tests.engines.temporal.local import ROOT

_ROWS: Final = 200
_ROUNDS: Final = 5
CLAUSES: Final = {
    "all": ("", ""),
    "status": ("status == failed", "ExecutionStatus = 'Failed'"),
    "type": ('type == "type-03"', "WorkflowType = 'type-03'"),
    "search attribute": ('attributes.tenant == "globex"', "tenant = 'globex'"),
    "several": (
        'status in (failed, completed) and type != "type-07"',
        "ExecutionStatus IN ('Failed', 'Completed') AND WorkflowType != 'type-07'",
    ),
    "id": ('id == "run-000123"', "WorkflowId = 'run-000123'"),
    "prefix of an id": ("id ~ 'run-0001*'", "WorkflowId STARTS_WITH 'run-0001'"),
    "time": ("created > 2d ago", ""),
    "queue": ("queue == bench", "TaskQueue = 'bench'"),
    "error (closing events are read)": ('error contains "funds"', "ExecutionStatus = 'Failed'"),
    "memo (rows are looked at)": ("attributes.memo.number == 7", ""),
}
"""Our filter, and the raw clause beside it."""


class Asked:
    """One source by a session, as the window has it."""

    def __init__(self, url: str) -> None:
        engine = load_engine("temporal")
        self.session = Session(partial(engine.bridge, url, None), host=engine.host_of(url))
        begun = time.perf_counter()
        self.session.open().result()
        self.opened_ms = _since(begun)
        self.fields = self.session.call("fields").result()

    def page(self, node: Any, cursor: bytes | None = None, direction: str = "forward") -> Page:
        found: Page = self.session.call("runs", node, Sort(), cursor, direction, _ROWS).result()
        return found


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)


def timed(call: Callable[[], Any], rounds: int = _ROUNDS) -> tuple[float, float, Any]:
    """(first, least of the rounds, answer)."""
    took, answer = [], None
    for _ in range(rounds):
        begun = time.perf_counter()
        answer = call()
        took.append(_since(begun))
    return took[0], min(took), answer


def answer(session: Session, method: str, *args: Any) -> Any:
    return session.call(method, *args).result()


def lists(what: str, asked: Asked, raw: dict[str, Any]) -> None:
    """Pages and counts of each kind of clause."""
    for name, (text, clause) in CLAUSES.items():
        node, beside = parse(text, asked.fields) if text else None, raw.get(clause, {})
        cold, first, page = timed(partial(asked.page, node))
        say(
            "temporal_list", what=f"{what}: first page", clause=name, rows=len(page.items), first_look_ms=cold,
            ms=first, raw_ms=beside.get("first"), ratio=_ratio(first, beside.get("first")), searched=page.searched,
            of=page.of,
        )  # fmt: skip
        if page.after is not None and page.searched is None:
            _, ms, following = timed(partial(asked.page, node, page.after))
            say(
                "temporal_list", what=f"{what}: next page", clause=name, rows=len(following.items), ms=ms,
                raw_ms=beside.get("next"), ratio=_ratio(ms, beside.get("next")),
            )  # fmt: skip
        if page.searched is None:
            _, ms, number = timed(partial(answer, asked.session, "count", node))
            say(
                "temporal_list", what=f"{what}: count", clause=name, runs=number, ms=ms, raw_ms=beside.get("count"),
                ratio=_ratio(ms, beside.get("count")),
            )  # fmt: skip


def _ratio(ms: float, raw: float | None) -> float | None:
    return round(ms / raw, 2) if raw else None


def whole(what: str, asked: Asked, raw: dict[str, Any]) -> None:
    """Facets, changes, look-up by id, and the list's far end."""
    session = asked.session
    for name in ("all", "status"):
        text, clause = CLAUSES[name]
        node = parse(text, asked.fields) if text else None
        cold, ms, found = timed(partial(answer, session, "facets", node, 120), 3)
        say(
            "temporal_list", what=f"{what}: facets", clause=name, first_look_ms=cold, ms=ms, total=found.total,
            types=len(found.by_type), buckets=len(found.buckets), raw_by_status_ms=raw.get(clause, {}).get("by_status"),
        )  # fmt: skip
    mark = session.call("changes", None, ()).result().mark
    visible = tuple(run.ref for run in asked.page(None).items[:40])
    _, ms, _ = timed(lambda: session.call("changes", mark, visible).result())
    say("temporal_list", what=f"{what}: nothing changed, 40 rows in sight", ms=ms)
    _, ms, found = timed(lambda: session.call("find", "run-000777", 5).result())
    say("temporal_list", what=f"{what}: look-up of an id", ms=ms, found=len(found))
    cold, ms, page = timed(
        lambda: session.call("runs", None, Sort(descending=False), None, "forward", _ROWS).result()
    )
    say("temporal_list", what=f"{what}: oldest first", rows=len(page.items), first_look_ms=cold, ms=ms)


def window(what: str, url: str, place: Place | None) -> None:
    words = [text for text, _ in (CLAUSES["status"], CLAUSES["search attribute"], CLAUSES["type"])]
    found = told("tests.bench.temporal_window", url, "list", place.server.address if place else "-", *words)
    for one in found["moves"]:
        say("temporal_list", what=f"{what}, window: {one.pop('what')}", **one)
    say("temporal_list", what=f"{what}, window: memory", mb=found["mb"], empty_window_mb=found["empty_mb"])


def command(what: str, *words: str) -> None:
    """A command from its start to its end."""
    begun = time.perf_counter()
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    say("temporal_list", what=what, ms=_since(begun))


def commands(what: str, url: str) -> None:
    playhead = (sys.executable, "-m", "app", "runs", url, "--limit", str(_ROWS))
    for _ in range(2):
        command(f"{what}: playhead runs, 200 rows", *playhead)
    command(f"{what}: playhead runs --filter, 200 rows", *playhead, "--filter", CLAUSES["status"][0])


def source(what: str, url: str, raw: dict[str, Any], place: Place | None) -> None:
    asked = Asked(url)
    try:
        say("temporal_list", what=f"{what}: opened", ms=asked.opened_ms, load=load())
        lists(what, asked, raw)
        whole(what, asked, raw)
    finally:
        asked.session.close()
    window(what, url, place)
    commands(what, url)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--folder", help="where the server's database is made, and kept")
    chosen = parser.parse_args()
    with folder(chosen.folder) as where:
        place = Place(where)
        place.server.start()
        try:
            say(
                "temporal_list",
                what="runs on the server",
                **place.made("many", chosen.runs, str(chosen.seconds)),
            )
            raw = place.ask("lists", *dict.fromkeys(clause for _, clause in CLAUSES.values()))
            say("temporal_list", what="raw calls, all runs", **raw[""])
            source("server", place.server.url, raw, place)
            command(
                "server: temporal workflow list, 200 rows", str(place.server.program), "workflow", "list", "--limit",
                str(_ROWS), "--address", place.server.address, "--namespace", "shop",
            )  # fmt: skip
        finally:
            place.server.stop()
        source("database", f"temporal+sqlite://{place.server.file}", raw, None)


if __name__ == "__main__":
    main()
