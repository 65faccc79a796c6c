"""Source URLs: what they mean, and that no password in them ever shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_bridge.bridge import load_engine
from engine_bridge.engines.dbos.url import FileSource, ServerSource, file_url, parse, server_url
from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.postgres_url import mask

SECRET = "s3cr3t/p@ss?w:ord#"


def test_files(tmp_path: Path) -> None:
    assert parse("dbos+sqlite:///orders.db") == FileSource(Path("orders.db"))
    assert parse("dbos+sqlite:////srv/my%20orders.db") == FileSource(Path("/srv/my orders.db"))
    odd = tmp_path / "100%25 # ?.db"
    odd.touch()
    assert parse(file_url(str(odd))) == FileSource(odd)
    assert parse(f"dbos+sqlite:///{odd}") == FileSource(odd)


def test_servers() -> None:
    full = parse("dbos+postgresql://me:pw@db.example:5433/orders?schema=other&sslmode=require")
    assert full == ServerSource("db.example", 5433, "me", "orders", "other", {"sslmode": "require"}, "pw")
    assert parse("dbos+postgresql:///orders?host=/run/pg") == ServerSource("/run/pg", None, None, "orders")
    assert parse("dbos+postgresql://[::1]:6000/orders") == ServerSource("::1", 6000, None, "orders")
    assert isinstance(full, ServerSource) and "pw" not in repr(full) and "pw" not in full.location


@pytest.mark.parametrize(
    "place", ["a%20b@db.example:5433/orders?sslmode=require", "/o%2Fx?host=/run/pg", "[::1]/o"]
)
def test_the_one_url_of_a_server_opens_the_same(place: str) -> None:
    source = parse(f"dbos+postgresql://{place}")
    assert isinstance(source, ServerSource)
    assert parse(server_url(source)) == replace(source, port=source.port or 5432)


@pytest.mark.parametrize(
    "url",
    [
        f"dbos+postgresql://me:{SECRET}@host:port/orders",
        f"dbos+postgresql://me:{SECRET}@host:99999/orders",
        f"dbos+postgresql://me:{SECRET}@host",
        f"dbos+postgresql://me:{SECRET}@host/orders?options=-c%20x",
        f"dbos+postgresql://host/orders?password={SECRET}&nope=1",
        f"nope://me:{SECRET}@host/orders",
        f"postgresql://me:{SECRET}@[::1/orders",
    ],
)
def test_no_password_in_errors(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(url)
    told = f"{caught.value!r} {caught.value} {caught.value.hint} {caught.value.detail} {mask(url)}"
    assert not any(part in told for part in (SECRET, "s3cr3t", "p@ss", "ord#"))


@given(st.text(), st.text(alphabet=st.characters(blacklist_categories=("Cs",)), min_size=4))
def test_any_text_parses_or_is_refused_without_its_password(text: str, password: str) -> None:
    for url in (text, f"dbos+postgresql://u:{password}@{text}", f"dbos+sqlite:///{text}"):
        try:
            parse(url)
        except PlayheadError as error:
            assert f":{password}@" not in str(error)


def test_the_engine_sniffs_files_and_builds_urls(made_sqlite: Path, tmp_path: Path) -> None:
    engine = load_engine("dbos")
    head = made_sqlite.read_bytes()[:16_384]
    assert engine.sniff(str(made_sqlite), head) == f"dbos+sqlite:///{made_sqlite}"
    assert engine.sniff("x.json", b'{"events": []}') is None
    file_form, server_form = engine.forms
    assert file_form.build({"path": "/srv/o.db"}) == "dbos+sqlite:////srv/o.db"
    fields = {
        "host": "db",
        "port": "5432",
        "database": "o r",
        "user": "m@e",
        "password": SECRET,
        "schema": "",
    }
    built = server_form.build(fields)
    assert SECRET not in built
    assert parse(built) == ServerSource("db", 5432, "m@e", "o r")
    assert parse(server_form.build({**fields, "host": "/run/pg"})) == ServerSource(
        "/run/pg", 5432, "m@e", "o r"
    )
    assert [field.name for field in server_form.fields if field.secret] == ["password"]
