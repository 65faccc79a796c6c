"""Text in the payloads, failures and names of a database's histories, newest runs first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from engine_bridge.bridge import Hit, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_nodes as nodes
from engine_bridge.engines.temporal import dev_state
from engine_bridge.engines.temporal.dev_runs import DevLister
from engine_bridge.engines.temporal.file_bridge_search import in_event
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.protobuf import WireError, scan
from engine_bridge.errors import ConnectError, PlayheadError
from engine_bridge.model import Run

_WORD: Final = re.compile(r"[a-z0-9_.@-]+", re.ASCII)
"""Texts that stand in a history's bytes as they are: no JSON escapes these characters, and nothing breaks them."""


def hits(lister: DevLister, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
    """Hits, at most ``limit``; ``scope`` as in Bridge.search. Histories that cannot be read are passed over."""
    wanted, found, searched = text.casefold(), 0, 0
    if not wanted:
        return
    total = lister.total("", cancel)
    for part in lister.parts(lister.where(None), Sort(), cancel):
        for _, run in part:
            cancel.progress(searched, total, "searching histories")
            searched += 1
            for hit in _in_run(lister, run, wanted, scope, cancel):
                yield hit
                found += 1
                if found >= limit:
                    return


def _in_run(lister: DevLister, run: Run, wanted: str, scope: str, cancel: CancelToken) -> Iterator[Hit]:
    try:
        records = list(_records(lister, run, wanted, cancel))
    except (WireError, ConnectError):
        return
    except PlayheadError:
        cancel.raise_if_cancelled()
        return
    for record in records:
        cancel.raise_if_cancelled()
        yield from in_event(run, record, wanted, scope)


def _records(lister: DevLister, run: Run, wanted: str, cancel: CancelToken) -> Iterator[object]:
    """The records of the events that may hold a text."""
    client = lister.client
    found = dev_state.find(client.store, client.space.id, run.ref.group, run.ref.run, cancel)
    whole = nodes.whole(client.store, client.branch(found), found.next_event, cancel)
    plain_word = _WORD.fullmatch(wanted) is not None
    if plain_word and wanted.encode() not in whole.lower():
        return
    heads = scan(whole)
    grouper = Grouper(run.ref)
    grouper.add(heads)
    records = grouper.batch().event_records
    for record in records:
        if not plain_word or wanted.encode() in bytes(record[0]).lower():
            yield record
