"""What a comparison means: the one definition that predicate and SQL share.

- A leaf is true or false, never unknown. A field without a value (None, JSON null, an absent attribute)
  makes every leaf false except ``!=`` and ``!~``, which are exactly ``not ==`` and ``not ~``: a run
  without a queue does match ``queue != orders``. ``x == null`` is ``not exists(x)``.
- Text compares by code points, with case. ``~`` is a glob over the whole text: ``*`` any run of
  characters, ``?`` one, all else literal; it sees a text up to its first NUL. ``contains`` ignores case
  (Unicode case folding).
- Times and durations are integer nanoseconds. A day is an interval: ``<`` before it, ``==`` within it, ``>``
  after it; ``<=`` and ``>=`` include it.
- Numbers compare with numbers only (booleans are none), text with text, booleans with booleans; any
  other pair is unequal and unordered. ``~`` and ``contains`` on a JSON list or object hold when they hold
  for any text in it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from engine_bridge.query.ast import Ago, Day, Duration, Instant, Scalar
from engine_bridge.query.literals import day_bounds

RANGED: Final = (Duration, Ago, Instant, Day)


def bounds(value: Scalar, now_ns: int) -> tuple[int, int]:
    """A duration or time as the half-open interval of nanoseconds that ``==`` means."""
    match value:
        case Duration(ns) | Instant(ns):
            return ns, ns + 1
        case Ago(ns):
            return now_ns - ns, now_ns - ns + 1
        case Day():
            return day_bounds(value, now_ns)
    raise TypeError(f"{type(value).__name__} is no time or duration")


@lru_cache(maxsize=1024)
def path_parts(path: str) -> tuple[str, ...]:
    """The keys of an attribute path as written: ``a."b.c"`` is ("a", "b.c")."""
    from engine_bridge.query.text import split_path

    return split_path(path)
