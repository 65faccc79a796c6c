"""What the events table calls what engines name by themselves."""

from __future__ import annotations

import pytest

from engine_bridge.model import Event, EventKind
from widgets.run.event_model import words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("WorkflowExecutionPaused", "run paused"),
        ("UpsertWorkflowSearchAttributes", "upsert search attributes"),
        ("ActivityTaskCancelRequested", "cancel requested"),
        ("snapshot taken", "snapshot taken"),
    ],
)
def test_an_event_without_a_kind_is_named_in_our_words(name: str, words: str) -> None:
    assert words_of(Event(position=1, kind=EventKind.OTHER, name=name)) == words
