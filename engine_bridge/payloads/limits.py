"""How much of a payload is decoded at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one decoding.

    A payload of more than ``max_bytes`` as stored (``max_pickle`` for a pickle) is decoded from its first
    ``slice_bytes`` only. ``max_nodes`` and ``max_depth`` bound the tree, ``max_string`` the characters of one text in
    it, ``max_ops`` the opcodes of a pickle, ``max_text`` the characters of a pretty text that is made from the tree.
    """

    max_bytes: int = 12 << 20
    max_pickle: int = 4 << 20
    slice_bytes: int = 256 << 10
    max_nodes: int = 20_000
    max_depth: int = 64
    max_string: int = 64 << 10
    max_ops: int = 100_000
    max_text: int = 4 << 20


DEFAULT: Final = Limits()
# For a first paint: a tree that is ready within some 10 ms.
QUICK: Final = Limits(max_nodes=4_000, max_ops=20_000)
FULL: Final = Limits(
    max_bytes=512 << 20,
    max_pickle=256 << 20,
    max_nodes=2_000_000,
    max_string=64 << 20,
    max_ops=20_000_000,
    max_text=512 << 20,
)
