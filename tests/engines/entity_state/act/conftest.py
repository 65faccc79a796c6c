"""Sample databases that a test may change, and operators on them."""

from __future__ import annotations

from tests.engines.entity_state.act.tools import own, places, run_journal

__all__ = ["own", "places", "run_journal"]
