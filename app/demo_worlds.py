"""The worlds of the demo, in the order of the sources' list; the first is shown when the demo opens."""

from __future__ import annotations

from typing import Final

from app.demo_community import COMMUNITY
from app.demo_shop import SHOP
from app.demo_world import World

WORLDS: Final[tuple[World, ...]] = (SHOP, COMMUNITY)
