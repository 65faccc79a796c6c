"""Settings and saved things: kept, merged, mended."""

from __future__ import annotations

import multiprocessing
import tomllib
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resources
from app import toml_file
from app.saved import Saved
from app.settings import SETTINGS, Settings
from engine_bridge.errors import NotFoundError, PlayheadError, UsageError
from engine_bridge.model import Environment


def test_settings_are_kept_and_told(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    settings, heard = Settings(path), []
    settings.changed.append(lambda name, value: heard.append((name, value)))
    settings.set("theme", "light")
    settings.set("theme", "light")
    settings.set("zone", "utc")
    assert heard == [("theme", "light"), ("zone", "utc")]
    again = Settings(path)
    assert (again.get("theme"), again.zone()) == ("light", UTC)
    assert again.notices == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('theme = "pink"', "theme does not fit; using 'system'"),
        ("recents = true", "recents does not fit; using 10"),
        ('colour = "red"', "there is no setting 'colour'"),
        ("theme = ", "cannot be read"),
    ],
)
def test_bad_settings_become_defaults_with_a_notice(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    settings = Settings(path)
    assert said in settings.notices[0]
    assert [settings.get(setting.id) for setting in SETTINGS] == [setting.default for setting in SETTINGS]


def test_unknown_settings_survive_a_change_and_broken_files_are_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('future = "yes"\n')
    Settings(path).set("theme", "dark")
    assert tomllib.loads(path.read_text()) == {"future": "yes", "theme": "dark"}
    path.write_text("theme = ")
    Settings(path).set("theme", "light")
    assert tomllib.loads(path.read_text()) == {"theme": "light"}
    assert path.with_suffix(".toml.bad").read_text() == "theme = "


def test_what_is_no_setting_is_refused(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.toml")
    with pytest.raises(UsageError, match="There is no setting 'colour'"):
        settings.set("colour", "red")
    with pytest.raises(UsageError, match="theme cannot be 'pink'"):
        settings.set("theme", "pink")


def _add_recents(folder: Path, name: str) -> None:
    saved = Saved(folder)
    for number in range(20):
        saved.save_source(f"{name}-{number}", f"x://host/{name}/{number}")
        saved.add_recent(f"x://host/{name}/{number}", name, 50)


def test_two_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_add_recents, args=(tmp_path, name)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    saved = Saved(tmp_path)
    assert len(saved.sources()) == 40
    assert len(saved.recents()) == 40


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlayheadError, match="cannot be written"):
        Saved(tmp_path / "file").save_view("x", "y")


def test_saved_sources_by_name(tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    saved.save_source("prod", "x://ann:hunter2@host/db", Environment.PRODUCTION)
    assert saved.source("@prod").url == "x://ann@host/db"
    assert "hunter2" not in (tmp_path / "sources.toml").read_text()
    with pytest.raises(UsageError, match="@prod exists"):
        saved.save_source("prod", "y://host")
    with pytest.raises(UsageError, match="cannot be called"):
        saved.save_source("../x", "y://host")
    with pytest.raises(NotFoundError) as caught:
        saved.source("nope")
    assert "@prod" in caught.value.hint
    saved.rename_source("prod", "live")
    assert [s.name for s in saved.sources()] == ["live"]
    saved.remove_source("live")
    assert saved.sources() == []


def test_an_environment_nobody_knows_counts_as_production(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text('[[source]]\nname = "a"\nurl = "x://h"\nenvironment = "prod-eu"\n')
    assert Saved(tmp_path).source("a").environment is Environment.PRODUCTION


def test_recents_are_newest_first_and_few(tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    for number in range(5):
        saved.add_recent(f"x://host/{number}", f"{number}", 3)
    saved.add_recent("x://host/3", "3", 3)
    assert [recent.title for recent in saved.recents()] == ["3", "4", "2"]


def test_views_replace_one_of_the_same_title(tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    saved.save_view("Broken", 'type ~ "a*"')
    saved.save_view("Broken", 'error contains "\\"x\\""\n')
    assert [(view.title, view.query) for view in saved.views()] == [("Broken", 'error contains "\\"x\\""\n')]
    saved.remove_view("Broken")
    assert saved.views() == []


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SCALAR = st.one_of(_TEXT, st.booleans(), st.integers(-(2**60), 2**60), st.lists(_TEXT, max_size=3))
_KEY = _TEXT.filter(bool)


@given(
    st.dictionaries(
        _KEY,
        st.one_of(
            _SCALAR,
            st.dictionaries(_KEY, _SCALAR, max_size=3),
            st.lists(st.dictionaries(_KEY, _SCALAR, max_size=3), min_size=1, max_size=3),
        ),
        max_size=5,
    )
)
def test_what_is_written_reads_back(content: dict[str, Any]) -> None:
    assert tomllib.loads(toml_file.dumps(content)) == content


@given(st.dictionaries(_KEY, _SCALAR, max_size=4), st.text(max_size=20))
def test_the_flat_reader_agrees_with_tomllib_or_declines(content: dict[str, Any], more: str) -> None:
    for text in (toml_file.dumps(content), toml_file.dumps(content) + more):
        flat = resources.flat_toml(text)
        if flat is not None:
            assert tomllib.loads(text) == flat.pop("") | flat


def test_flat_themes_read_as_tomllib_reads_them() -> None:
    for file in resources.path("themes").glob("*.toml"):
        flat = resources.flat_toml(file.read_text())
        assert flat is not None
        assert tomllib.loads(file.read_text()) == flat.pop("") | flat
