"""Options of a project as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_bridge.engines.temporal.replay_input import SPEC
from engine_bridge.errors import UsageError
from engine_bridge.replay.options import parse, text


def test_values_are_text_or_json(tmp_path: Path) -> None:
    lines = [
        "data_converter = app.converter:converter",
        "",
        "config=setup.py:arguments",
        "worker_script=worker.py",
        "sandbox=false",
        'argv=["--queue", "shop"]',
        'environment={"REGION": "eu"}',
    ]
    found = parse(lines, SPEC, tmp_path)
    assert found == {
        "data_converter": "app.converter:converter",
        "config": f"{tmp_path}/setup.py:arguments",
        "worker_script": f"{tmp_path}/worker.py",
        "sandbox": False,
        "argv": ["--queue", "shop"],
        "environment": {"REGION": "eu"},
    }
    (tmp_path / "order.py").touch()
    assert parse(text(found).splitlines(), SPEC, tmp_path / "order.py") == found


@pytest.mark.parametrize("line", ["data_convertor=x", "sandbox", "argv=[1", "argv=x", "environment=[]", "=x"])
def test_what_is_no_option_is_said(line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        parse([line], SPEC, tmp_path)
