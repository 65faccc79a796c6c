"""A config's graph: statuses and the steps between them, with a path, a simulation or a change over it. GUI thread."""

from __future__ import annotations

from PySide6.QtGui import QPainter

from engine_bridge.configs import Declared
from engine_bridge.format import count, plain
from engine_bridge.populations import Flow, Population
from widgets.configs.graph_layout import widen
from widgets.configs.graph_paint import ConfigPainter, Overlay
from widgets.entities.graph import StatusGraph
from widgets.entities.layout import Key, Layout
from widgets.entities.paint import StatusPainter
from widgets.entities.scene import Scene
from widgets.entities.words import role


class ConfigGraph(StatusGraph):
    """Shows what a config declares. ``toggled`` carries (status, add) of a status that was clicked or entered."""

    def __init__(self, name: str = "Graph of statuses and steps") -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.overlay = Overlay()
        self._declared: Declared | None = None

    def show_declared(self, declared: Declared | None, empty: str = "") -> None:
        """Shows the graph of one config, or why there is none."""
        self._declared = declared
        if declared is None or not declared.nodes:
            self.set_population(None, empty)
            return
        self.set_population(Population(type=declared.type, nodes=declared.nodes, flows=declared.flows))

    def set_overlay(self, overlay: Overlay) -> None:
        """Lays something over the graph, or takes it away."""
        self.overlay = overlay
        self._tell()
        self.update()

    def make_painter(self, painter: QPainter, scene: Scene) -> StatusPainter:
        return ConfigPainter(painter, scene, self.look, self.overlay)

    def _take(self, made: tuple[Key, Layout]) -> None:
        super()._take((made[0], widen(made[1])))

    def text(self, index: int) -> str:
        """A status in words: its role, what is wrong with it, the ways out, and what lies over it."""
        if self.scene is None or not 0 <= index < len(self.scene.boxes):
            return ""
        node = self.scene.boxes[index].node
        lines = [plain(node.status, 200), role(node)[2]]
        mark = self.overlay.marks.get(node.status)
        lines += [mark] if mark else []
        if self.overlay.lives is not None:
            lines.append(f"{count(self.overlay.ends.get(node.status, 0))} lives ended here")
        lines += [plain(found, 200) for found in node.findings]
        ways = (edge.flow for edge in self.scene.edges if edge.flow.source == node.status)
        return "\n".join([*lines, *map(self.way_text, ways)])

    def way_text(self, flow: Flow) -> str:
        """A way in words: its steps, where it leads, who may take it, and what lies over it."""
        pair = flow.source, flow.target
        who = f" by {plain(', '.join(flow.requesters), 80)}" if flow.requesters else ""
        kind = " (rejection)" if flow.rejection else ""
        told = f"{plain(', '.join(flow.steps), 120)}{kind} → {plain(flow.target, 80)}{who}"
        if self.overlay.lives is not None:
            told += f" · {count(self.overlay.lives.get(pair, 0))} lives"
        mark = self.overlay.way_marks.get(pair)
        return f"{told} · {mark}" if mark else told

    def describe(self) -> str:
        """What stands at the keyboard, or the size of the graph."""
        if self.scene is None or self.look.current >= 0:
            return super().describe()
        way = " → ".join(self.overlay.way)
        shown = f" Shown: {plain(way, 400)}." if way else ""
        return (
            f"{count(len(self.scene.boxes))} statuses, {count(len(self.scene.edges))} ways.{shown} "
            "Arrow keys walk, Enter goes to the text."
        )
