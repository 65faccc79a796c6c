"""The step graph: layered layout and the widget that paints it."""

from widgets.graph.view import GraphView

__all__ = ["GraphView"]
