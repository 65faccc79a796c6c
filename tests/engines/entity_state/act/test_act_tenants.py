"""Writes under row-level security and without grants: a plain role, FORCE, two tenants, pool reuse, errors between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine_bridge.actions.model import Verdict
from engine_bridge.errors import NotFoundError, PlayheadError, RejectedError
from tests.engines.entity_state.act.tools import Place, Places
from tests.engines.entity_state.fixtures import READER, ensure_role, secure

BLIND = """\
version = 1
name = "billing"

[[workflow]]
type = "invoice"
config = ["invoice.json"]
[workflow.entity]
tenant = ""
"""


@pytest.fixture
def place(places: Places) -> Iterator[Place]:
    """Our own tables with policies, and roles that are neither superuser nor owner nor BYPASSRLS."""
    found = places("postgresql", "own")
    with found.engine.begin() as connection:
        ensure_role(connection, "entity_app")
        connection.exec_driver_sql(
            "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO entity_app"
        )
        connection.exec_driver_sql("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO entity_app")
        secure(connection, READER)
    yield found


def url_as(place: Place, role: str, tenant: str) -> str:
    given = place.url.replace("//postgres@", f"//{role}@", 1)
    return f"{given}&tenant={tenant}" if tenant else given


@pytest.mark.parametrize("blind", [False, True], ids=["mapped", "by the database alone"])
def test_a_foreign_tenants_row_is_neither_seen_nor_moved(place: Place, blind: bool) -> None:
    if blind:
        place.sample.mapping.write_text(BLIND)
        place.write('[writes]\nmode = "sql"\n')
    acme = place.operator("ann", url=url_as(place, "entity_app", "acme"))
    globex = place.operator("gus", url=url_as(place, "entity_app", "globex"))
    theirs = globex.plan("inv-002", "move", to="approved")
    assert not theirs.refused
    with pytest.raises(NotFoundError, match="inv-002 for the tenant acme"):
        acme.specs("inv-002")
    assert "There is no invoice inv-002" in acme.plan("inv-002", "move", to="approved").refused
    assert acme.execute(theirs).outcome.stale
    assert place.status("inv-002") == ("draft", 0) and place.history("inv-002") == []
    # The same connection, after that error: still its own tenant, and nobody's rows but its own.
    assert acme.act("inv-001", "move", to="approved").outcome.verdict is Verdict.APPLIED
    assert acme.execute(theirs).outcome.stale
    assert globex.execute(theirs).outcome.verdict is Verdict.APPLIED
    rows = place.sql("SELECT DISTINCT tenant_id FROM workflow_history WHERE step_key = 'operator_move'")
    assert {row[0] for row in rows} == {"acme", "globex"}


def test_settings_end_with_their_transaction(place: Place) -> None:
    ann = place.operator("ann", url=url_as(place, "entity_app", "acme"))
    ann.act("inv-001", "move", to="approved")
    assert ann.actor._writer is not None
    with ann.actor._writer.engine.connect() as connection:
        for name in ("app.tenant_id", "app.user_id", "app.correlation_id"):
            left = connection.exec_driver_sql(f"SELECT nullif(current_setting('{name}', true), '')").scalar()
            assert left is None


def test_audit_triggers_see_who_and_which_request(place: Place) -> None:
    place.sql("CREATE TABLE audit (tenant text, who text, request text)")
    place.sql("GRANT INSERT ON audit TO entity_app")
    place.sql(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES ("
        "current_setting('app.tenant_id'), current_setting('app.user_id'), current_setting('app.correlation_id')); "
        "RETURN NEW; END $$"
    )
    place.sql("CREATE TRIGGER noting AFTER UPDATE ON invoices FOR EACH ROW EXECUTE FUNCTION note()")
    ann = place.operator("ann", url=url_as(place, "entity_app", "acme"))
    ann.execute(ann.plan("inv-001", "move", to="approved"), request := "0a7f4c1e-97a0-4a43-8a86-9a5bb3f7b111")
    assert [tuple(row) for row in place.sql("SELECT * FROM audit")] == [("acme", "ann", request)]


def test_with_no_tenant_it_says_so(place: Place) -> None:
    nobody = place.operator(url=url_as(place, "entity_app", ""))
    with pytest.raises(RejectedError, match="No tenant is set"):
        nobody.specs("inv-001")
    assert "No tenant is set" in nobody.plan("inv-001", "move", to="approved").refused


def test_without_a_grant_the_action_is_there_with_the_missing_grant(place: Place) -> None:
    reader = place.operator(url=url_as(place, "entity_reader", "acme"))
    specs = reader.specs("inv-003")
    assert specs["move"].disabled == "This role may not write: GRANT UPDATE (status) ON invoices is missing."
    assert "GRANT INSERT (entity_id) ON workflow_delayed" in specs["retry_step"].disabled
    assert "GRANT UPDATE (resolved_at)" in specs["resolve_failure"].disabled
    item = place.operator("ann", url=url_as(place, "entity_app", "acme")).plan(
        "inv-001", "move", to="approved"
    )
    with pytest.raises(
        PlayheadError, match="does not let you write this: permission denied for table invoices"
    ):
        reader.execute(item)
    assert place.status("inv-001") == ("draft", 0)


def test_a_file_that_may_not_be_written_disables_with_the_reason(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    found = places("sqlite", "own")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    assert "may not be written to" in found.operator().specs("inv-001")["move"].disabled
