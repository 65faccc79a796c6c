"""Opening a long history in the window, from a server, its database and a file, next to the engine's own web page.

    python -m tests.bench.bench_temporal_open [--events N] [--rounds N] [--folder KEPT] [--no-browser]

A development server makes one run of N events (51,200 take it 200 s; a KEPT folder is made once). Then, in turns: the
page in headless Chromium from the click on the run to the first row and to the complete timeline (when its height is
final), and a window in a process of its own from the same click. The database and the file are opened with the server
stopped; a file of one history opens on its run, so what it takes counts from its drop. JSON lines; times are wall ms,
medians of the rounds. Budgets: complete <= 0.2 of the page, memory <= 0.4 of the browser's, finding an activity by its
text <= 100 ms, no turn of the GUI thread > 16.7 ms.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any, Final

from tests.bench.temporal_browser import Browser, missing
from tests.bench.temporal_place import Place, folder, load, say, told
from tests.bench.temporal_worker import LONG_ID, NEEDLE

IN_PAYLOAD: Final = "ord-needle"
_CLICK: Final = """
const [path, settled, done] = arguments, begun = performance.now(), seen = [];
[...document.querySelectorAll('a')].find(a => a.pathname.startsWith(path)).click();
function look() {
  const row = document.querySelector('button.event'), now = performance.now() - begun;
  const height = row ? row.closest('ul').scrollHeight : 0;
  if (height && (!seen.length || seen.at(-1)[1] != height)) seen.push([now, height]);
  if (seen.length && now > 2 * seen.at(-1)[0] + settled) done({first: seen[0][0], complete: seen.at(-1)[0]});
  else requestAnimationFrame(look);
}
requestAnimationFrame(look);
"""
_LISTED: Final = """
const [path, done] = arguments;
(function look() {
  if ([...document.querySelectorAll('a')].some(a => a.pathname.startsWith(path))) setTimeout(done, 1000);
  else requestAnimationFrame(look);
})();
"""


def page(place: Place, events: int) -> dict[str, Any]:
    """The click on the run in the page's list, in a new browser; and its memory then."""
    path = f"/namespaces/shop/workflows/{LONG_ID}/"
    with Browser() as browser:
        browser.go(
            f"http://127.0.0.1:{place.server.page_port}/namespaces/shop/workflows?query=WorkflowId%3D%22{LONG_ID}%22"
        )
        browser.wait(_LISTED, path)
        # The page guesses its height first, and corrects it when all is read.
        return {**browser.wait(_CLICK, path, 5_000 + events // 2), "mb": browser.mb}


def window(url: str, ref: str) -> dict[str, Any]:
    """The same in our window, in a process of its own."""
    return told("tests.bench.temporal_window", url, "open", ref, NEEDLE, IN_PAYLOAD)


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure; of words, the last ones."""
    found: dict[str, Any] = {}
    for name, value in rounds[-1].items():
        values = [one[name] for one in rounds]
        if isinstance(value, dict):
            found[name] = medians(values)
        elif isinstance(value, int | float):
            found[name] = round(statistics.median(values), 1)
        else:
            found[name] = value
    return found


def report(what: str, rounds: list[dict[str, Any]], beside: dict[str, Any]) -> None:
    """The lines of one kind of source."""
    found = medians(rounds)
    run, source, find = found["run"], found.get("source"), found["find"]
    if source is not None:
        say(
            "temporal_open", what=f"{what}: source to its runs", ms=source["listed"],
            stall_cpu_ms=source["stall_cpu_ms"], stall_wall_ms=source["stall_wall_ms"],
        )  # fmt: skip
    say(
        "temporal_open", what=f"{what}: {'click' if source else 'drop'} to timeline", events=run["events"],
        first_ms=run["first"], complete_ms=run["complete"], stall_cpu_ms=run["stall_cpu_ms"],
        stall_wall_ms=run["stall_wall_ms"],
        stall_in=run["in"], mb=found["mb"], empty_window_mb=found["empty_mb"], load=load(),
        **_ratios(run["complete"], found["mb"], beside),
    )  # fmt: skip
    for word, took in find.items():
        kind = "its name" if word == NEEDLE else "its payload"
        say(
            "temporal_open", what=f"{what}: find an activity by {kind}", first_ms=took["first"], budget_ms=100,
            all_ms=took["all"], hits=took["hits"], stall_cpu_ms=took["stall_cpu_ms"],
        )  # fmt: skip


def _ratios(complete: float, mb: float, beside: dict[str, Any]) -> dict[str, Any]:
    if not beside:
        return {}
    return {
        "of_the_page": round(complete / beside["complete"], 3), "budget": 0.2,
        "of_its_memory": round(mb / beside["mb"], 3), "memory_budget": 0.4,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", help="where the server's database is made, and kept")
    parser.add_argument("--no-browser", action="store_true")
    chosen = parser.parse_args()
    gone = "--no-browser" if chosen.no_browser else missing()
    with folder(chosen.folder) as where:
        place = Place(where, page=not gone)
        place.server.start()
        try:
            made = place.made("long", chosen.events)
            ref, path = f"{LONG_ID}/{made['run']}", where / f"{LONG_ID}.json"
            say("temporal_open", what="the SDK", **place.ask("export", made["run"], str(path)))
            pages, servers = [], []
            for _ in range(chosen.rounds):
                if not gone:
                    pages.append(page(place, made["events"]))
                servers.append(window(place.server.url, ref))
        finally:
            place.server.stop()
        beside = medians(pages) if pages else {}
        say("temporal_open", what="the web page", load=load(), **(beside or {"not_measured": gone}))
        report("server", servers, beside)
        for what, url in (("database", f"temporal+sqlite://{place.server.file}"), ("file", str(path))):
            report(what, [window(url, ref) for _ in range(chosen.rounds)], beside)


if __name__ == "__main__":
    main()
