"""Sample databases, a git repository, and configs as files."""

from __future__ import annotations

import json
import subprocess
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import LintReport
from engine_bridge.engines.entity_state.tools import EntityConfigs
from tests.engines.entity_state.fixtures import entity_file, open_entities, open_store

__all__ = ["entity_file", "open_entities", "open_store"]

SIMPLE: dict[str, Any] = {
    "workflow_type": "order",
    "entity": {"table": "orders", "tenant": "tenant_id"},
    "owning_module": "shop",
    "status_types": ["new", "checked", "shipping", "shipped", "done", "failed"],
    "initial": "new",
    "terminal": {"good": ["done"], "bad": ["failed"]},
    "steps": [
        {"key": "check", "status": "new", "requesters": ["user", "admin"], "validation": "is_complete",
         "successful_state": "checked", "rejection_state": "failed"},
        {"key": "ship", "status": "checked", "requesters": ["system"], "action": "call_carrier",
         "claim": {"status": "shipping", "ttl_s": 60, "release": "checked"}, "successful_state": "shipped"},
        {"key": "close", "status": "shipped", "requesters": ["user", "system"], "successful_state": "done"},
        {"key": "skip", "status": "checked", "requesters": ["admin"], "successful_state": "shipped"},
    ],
}  # fmt: skip
"""Every kind of way: success, rejection, claim, release, an admin's override."""


def changed(config: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A copy of a config with top-level fields replaced."""
    return deepcopy(config) | fields


def renamed(config: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """A copy of a config with one name replaced everywhere."""
    found: dict[str, Any] = json.loads(json.dumps(config).replace(json.dumps(old), json.dumps(new)))
    return found


def without(config: dict[str, Any], status: str, *steps: str) -> dict[str, Any]:
    """A copy of a config without a status and some steps."""
    return changed(
        config,
        status_types=[s for s in config["status_types"] if s != status],
        steps=[s for s in config["steps"] if s["key"] not in steps],
    )


@dataclass
class Folder:
    """Writes configs and lints them; names are relative to it."""

    path: Path

    def write(self, name: str, config: dict[str, Any] | str) -> str:
        """A config file; its path."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(config if isinstance(config, str) else json.dumps(config, indent=2))
        return str(path)

    def lint(self, *configs: dict[str, Any] | str, **options: Any) -> LintReport:
        """The report on configs, written to 0.json, 1.json …"""
        places = tuple(self.write(f"{i}.json", config) for i, config in enumerate(configs))
        return EntityConfigs().lint(places, CancelToken(), **options)

    def git(self, *arguments: str) -> str:
        """Git in this folder, as somebody."""
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        """Everything as a commit; its id."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder."""
    path = tmp_path / "configs"
    path.mkdir()
    return Folder(path)


@pytest.fixture
def repository(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A folder that is a new git repository, and the working folder of the test."""
    folder.git("init", "-q", "-b", "main")
    monkeypatch.chdir(folder.path)
    return folder
