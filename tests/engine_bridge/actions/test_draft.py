"""A draft loses what was executed, also where the plan resolved its arguments."""

from __future__ import annotations

from engine_bridge.actions.model import Draft, Staged, Target

RUN = Target(kind="run", id="order-1")


def test_what_was_executed_with_resolved_arguments_leaves_the_draft() -> None:
    draft = Draft()
    reset, signal = Staged(target=RUN, action="reset"), Staged(target=RUN, action="signal")
    draft.add(reset, signal)
    draft.remove(Staged(target=RUN, action="reset", args={"event": 49}))
    assert draft.staged == (signal,)
    draft.undo()
    assert draft.staged == (reset, signal)
    draft.remove(Staged(target=Target(kind="run", id="order-2"), action="reset"))
    assert draft.staged == (reset, signal)
