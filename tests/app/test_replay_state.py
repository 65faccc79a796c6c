"""What projects and consents of a source are kept by."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.replay_state import source_key


def test_one_file_has_one_key_however_its_address_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my shop"
    folder.mkdir()
    (folder / "orders.sqlite").write_bytes(b"SQLite format 3\0")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = [
        "my shop/orders.sqlite",
        "./link/orders.sqlite",
        "~/my shop/orders.sqlite",
        f"{folder}/orders.sqlite",
    ]
    urls = [
        f"dbos+sqlite:///{path}"
        for path in (*paths, "my%20shop/orders.sqlite", "my shop/../link/orders.sqlite")
    ]
    assert len({source_key(address) for address in (*paths, *urls)}) == 1
    assert source_key("gone.txt") == "gone.txt"


def test_a_folder_of_histories_and_its_url_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text(
        '{"events": [{"eventId": "1", "eventType": "WorkflowExecutionStarted"}]}'
    )
    monkeypatch.chdir(tmp_path)
    keys = {source_key(address) for address in ("a.json", f"temporal+file://{tmp_path}/a.json")}
    assert len(keys) == 1
    assert source_key(str(tmp_path)) not in keys


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("dbos+postgresql://ann@db/shop", "dbos+postgresql://ann@db:5432/shop?schema=dbos", True),
        ("dbos+postgresql://db/x?sslmode=allow&schema=a", "dbos+postgresql://db/x?schema=a&sslmode=allow", True),
        ("dbos+postgresql:///shop?host=/run/pg", "dbos+postgresql:///shop?host=%2Frun%2Fpg&schema=dbos", True),
        ("dbos+postgresql://ann@db/shop", "dbos+postgresql://bob@db/shop", False),
        ("dbos+postgresql://db/shop", "dbos+postgresql://db/shop?schema=other", False),
        ("temporal://localhost", "temporal://localhost:7233/default", True),
        ("temporal://localhost/a", "temporal://localhost/b", False),
    ],
)  # fmt: skip
def test_servers(one: str, other: str, same: bool) -> None:
    assert (source_key(one) == source_key(other)) is same
