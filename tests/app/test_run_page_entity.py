"""The run page of an entity over a real session: the tab that says which step applies, and staging from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.actions_specs import Offered
from app.context import Context
from app.run_page import RunPage
from engine_bridge.actions.model import Staged
from engine_bridge.cancel import CancelToken
from tests.app.context import Told, add_source, make_context, show
from tests.fakes import FakeBridge, ref
from tests.fakes_lives import EntitiesBridge, entity_ref


@dataclass
class Entity:
    page: RunPage
    context: Context
    told: Told
    bridge: EntitiesBridge
    qtbot: QtBot

    def open(self, number: int) -> None:
        self.context.focus.change(page="run", source="fake", run=entity_ref(number))
        self.qtbot.waitUntil(lambda: self.page.view.loaded)

    def offer(self) -> None:
        """What the desk does after the source has answered."""
        targets = self.page.targets()
        specs = self.bridge.actions(targets[0], CancelToken())
        self.page.show_actions(Offered(targets=targets, specs=tuple(specs)))

    def show_next(self) -> None:
        self.context.commands.run("run.show_next")
        self.qtbot.waitUntil(lambda: self.page.next_steps.pane.resolution is not None)

    def press(self, words: str) -> None:
        found = {b.text(): b for b in self.page.next_steps.pane.findChildren(QPushButton) if b.isVisible()}
        found[words].click()


@pytest.fixture
def entity(qtbot: QtBot) -> Iterator[Entity]:
    context, told = make_context()
    bridge = EntitiesBridge()
    add_source(context, lambda: bridge)
    page = RunPage(context)
    show(context, page, qtbot)
    yield Entity(page, context, told, bridge, qtbot)
    page.close()
    context.sources.close_all()


def test_the_tab_asks_only_when_it_is_shown(entity: Entity) -> None:
    entity.open(0)
    assert entity.page.view.right.is_shown("next")
    assert entity.bridge.asked == []
    entity.show_next()
    assert entity.bridge.asked == [("user", {})]
    assert entity.page.next_steps.pane.headline.text().startswith("upload_documents applies")


def test_another_entity_is_asked_about_anew(entity: Entity) -> None:
    entity.open(0)
    entity.show_next()
    entity.page.next_steps.pane.requesters.setCurrentIndex(1)
    entity.page.next_steps.pane.ask()
    entity.qtbot.waitUntil(lambda: entity.bridge.asked[-1] == ("admin", {}))
    entity.open(3)
    entity.qtbot.waitUntil(lambda: entity.bridge.asked[-1] == ("user", {}))
    entity.qtbot.waitUntil(lambda: entity.page.next_steps.pane.resolution is not None)
    assert entity.page.next_steps.pane.resolution.ref == entity_ref(3)


def test_a_move_to_a_target_is_staged_as_it_stands(entity: Entity) -> None:
    entity.open(0)
    entity.offer()
    entity.show_next()
    with entity.qtbot.waitSignal(entity.page.staging_requested) as staged:
        entity.press("Move to documents_uploaded…")
    (target,) = entity.page.targets()
    assert staged.args == [(Staged(target=target, action="move", args={"to": "documents_uploaded"}),)]


def test_a_source_without_configs_has_no_such_tab(entity: Entity) -> None:
    add_source(entity.context, FakeBridge, key="other")
    entity.open(0)
    entity.show_next()
    entity.context.focus.change(source="other", run=ref("run-0001"))
    entity.qtbot.waitUntil(lambda: entity.page.view.loaded)
    right = entity.page.view.right
    assert not right.is_shown("next")
    assert right.current_id == "detail"
    assert entity.context.commands.get("run.show_next").when() == (
        "this source's workflows are not declared in configs"
    )
