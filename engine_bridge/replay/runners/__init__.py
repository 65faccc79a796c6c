"""Source of what runs in the user's interpreter: these modules are joined into one file and never imported there.

They use the standard library alone, Python 3.10 or newer, and keep their names apart: all end up in one namespace
(``engine_bridge.replay.compose``).
"""
