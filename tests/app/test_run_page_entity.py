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
        pane = self.page.next_steps.pane
        self.qtbot.waitUntil(
            lambda: any(b.text() == words and b.isVisible() for b in pane.findChildren(QPushButton))
        )
        next(b for b in pane.findChildren(QPushButton) if b.text() == words and b.isVisible()).click()


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
    assert entity.bridge.asked[0] == ("user", {})
    assert entity.page.next_steps.pane.headline.text().startswith("upload_documents applies")


def test_every_requester_is_asked_for_and_the_list_says_who_can_go_on(entity: Entity) -> None:
    entity.open(0)
    entity.show_next()
    box = entity.page.next_steps.pane.requesters
    entity.qtbot.waitUntil(lambda: box.itemText(0) == "user  ·  upload_documents")
    assert box.itemText(1) == "admin  ·  no step"
    assert entity.bridge.asked == [("user", {}), ("admin", {})]


def test_while_nobody_chose_the_first_who_can_go_on_is_shown(entity: Entity) -> None:
    entity.bridge.users_can = False
    entity.bridge.admins_need_data = False
    entity.open(0)
    entity.show_next()
    pane = entity.page.next_steps.pane
    entity.qtbot.waitUntil(lambda: pane.requester == "admin")
    assert pane.headline.text().startswith("approve applies")
    assert pane.table.row_text(0).startswith("approve")


def test_a_chosen_requester_stays_and_another_entity_is_asked_about_anew(entity: Entity) -> None:
    entity.open(0)
    entity.show_next()
    pane = entity.page.next_steps.pane
    pane.requesters.setCurrentIndex(1)
    pane.ask()
    entity.qtbot.waitUntil(lambda: entity.bridge.asked[-2:] == [("admin", {}), ("user", {})])
    assert pane.requester == "admin"
    entity.open(3)
    entity.qtbot.waitUntil(lambda: entity.bridge.asked[-2:] == [("user", {}), ("admin", {})])
    entity.qtbot.waitUntil(lambda: pane.resolution is not None and pane.resolution.ref == entity_ref(3))


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
