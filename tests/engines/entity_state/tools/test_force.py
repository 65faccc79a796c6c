"""The commit of its config that was in force when an entity moved, as its history tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.history import read_tale
from engine_bridge.engines.entity_state.revisions_force import IN_FORCE, KNOWN
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.model import Event, EventKind, Provenance, RunRef
from tests.engines.entity_state.fixtures import OpenStore, Sample
from tests.engines.entity_state.tools.conftest import Folder


@pytest.fixture(autouse=True)
def unknown() -> Iterator[None]:
    KNOWN.clear()
    yield
    KNOWN.clear()


def moves(store: Store, run: str, type_: str = "invoice") -> list[Event]:
    tale, _ = read_tale(store, RunRef("entity", type_, run), CancelToken())
    events = [draft.event(number) for number, draft in enumerate(tale.drafts, 1)]
    return [event for event in events if event.kind is EventKind.STATUS_CHANGED and "→" in event.detail]


def committed(folder: Folder, at: datetime, subject: str, *names: str) -> str:
    when = at.isoformat()
    folder.git("add", *names)
    before = {name: os.environ.get(name) for name in ("GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE")}
    os.environ.update(dict.fromkeys(before, when))
    try:
        folder.git("commit", "-q", "--allow-empty", "-m", subject, "--", *names)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return folder.git("rev-parse", "HEAD")


def test_each_move_names_the_commit_before_it(entity_file: Sample, open_store: OpenStore) -> None:
    folder = Folder(entity_file.mapping.parent)
    folder.git("init", "-q")
    now = datetime.now(UTC)
    first = committed(folder, now - timedelta(days=1), "The first | of all", "invoice.json")
    (folder.path / "invoice.json").write_text((folder.path / "invoice.json").read_text() + "\n")
    second = committed(folder, now - timedelta(minutes=150), "Reminders", "invoice.json")
    (folder.path / "registration.json").write_text("{}")
    committed(folder, now - timedelta(minutes=140), "Another config", "registration.json")
    found = moves(open_store(entity_file.url), "inv-009")  # moved 300, 200, 199 and 100 minutes ago
    assert [event.attributes["config"] for event in found if event.name in ("approve", "send", "remind")] == [
        *[f"{first[:10]} The first | of all"] * 3,
        f"{second[:10]} Reminders",
    ]
    last = found[-1]
    assert last.fields["config"] is Provenance.INFERRED
    assert [(e.rule, e.facts) for e in last.evidence] == [("config in force", (IN_FORCE,))]


def test_a_tenant_with_an_overlay_has_the_commits_of_both_files(
    entity_file: Sample, open_store: OpenStore
) -> None:
    folder = Folder(entity_file.mapping.parent)
    folder.git("init", "-q")
    now = datetime.now(UTC)
    base = committed(folder, now - timedelta(days=3), "Base", "registration.json")
    overlay = committed(folder, now - timedelta(days=2), "Acme", "registration.acme.json")
    store = open_store(entity_file.url)
    engine = entity_file.engine()
    with engine.begin() as connection:
        rows = connection.execute(
            sa.text("SELECT tenant_id, max(id) FROM users WHERE status = 'active' GROUP BY 1")
        )
        users = {str(tenant): str(id_) for tenant, id_ in rows}
    engine.dispose()
    configs = {
        t: {e.attributes["config"][:10] for e in moves(store, u, "registration")} for t, u in users.items()
    }
    assert configs == {"acme": {overlay[:10]}, "globex": {base[:10]}}


def test_without_a_repository_nothing_is_said(entity_file: Sample, open_store: OpenStore) -> None:
    for event in moves(open_store(entity_file.url), "inv-009"):
        assert "config" not in event.attributes and event.evidence == ()
