"""Configs by place: files, folders, revisions of git; what cannot be read is a finding."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import revisions_git
from engine_bridge.engines.entity_state.revisions import Reading, read
from engine_bridge.errors import CancelledError
from tests.engines.entity_state.tools.conftest import SIMPLE, Folder, changed


def of(*places: str) -> Reading:
    return read(places, CancelToken())


def why(reading: Reading) -> list[tuple[str, str, str]]:
    return [(f.code, f.reason, f.fix) for f in reading.findings]


def test_a_file_tells_its_type_and_tenant(folder: Folder) -> None:
    path = folder.write("acme.json", {"workflow_type": "order", "tenant": "acme"})
    (file,) = of(path).files
    assert (file.name, file.type, file.tenant, file.revision) == (path, "order", "acme", "")


def test_a_folder_gives_its_configs_and_nothing_else(folder: Folder) -> None:
    folder.write("billing/invoice.json", SIMPLE)
    folder.write("package.json", '{"name": "shop"}')
    folder.write(".hidden/invoice.json", SIMPLE)
    folder.write("broken.json", '{"workflow_type": "x", ')
    found = of(str(folder.path))
    assert [Path(f.name).name for f in found.files] == ["broken.json", "invoice.json"]
    assert found.findings == ()


def test_a_file_named_twice_is_read_once(folder: Folder) -> None:
    path = folder.write("order.json", SIMPLE)
    assert len(of(path, path, str(folder.path)).files) == 1


@pytest.mark.parametrize(
    ("place", "code", "reason"),
    [
        ("nowhere.json", "unreadable", "there is no such file"),
        ("x\0y.json", "unreadable", "there is no such file"),
        ("a" * 5_000, "unreadable", "there is no such file"),
        (".", "no_config", "the folder holds no config"),
    ],
)
def test_what_cannot_be_read_is_a_finding(
    place: str, code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [(c, r) for c, r, _ in why(of(place))] == [(code, reason)]


def test_a_file_that_is_not_utf_8_and_one_that_is_too_large_are_findings(folder: Folder) -> None:
    (folder.path / "latin.json").write_bytes(b'{"workflow_type":\n "\xe9"}')
    (folder.path / "large.json").write_bytes(b" " * ((4 << 20) + 1))
    found = of(str(folder.path / "latin.json"), str(folder.path / "large.json")).findings
    assert [(f.code, f.line, f.column) for f in found] == [("unreadable", 0, 0), ("broken_json", 2, 3)]


def test_a_revision_of_a_file(repository: Folder) -> None:
    repository.write("order.json", SIMPLE)
    first = repository.commit("first")
    repository.write("order.json", changed(SIMPLE, owning_module="other"))
    repository.commit("second")
    for place in ("HEAD~1:order.json", f"{first[:10]}:order.json", "main^:./order.json"):
        (file,) = of(place).files
        assert (file.name, file.revision, file.type) == (place, first, "order")
        assert '"owning_module": "shop"' in file.text


def test_a_revision_of_a_folder_and_of_a_path_from_below(
    repository: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("flows/a/order.json", SIMPLE)
    repository.write("flows/naïve name.json", changed(SIMPLE, workflow_type="other"))
    repository.write("flows/package.json", "{}")
    repository.commit("first")
    names = ["HEAD:flows/a/order.json", "HEAD:flows/naïve name.json"]
    assert [f.name for f in of("HEAD:flows").files] == names
    assert [f.name for f in of("HEAD:flows/").files] == names
    monkeypatch.chdir(repository.path / "flows")
    # As git reads it, from the top; and as one types it where one stands.
    assert [f.type for f in of("HEAD:flows/a/order.json", "HEAD:a/order.json").files] == ["order", "order"]


def test_an_absolute_path_finds_its_repository(
    repository: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = repository.write("gone/order.json", SIMPLE)
    repository.commit("first")
    Path(path).unlink()
    Path(path).parent.rmdir()
    monkeypatch.chdir(tmp_path)
    assert [f.type for f in of(f"HEAD:{path}").files] == ["order"]


def test_relative_places_are_found_from_home_too(
    repository: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("flows/order.json", SIMPLE)
    repository.commit("first")
    monkeypatch.chdir(tmp_path)
    home = repository.path / "flows"
    places = ("order.json", "HEAD:order.json", "HEAD:flows/order.json")
    assert [file.type for file in read(places, CancelToken(), home).files] == ["order"] * 3
    assert of("order.json").files == ()
    (found,) = read(("nope:order.json",), CancelToken(), home).findings
    assert found.reason == "git knows no revision nope"


def test_a_path_with_a_colon_that_exists_is_a_file(repository: Folder) -> None:
    repository.write("HEAD:order.json", SIMPLE)
    (file,) = of("HEAD:order.json").files
    assert file.revision == ""


def test_what_git_cannot_give_is_a_finding_that_says_so(repository: Folder) -> None:
    repository.write("order.json", SIMPLE)
    repository.commit("first")
    assert why(of("nope:order.json")) == [
        ("unreadable", "git knows no revision nope", "`git log` lists revisions; fetch what is missing.")
    ]
    assert why(of("HEAD:other.json")) == [
        ("unreadable", "HEAD holds no other.json", "`git ls-tree -r HEAD` lists what it holds.")
    ]


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert why(of("HEAD:order.json")) == [
        (
            "unreadable",
            f"{tmp_path} is in no git repository",
            "Name a file, or go to the repository.",
        )
    ]


def test_without_git(repository: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.write("order.json", SIMPLE)
    repository.commit("first")
    monkeypatch.setenv("PATH", str(repository.path))
    ((code, reason, fix),) = why(of("HEAD:order.json"))
    assert (code, fix) == ("unreadable", "Install git, or name a file instead.")
    assert reason == "git cannot be run: No such file or directory"


def test_a_git_that_hangs_is_given_up(repository: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = repository.path / "bin" / "git"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexec sleep 60\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(revisions_git, "TIMEOUT_S", 0.1)
    ((code, reason, _),) = why(of("HEAD:order.json"))
    assert (code, reason) == ("unreadable", "git did not answer in 0.1 s")


def test_options_never_reach_git_by_a_place(repository: Folder) -> None:
    repository.write("order.json", SIMPLE)
    repository.commit("first")
    assert why(of("--output=x:order.json"))[0][:2] == ("unreadable", "there is no such file")
    assert not (repository.path / "x").exists()


def test_a_cancelled_reading_stops(repository: Folder) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        read(("HEAD:order.json",), token)


def test_commits_of_a_file_newest_first(repository: Folder) -> None:
    path = Path(repository.write("order.json", SIMPLE))
    first = repository.commit("first | one")
    repository.write("other.json", SIMPLE)
    repository.commit("other")
    repository.write("order.json", changed(SIMPLE, owning_module="x"))
    second = repository.commit("second")
    found = revisions_git.commits(path, CancelToken())
    assert [(c.id, c.subject) for c in found] == [(second, "second"), (first, "first | one")]
    assert found[0].time_ns >= found[1].time_ns > 1_500_000_000_000_000_000


def test_commits_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revisions_git.commits(tmp_path / "order.json", CancelToken()) == ()
