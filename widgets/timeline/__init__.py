"""The timeline: a run's steps on lanes, with the playhead. See :class:`TimelineView`."""

from widgets.timeline.view import TimelineView

__all__ = ["TimelineView"]
