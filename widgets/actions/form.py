"""The form of one action: what it does now, its parameters, Stage or Plan. GUI thread."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine_bridge.actions.model import ActionSpec, Danger, ParamType
from engine_bridge.format import safe_lines
from widgets.actions.fields import ParamField
from widgets.actions.notes import Note
from widgets.actions.rehearsal import Rehearsal
from widgets.shell.label import label

_CHECK_MS = 400


class ActionForm(QWidget):
    """Asks for an action's parameters. ``stage_requested`` and ``plan_requested`` carry the arguments, checked.

    ``step_wanted`` asks for the step that is selected; it is given back through ``take_step``. ``rehearse_requested``
    carries the arguments of a dry run, where ``rehearses``.
    """

    stage_requested = Signal(object)
    plan_requested = Signal(object)
    step_wanted = Signal(object)
    rehearse_requested = Signal(object)

    def __init__(
        self, spec: ActionSpec, *, plan_title: str = "Plan", stage: bool = True, rehearses: bool = False
    ) -> None:
        super().__init__()
        self.spec = spec
        self.fields = {param.name: ParamField(param) for param in spec.params}
        self.stage_button = QPushButton("Stage")
        self.stage_button.setToolTip("Keeps it in the draft, to be planned with others.")
        self.plan_button = QPushButton(plan_title)
        self.plan_button.setProperty("primary", "true")
        self.plan_button.setDefault(True)
        if not stage:
            self.stage_button.hide()
        self.rehearsal = Rehearsal()
        self.rehearse_button = QPushButton("Dry Run")
        self.rehearse_button.setToolTip("Shows what the run's code would do about it. Nothing is sent.")
        self.rehearse_button.setVisible(rehearses)
        self.rehearse_button.clicked.connect(lambda: self._send(self.rehearse_requested))
        self.stage_button.clicked.connect(lambda: self._send(self.stage_requested))
        self.plan_button.clicked.connect(lambda: self._send(self.plan_requested))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CHECK_MS)
        self._timer.timeout.connect(self._check)
        self._lay_out()
        self.setAccessibleName(f"{spec.title}: parameters")

    def _lay_out(self) -> None:
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(16, 12, 16, 12)
        rows.setSpacing(14)
        rows.addWidget(label(safe_lines(self.spec.effect), size=13, wrap=True))
        if self.spec.danger is Danger.DESTROYS:
            rows.addWidget(
                Note("warning", "failed", "It deletes what is recorded. Export it first if it may be needed.")
            )
        if self.spec.disabled:
            rows.addWidget(Note("info", "retrying", f"Not now: {self.spec.disabled}."))
        for field in self.fields.values():
            field.changed.connect(self._timer.start)
            field.pick_requested.connect(lambda f=field: self.step_wanted.emit(f.param.name))
            rows.addWidget(field)
        if not self.fields:
            rows.addWidget(label("It needs no parameters.", color="muted"))
        rows.addWidget(self.rehearsal)
        rows.addStretch(1)
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(16, 8, 16, 12)
        buttons.addWidget(label("Nothing is sent before you confirm.", color="muted", size=11, wrap=True), 1)
        for button in (self.rehearse_button, self.stage_button):
            buttons.addWidget(button)
        buttons.addWidget(self.plan_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(area, 1)
        column.addLayout(buttons)

    def _check(self) -> None:
        for field in self.fields.values():
            field.check(show=bool(field.text))

    def args(self) -> dict[str, Any] | None:
        """The arguments, or None when one does not fit; the first such one gets the keyboard."""
        wrong = [field for field in self.fields.values() if not field.check(show=True)]
        if wrong:
            wrong[0].editor.setFocus()
            wrong[0].check(show=True, point=True)
            return None
        found = {name: field.value() for name, field in self.fields.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _send(self, signal: Any) -> None:
        args = self.args()
        if args is not None:
            self._timer.stop()
            signal.emit(args)

    def submit(self) -> None:
        """As the Plan button."""
        self.plan_button.click()

    def take_step(self, name: str, step_id: str) -> None:
        """The step that was selected, for a step parameter."""
        self.fields[name].set_text(step_id)

    @property
    def step_params(self) -> list[str]:
        """Names of the parameters that take a step."""
        return [name for name, field in self.fields.items() if field.param.type is ParamType.STEP]

    def set_args(self, args: dict[str, Any]) -> None:
        """Shows arguments that were staged before, to edit them."""
        from widgets.actions.parse import json_text

        for name, value in args.items():
            field = self.fields.get(name)
            if field is not None and field.param.type is ParamType.JSON:
                field.set_text(json_text(value))
            elif field is not None:
                field.show_value(value)

    def begin(self) -> None:
        """Gives the keyboard to the first parameter, or to the Plan button."""
        first = next(iter(self.fields.values()), None)
        (self.plan_button if first is None else first.editor).setFocus()

    def stop(self) -> None:
        self._timer.stop()
