"""SQLite files as they are found: live, at rest, locked, half written, replaced, with values that do not fit."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import AuthError, BusyError, ConnectError, CorruptError, PlayheadError
from engine_bridge.model import RunRef
from engine_bridge.sqlite_library import sqlite3
from tests.engines.entity_state import sample
from tests.engines.entity_state.fixtures import OpenBridge, Sample, make_file

NEVER = CancelToken()


def ids(bridge: Any) -> list[str]:
    return [run.id for run in bridge.runs(None, Sort(), None, "forward", 99, NEVER).items]


def client(made: Sample) -> Any:
    assert made.path is not None
    return closing(sqlite3.connect(made.path, isolation_level=None, timeout=5))


def names(made: Sample) -> set[str]:
    assert made.path is not None
    return {path.name for path in made.path.parent.iterdir() if path.name.startswith("app")}


def test_a_live_wal_file_is_read_in_place(entity_file: Sample, open_entities: OpenBridge) -> None:
    with client(entity_file) as application:
        application.execute("PRAGMA journal_mode = WAL")
        application.execute("UPDATE invoices SET status = 'paid' WHERE id = 'inv-009'")
        before = names(entity_file)
        bridge = open_entities(entity_file.url)
        assert bridge.run(RunRef("entity", "invoice", "inv-009"), NEVER).engine_status == "paid"
        assert names(entity_file) == before and not bridge.open(NEVER).notices
        application.execute("UPDATE invoices SET status = 'sent' WHERE id = 'inv-009'")
        assert bridge.run(RunRef("entity", "invoice", "inv-009"), NEVER).engine_status == "sent"


def test_a_wal_file_at_rest_is_copied_and_nothing_appears_beside_it(
    entity_file: Sample, open_entities: OpenBridge
) -> None:
    with client(entity_file) as application:
        application.execute("PRAGMA journal_mode = WAL")
    before = names(entity_file)
    bridge = open_entities(entity_file.url)
    assert len(ids(bridge)) == 30 and names(entity_file) == before
    assert any("copy" in notice for notice in bridge.open(NEVER).notices)


def test_a_reader_keeps_no_writer_waiting(entity_file: Sample, open_entities: OpenBridge) -> None:
    bridge = open_entities(entity_file.url)
    pages = [bridge.runs(None, Sort(), None, "forward", 5, NEVER) for _ in range(3)]
    with client(entity_file) as application:
        application.execute("UPDATE invoices SET status = 'paid' WHERE id = 'inv-009'")
    assert all(pages)


def test_a_locked_file_is_busy_and_readable_afterwards(
    entity_file: Sample, open_entities: OpenBridge
) -> None:
    bridge = open_entities(entity_file.url)
    mark = bridge.changes(None, (), NEVER).mark
    with client(entity_file) as application:
        application.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BusyError):
            ids(bridge)
        assert not bridge.changes(mark, (), NEVER).moved
        application.execute("COMMIT")
    assert len(ids(bridge)) == 30


def test_a_dead_writers_journal_is_rolled_back_in_a_copy(
    entity_file: Sample, open_entities: OpenBridge
) -> None:
    path = entity_file.path
    assert path is not None
    half = path.parent / "half" / "app.sqlite"
    half.parent.mkdir()
    with client(entity_file) as application:
        application.execute("PRAGMA cache_size = 1")
        application.execute("BEGIN")
        application.execute("UPDATE invoices SET data = hex(randomblob(20000)), status = 'gone'")
        shutil.copy(path, half)
        shutil.copy(f"{path}-journal", f"{half}-journal")
        application.execute("ROLLBACK")
    bridge = open_entities(sample.file_url(half, entity_file.mapping))
    assert {run.engine_status for run in bridge.runs(None, Sort(), None, "forward", 99, NEVER).items} >= {
        "paid"
    }
    assert any("rolled back" in notice for notice in bridge.open(NEVER).notices)
    assert Path(f"{half}-journal").exists()


def test_a_replaced_file_is_read_anew(entity_file: Sample, open_entities: OpenBridge, tmp_path: Path) -> None:
    bridge = open_entities(entity_file.url)
    mark = bridge.changes(None, (), NEVER).mark
    other = make_file("own", tmp_path / "other")
    with client(other) as application:
        application.execute("DELETE FROM users")
    assert other.path is not None and entity_file.path is not None
    other.path.replace(entity_file.path)
    assert len(ids(bridge)) == 20
    changes = bridge.changes(mark, (), NEVER)
    assert changes.moved and changes.reset


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", CorruptError), (b"no database at all" * 100, CorruptError), (None, ConnectError)],
)
def test_what_is_no_database_is_said_so(
    entity_file: Sample, open_entities: OpenBridge, content: bytes | None, kind: type[PlayheadError]
) -> None:
    assert entity_file.path is not None
    entity_file.path.unlink()
    if content is not None:
        entity_file.path.write_bytes(content)
    with pytest.raises(kind):
        open_entities(entity_file.url)


def test_values_that_do_not_fit_are_a_bad_cell_and_never_the_page(
    entity_file: Sample, open_entities: OpenBridge
) -> None:
    with client(entity_file) as application:
        application.execute(
            "UPDATE invoices SET created_at = 'yesterday', claimed_at = 'x' WHERE id = 'inv-001'"
        )
        application.execute("UPDATE invoices SET created_at = 17, version = 'many' WHERE id = 'inv-002'")
        application.execute("UPDATE invoices SET status = CAST(x'ff41' AS TEXT) WHERE id = 'inv-003'")
        application.execute("UPDATE invoices SET tenant_id = 5, claimed_by = x'00ff' WHERE id = 'inv-004'")
        application.execute("UPDATE workflow_history SET changed_at = '' WHERE entity_id = 'inv-009'")
        application.execute("UPDATE workflow_history SET metadata = '{' WHERE entity_id = 'inv-009'")
    bridge = open_entities(entity_file.url)
    found = {run.id: run for run in bridge.runs(None, Sort(), None, "forward", 99, NEVER).items}
    assert len(found) == 30
    assert found["inv-001"].created_ns is None and found["inv-002"].version == "many"
    assert found["inv-003"].engine_status == "\\xffA" and found["inv-003"].status == "unknown"
    for sort in ("created", "version", "tenant", "claimed_by"):
        seen: list[str] = []
        cursor: bytes | None = None
        while True:
            page = bridge.runs(None, Sort(field=sort), cursor, "forward", 4, NEVER)
            seen += [run.id for run in page.items]
            cursor = page.after
            if cursor is None:
                break
        assert sorted(seen) == sorted(found), sort
    assert list(bridge.history(RunRef("entity", "invoice", "inv-009"), NEVER))
    assert bridge.facets(None, 20, NEVER).total == 30


def test_a_file_that_may_not_be_read(entity_file: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine_bridge.engines.entity_state import store_errors

    assert entity_file.path is not None

    def refuse(self: Path, *args: Any, **kwargs: Any) -> Any:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    assert isinstance(store_errors.missing_file(entity_file.path), AuthError)
