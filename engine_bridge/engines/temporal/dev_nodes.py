"""Histories in the database: write batches along a branch, those of its ancestors first.

A node is a serialized ``History`` that begins with event ``node_id``; ``txn_id`` is stored negated. A batch that was
written again has the same id and a higher transaction; what a failed write left behind has a lower one than the batch
before it. A run that was reset reads the events up to its reset from branches of the run that it was forked from.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_messages as messages
from engine_bridge.engines.temporal.dev_names import named
from engine_bridge.engines.temporal.dev_schema import PROTO
from engine_bridge.engines.temporal.dev_store import Store
from engine_bridge.errors import CorruptError

_END: Final = 2**62
NODES: Final = 2_000


class Place(msgspec.Struct, frozen=True, array_like=True):
    """After which node and transaction to go on."""

    node: int = 0
    txn: int = 0


class Branch:
    """Where the nodes of one run are: (branch, first node, end) in a tree, in order.

    ``aliases`` are the names of search attributes, by column: nodes are read with the names, as a server tells them.
    """

    def __init__(self, shard: int, token: bytes, aliases: Mapping[str, str]) -> None:
        message = messages.parse("Branch", token)
        self.shard, self.aliases = shard, aliases
        self.tree = _id(message.tree_id)
        self.ranges = [(_id(one.branch_id), one.begin_node_id, one.end_node_id) for one in message.ancestors]
        begin = self.ranges[-1][2] if self.ranges else 1
        self.ranges.append((_id(message.branch_id), begin, _END))


def branch_of(shard: int, execution: Any, aliases: Mapping[str, str]) -> Branch:
    """The current branch of an ``Execution``. Raises CorruptError."""
    from google.protobuf.message import DecodeError

    versions = execution.version_histories
    at = versions.current_version_history_index
    try:
        return Branch(shard, versions.histories[at].branch_token, aliases)
    except (IndexError, ValueError, DecodeError):
        raise CorruptError(
            "The database does not tell where the history of this run is.", "Its record is damaged."
        ) from None


def _id(text: str) -> bytes:
    return uuid.UUID(text).bytes


def read(
    store: Store, branch: Branch, after: Place, before: int, cancel: CancelToken, *, most: int = NODES
) -> tuple[list[bytes], Place]:
    """The next nodes that begin before event ``before``, at most ``most``, and the place after them."""
    found: list[bytes] = []
    for tree_branch, first, end in branch.ranges:
        low, high = max(first, after.node + 1), min(end, before)
        while low < high and len(found) < most:
            rows = store.rows(
                "SELECT node_id, -txn_id, data, data_encoding FROM history_node WHERE shard_id = ? AND tree_id = ? "
                "AND branch_id = ? AND node_id >= ? AND node_id < ? ORDER BY node_id, txn_id LIMIT ?",
                (branch.shard, branch.tree, tree_branch, low, high, most),
                cancel=cancel,
            )
            fresh, after = _valid(rows, after, most - len(found))
            found += [named(one, branch.aliases) for one in fresh]
            low = max(after.node + 1, int(rows[-1][0]) + 1) if len(rows) == most else high
    return found, after


def whole(store: Store, branch: Branch, before: int, cancel: CancelToken) -> bytes:
    """All nodes that begin before event ``before``, as one serialized ``History``."""
    parts: list[bytes] = []
    place, more = Place(), True
    while more:
        data, place = read(store, branch, place, before, cancel)
        parts += data
        more = len(data) >= NODES
    return b"".join(parts)


def _valid(rows: Sequence[Any], after: Place, most: int) -> tuple[list[bytes], Place]:
    found: list[bytes] = []
    for node, txn, data, encoding in rows:
        if txn < after.txn or node <= after.node:
            continue
        if len(found) >= most:
            break
        if str(encoding).lower() not in PROTO or not isinstance(data, bytes):
            raise CorruptError(
                f"The history of this run cannot be read from event {node} on.",
                "Its record is not one that Playhead knows.",
            )
        found.append(data)
        after = Place(int(node), int(txn))
    return found, after


def last(store: Store, branch: Branch, before: int, cancel: CancelToken) -> bytes | None:
    """The last node that begins before event ``before``."""
    for tree_branch, first, end in reversed(branch.ranges):
        rows = store.rows(
            "SELECT data FROM history_node WHERE shard_id = ? AND tree_id = ? AND branch_id = ? AND node_id >= ? "
            "AND node_id < ? ORDER BY node_id DESC, txn_id LIMIT 1",
            (branch.shard, branch.tree, tree_branch, first, min(end, before)),
            cancel=cancel,
        )
        if rows and isinstance(rows[0][0], bytes):
            return named(rows[0][0], branch.aliases)
    return None
