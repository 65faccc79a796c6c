"""Payloads made readable: decoded by own code, bounded, and never executed. Standard library and msgspec only."""

from __future__ import annotations

from engine_bridge.payloads.decoder import Decoded, decode
from engine_bridge.payloads.failures import failure, headline, reason, root, short_type
from engine_bridge.payloads.limits import DEFAULT, FULL, QUICK, Limits
from engine_bridge.payloads.render import summary
from engine_bridge.payloads.tree import Number, Opaque

__all__ = [
    "DEFAULT",
    "FULL",
    "QUICK",
    "Decoded",
    "Limits",
    "Number",
    "Opaque",
    "decode",
    "failure",
    "headline",
    "reason",
    "root",
    "short_type",
    "summary",
]
