"""Consent: per project, source and interpreter, kept, taken back, and never given by accident."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Thread

import pytest

from engine_bridge.errors import PlayheadError
from engine_bridge.replay.consent import Consents
from engine_bridge.replay.model import Project

SOURCE = "dbos+sqlite:////data/orders.db"


@pytest.fixture
def consents(tmp_path: Path) -> Consents:
    return Consents(tmp_path / "state" / "replay" / "consent.json")


def project(code: Path, python: str = "/usr/bin/python3") -> Project:
    return Project(code=str(code), python=python)


def test_is_asked_for_once_for_each_project_source_and_interpreter(
    consents: Consents, tmp_path: Path
) -> None:
    mine = project(tmp_path / "flows.py")
    assert not consents.given(mine, SOURCE)
    consents.give(mine, SOURCE)
    assert consents.given(mine, SOURCE)
    assert not consents.given(mine, "bundle:/downloads/stranger.zip#5f2b")
    assert not consents.given(project(tmp_path / "other.py"), SOURCE)
    assert not consents.given(project(tmp_path / "flows.py", "/opt/python/bin/python3"), SOURCE)


def test_outlives_the_process_and_can_be_taken_back(tmp_path: Path) -> None:
    path, mine = tmp_path / "consent.json", project(tmp_path)
    Consents(path).give(mine, SOURCE)
    assert Consents(path).withdraw(mine, SOURCE)
    assert not Consents(path).given(mine, SOURCE)
    assert not Consents(path).withdraw(mine, SOURCE)


def test_code_is_its_real_place_and_an_environment_its_own(consents: Consents, tmp_path: Path) -> None:
    code, link = tmp_path / "code", tmp_path / "link"
    code.mkdir()
    link.symlink_to(code)
    consents.give(project(link), SOURCE)
    assert consents.given(project(code), SOURCE)
    # Two environments whose python is a link to the same file are two interpreters.
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "python").symlink_to("/bin/sh")
    consents.give(project(code, str(tmp_path / "a" / "python")), SOURCE)
    assert not consents.given(project(code, str(tmp_path / "b" / "python")), SOURCE)


def test_a_link_that_now_leads_elsewhere_is_asked_for_anew(consents: Consents, tmp_path: Path) -> None:
    for name in ("good", "other"):
        (tmp_path / name).mkdir()
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "good")
    consents.give(project(link), SOURCE)
    link.unlink()
    link.symlink_to(tmp_path / "other")
    assert not consents.given(project(link), SOURCE)


def test_names_in_payloads_that_were_not_shown_are_told(consents: Consents, tmp_path: Path) -> None:
    mine = project(tmp_path)
    assert consents.unseen(mine, SOURCE, ("shop.Order",)) == ("shop.Order",)
    consents.give(mine, SOURCE, ("shop.Order",))
    assert consents.unseen(mine, SOURCE, ("shop.Order", "os.system")) == ("os.system",)
    consents.give(mine, SOURCE, ("os.system",))
    assert consents.unseen(mine, SOURCE, ("shop.Order", "os.system")) == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"consents": 3}', '{"consents": [{"code": 1}, null, "x"]}', "[" * 9999]
)
def test_a_damaged_file_means_no(tmp_path: Path, text: str) -> None:
    path = tmp_path / "consent.json"
    path.write_text(text)
    consents = Consents(path)
    assert not consents.given(project(tmp_path), SOURCE)
    consents.give(project(tmp_path), SOURCE)
    assert consents.given(project(tmp_path), SOURCE)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlayheadError, match="cannot be written"):
        Consents(tmp_path / "file" / "consent.json").give(project(tmp_path), SOURCE)


def test_two_playheads_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "consent.json"
    threads = [
        Thread(target=lambda n=n: Consents(path).give(project(tmp_path / str(n)), SOURCE)) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Consents(path).all()) == 8
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert len(json.loads(path.read_text())["consents"]) == 8


def test_the_newest_comes_first_and_any_can_be_forgotten(consents: Consents, tmp_path: Path) -> None:
    for name in ("a", "b"):
        consents.give(project(tmp_path / name), SOURCE)
    newest, _ = consents.all()
    assert Path(newest.code).name == "b"
    consents.forget(newest)
    assert [Path(consent.code).name for consent in consents.all()] == ["a"]
