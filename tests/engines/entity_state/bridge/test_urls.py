"""Source URLs: what they name, and that nothing about them leaks a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_bridge.bridge import load_engine
from engine_bridge.engines.entity_state.url import absolute, parse
from engine_bridge.errors import UsageError

SERVER = "entity+postgresql://ann:s3%2Fcr@et@db.example:5433/app?mapping=/m.toml&tenant=acme&schema=crm&sslmode=require"


def test_a_file_and_its_mapping() -> None:
    place = parse("entity+sqlite:////srv/a%20b/app.sqlite?mapping=/srv/m%26m.toml&tenant=acme%20ltd")
    assert place.path == Path("/srv/a b/app.sqlite") and place.mapping == Path("/srv/m&m.toml")
    assert place.tenant == "acme ltd" and parse(place.location) == place


def test_a_server() -> None:
    place = parse(SERVER)
    assert (place.host, place.port, place.user, place.database) == ("db.example", 5433, "ann", "app")
    assert (place.tenant, place.schema, place.parameters) == ("acme", "crm", {"sslmode": "require"})
    assert place.password == "s3/cr@et"


def test_a_location_holds_no_password_and_is_a_url() -> None:
    place = parse(SERVER)
    assert "s3" not in place.location and "s3" not in repr(place)
    again = parse(place.location)
    assert (again.user, again.tenant, again.schema, again.password) == ("ann", "acme", "crm", None)
    socket = parse("entity+postgresql://ann@/app?mapping=/m.toml&host=/run/pg")
    assert parse(socket.location).host == "/run/pg"


@pytest.mark.parametrize(
    "url",
    [
        "entity+postgresql://ann:s3cret@db:99999/app?mapping=/m.toml",
        "entity+postgresql://ann:s3cret@db:x/app?mapping=/m.toml",
        "entity+postgresql://ann:s3cret@db/?mapping=/m.toml",
        "entity+postgresql://ann:s3cret@db/app",
        "entity+postgresql://ann:s3cret@db/app?mapping=/m.toml&options=-c%20x",
        "entity+postgresql://db/app?mapping=/m.toml&password=s3cret&port=x",
        "entity+mysql://ann:s3cret@db/app?mapping=/m.toml",
        "entity+sqlite://",
        "entity+sqlite:////x.db",
        "entity+sqlite:////x.db?mapping=/m.toml&mode=rwc",
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(url)
    assert "s3cret" not in str(refused.value) and "mapping=" in refused.value.hint


def test_a_url_means_the_same_from_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    url = absolute("entity+sqlite:///app.db?mapping=m.toml")
    assert parse(url).path == tmp_path / "app.db" and parse(url).mapping == tmp_path / "m.toml"


def test_a_dropped_mapping_opens_its_database(tmp_path: Path) -> None:
    engine, path = load_engine("entity_state"), str(tmp_path / "m.toml")
    head = b'version = 1\n# the shop\nurl = "entity+sqlite:///app.sqlite?tenant=acme"\n[[workflow]]\n'
    url = engine.sniff(path, head)
    assert url is not None
    place = parse(url)
    assert (place.path, place.mapping, place.tenant) == (tmp_path / "app.sqlite", tmp_path / "m.toml", "acme")
    secret = engine.sniff(path, b'url = "entity+postgresql://ann:s3cret@db/app"\n')
    assert secret is not None and "s3cret" not in secret and parse(secret).user == "ann"
    assert engine.sniff(path, b"version = 1\n") is None
    assert engine.sniff(str(tmp_path / "m.txt"), head) is None
    assert engine.sniff(path, b'url = "https://example.com"\n') is None


def test_the_connect_dialog_builds_urls_without_the_password() -> None:
    forms = {form.scheme: form for form in load_engine("entity_state").forms}
    given = {"path": "/srv/a b.sqlite", "mapping": "/srv/m.toml", "tenant": ""}
    file = parse(forms["entity+sqlite"].build(given))
    assert file.path == Path("/srv/a b.sqlite") and file.tenant == ""
    given = {"host": "::1", "port": "5432", "user": "a@b", "database": "app/x", "password": "s3cret"}
    url = forms["entity+postgresql"].build(given | {"mapping": "/m.toml", "tenant": "acme", "schema": ""})
    server = parse(url)
    assert "s3cret" not in url and (server.host, server.user, server.database) == ("::1", "a@b", "app/x")
    with pytest.raises(UsageError):
        forms["entity+postgresql"].build(given | {"mapping": "/m.toml", "port": "many"})
