"""The what-if half of every bridge of this engine: edits of the input of a replay. Reads only, as a replay does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine_bridge.bridge import Bridge

if TYPE_CHECKING:
    from engine_bridge.actions.model import Staged
    from engine_bridge.cancel import CancelToken
    from engine_bridge.model import RunRef
    from engine_bridge.replay.model import Edit, EditKind, ReplayInput


class WhatIf(Bridge):
    """Needs ``replay_input``, and nothing else."""

    def edits(self, ref: RunRef, position: int | None, cancel: CancelToken) -> tuple[EditKind, ...]:
        from engine_bridge.engines.temporal.what_if import offered

        return offered(self.replay_input(ref, cancel), position)

    def what_if(self, ref: RunRef, edits: tuple[Edit, ...], cancel: CancelToken) -> ReplayInput:
        from engine_bridge.engines.temporal.what_if import edited

        return edited(self.replay_input(ref, cancel), edits)

    def edit_of(self, staged: Staged, cancel: CancelToken) -> Edit | None:
        from engine_bridge.engines.temporal.what_if_actions import edit_of

        return edit_of(staged)
