"""Files, folders and many files as a source: lists, payloads, relations, search, changes; `show FILE --json`."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import session as cli_session
from app.cli.main import cli
from app.opening import engine_of, together
from engine_bridge.bridge import Sort, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import url
from engine_bridge.engines.temporal.file_bridge import FileBridge
from engine_bridge.errors import ConnectError, CorruptError, NotFoundError, UsageError
from engine_bridge.history import History, Restart
from engine_bridge.model import Run, RunRef, StepKind
from tests.engines.temporal.files import histories as h

NEVER = CancelToken()
PARENT = RunRef("workflow", "kitchen", "01a1f6f6-8fa5-77eb-837b-cad39f66b596")
Opener = Callable[[Path], FileBridge]


@pytest.fixture
def opened() -> Iterator[Opener]:
    bridges: list[FileBridge] = []

    def make(path: Path) -> FileBridge:
        bridges.append(FileBridge(url.file_url(str(path))))
        bridges[-1].open(NEVER)
        return bridges[-1]

    yield make
    for bridge in bridges:
        bridge.close()


def steps_of(bridge: FileBridge) -> list[tuple[Any, ...]]:
    """The steps of the only run."""
    history = History(bridge.decode_event, bridge.decode_step)
    (ref,) = (run.ref for run in runs(bridge).values())
    for batch in bridge.history(ref, NEVER):
        history.append(batch)
    return [(step.id, step.name, step.status, step.start_ns) for step in history.all_steps()]


def runs(bridge: FileBridge) -> dict[str, Run]:
    return {run.ref.run: run for run in bridge.runs(None, Sort(), None, "forward", 500, NEVER).items}


def write_family(folder: Path) -> None:
    """The kitchen, one of its children, and the run that continues it."""
    (folder / "kitchen.json").write_bytes(h.dialect("cli.json"))
    child, later = h.events()[:4], h.events()[:4]
    started = child[0]["workflowExecutionStartedEventAttributes"]
    started |= {
        "workflowId": "kitchen-child",
        "originalExecutionRunId": "01a1f6f6-9c23-70fb-97f4-7c7d8990477f",
    }
    started |= {
        "workflowType": {"name": "Child"},
        "parentWorkflowExecution": {"workflowId": "kitchen", "runId": PARENT.run},
    }
    later[0]["workflowExecutionStartedEventAttributes"] |= {
        "originalExecutionRunId": "b32975e8-1f0d-42c4-8e3e-862eb7a2daa1",
        "continuedExecutionRunId": PARENT.run,
    }
    (folder / "below").mkdir()
    (folder / "below" / "child.json").write_bytes(h.dumped({"events": child}))
    (folder / "later.jsonl").write_bytes(h.dumped({"events": later}))


@pytest.mark.parametrize("name", h.DIALECTS)
def test_every_dialect_is_recognised_by_its_content(name: str, tmp_path: Path) -> None:
    path = tmp_path / "something.txt"
    path.write_bytes(h.DIALECTS[name]())
    engine, target = engine_of(str(path))
    assert engine.name == "temporal" and target == url.file_url(str(path))


def test_one_file_is_one_run(opened: Opener, tmp_path: Path) -> None:
    path = tmp_path / "kitchen.json"
    path.write_bytes(h.dialect("cli.json"))
    bridge = opened(path)
    (run,) = runs(bridge).values()
    assert run.ref == PARENT and run.id == "kitchen" and run.type == "Kitchen"
    history = History(bridge.decode_event, bridge.decode_step)
    for batch in bridge.history(run.ref, NEVER):
        history.append(batch)
    assert len(history) == 62 and history.run == run
    assert (
        [one.ref for one in bridge.find("kitch", 5, NEVER)]
        == [PARENT]
        == [one.ref for one in bridge.find(PARENT.run, 5, NEVER)]
    )


def test_payloads_are_read_by_their_names(opened: Opener, tmp_path: Path) -> None:
    path = tmp_path / "kitchen.json"
    path.write_bytes(h.dialect("cli.json"))
    bridge = opened(path)
    history = History(bridge.decode_event, bridge.decode_step)
    for batch in bridge.history(PARENT, NEVER):
        history.append(batch)
    seen = 0
    for payload in [p for event in history.all_events() for p in event.payloads]:
        assert bridge.payload(payload.key, 0, -1, NEVER) == payload.head
        seen += 1
    assert seen > 15
    step = history.step(history.step_row("7"))
    assert step.input is not None and bridge.payload(step.input.key, 0, -1, NEVER) == b'"a"'
    assert bridge.payload(step.input.key, 1, 1, NEVER) == b"a"
    with pytest.raises(NotFoundError):
        bridge.payload(step.input.key.replace("7", "700"), 0, -1, NEVER)


def test_a_folder_holds_related_runs(opened: Opener, tmp_path: Path) -> None:
    write_family(tmp_path)
    (tmp_path / "notes.json").write_text('{"nothing": "of the kind"}')
    bridge = opened(tmp_path)
    assert len(runs(bridge)) == 3
    related = {
        (one.role, one.ref.group, one.run is not None)
        for one in bridge.related(PARENT, None, 50, NEVER).items
    }
    assert related == {
        ("child", "kitchen-child", True),
        ("child", "kitchen-child2", False),
        ("continued", "kitchen", True),
    }
    child = RunRef("workflow", "kitchen-child", "01a1f6f6-9c23-70fb-97f4-7c7d8990477f")
    (parent,) = bridge.related(child, None, 50, NEVER).items
    assert (parent.role, parent.ref) == ("parent", PARENT) and parent.run is not None


def test_the_same_run_in_several_files_has_a_name_in_each(opened: Opener, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(h.dialect("cli.json"))
    bridge = opened(tmp_path)
    assert sorted(runs(bridge)) == [PARENT.run, f"{PARENT.run} in b.json"]
    for run in runs(bridge).values():
        assert run.input is not None and bridge.payload(run.input.key, 0, -1, NEVER) == b"1"


def test_a_damaged_file_in_a_folder_is_a_row_that_says_so(opened: Opener, tmp_path: Path) -> None:
    write_family(tmp_path)
    (tmp_path / "broken.json").write_text('{"events": [{"eventId": "1", "eventTime"')
    bad = runs(opened(tmp_path))["broken.json"]
    assert bad.bad and bad.status.value == "unknown"


def test_what_holds_no_history_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    for path in (tmp_path, tmp_path / "a.json"):
        with pytest.raises(CorruptError):
            FileBridge(url.file_url(str(path))).open(NEVER)
    with pytest.raises(NotFoundError):
        FileBridge(url.file_url(str(tmp_path / "none.json"))).open(NEVER)
    with pytest.raises(UsageError):
        FileBridge("temporal+file:///tmp?only=../secret.json")


def test_files_that_come_change_and_go_are_noticed(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "kitchen.json").write_bytes(h.dumped(h.events()[:20]))
    bridge = opened(tmp_path)
    mark = bridge.changes(None, (), NEVER).mark
    assert not bridge.changes(mark, (), NEVER).moved
    (tmp_path / "kitchen.json").write_bytes(h.dialect("cli.json"))
    changed = bridge.changes(mark, (), NEVER)
    assert [run.status.value for run in changed.changed] == ["continued"] and changed.new == 0
    (tmp_path / "kitchen.json").unlink()
    gone = bridge.changes(changed.mark, (PARENT,), NEVER)
    assert gone.removed == (PARENT,) and not runs(bridge)


def test_a_file_that_is_written_anew_is_read_again_by_who_looks_at_its_run(
    opened: Opener, tmp_path: Path
) -> None:
    file = tmp_path / "kitchen.json"
    file.write_bytes(h.dialect("cli.json"))
    bridge = opened(file)
    info = bridge.open(NEVER)
    assert info.only is not None and info.only.group == "kitchen"
    assert [len(batch.event_records) for batch in bridge.history(info.only, NEVER)] == [62]
    file.write_bytes(h.dumped(h.events()[:20]))
    bridge.changes(None, (), NEVER)
    assert next(iter(bridge.tail(info.only, 62, NEVER))) == Restart("its file was written anew")
    file.unlink()
    with pytest.raises(ConnectError, match=r"There is no file .*kitchen\.json"):
        next(iter(bridge.tail(info.only, 20, NEVER)))
    with pytest.raises(ConnectError, match="There is no file"):
        bridge.changes(b"other", (), NEVER)


@pytest.mark.parametrize("name", ["cli.json", "ui_raw.json"])
def test_a_run_is_exported_as_the_engine_does(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Command line and bridge; what comes out reads like what went in."""
    file, out = tmp_path / name, tmp_path / "out.json"
    file.write_bytes(h.dialect(name))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    words = ["export", str(file), "kitchen", "-o", str(out)]
    refused = CliRunner().invoke(cli, words)
    assert isinstance(refused.exception, UsageError) and "--raw" in str(refused.exception)
    done = CliRunner().invoke(cli, [*words, "--raw", "--yes", "--json"], catch_exceptions=False)
    assert json.loads(done.output)["size"] == out.stat().st_size
    assert out.stat().st_mode & 0o77 == 0 and json.loads(out.read_bytes())["events"][0]["eventId"] == "1"
    steps = steps_of(opened(file))
    assert steps_of(opened(out)) == steps and len(steps) == 12


def test_text_is_found_in_payloads_failures_and_names(opened: Opener, tmp_path: Path) -> None:
    write_family(tmp_path)
    bridge = opened(tmp_path)

    def hits(text: str, scope: str = "all") -> list[tuple[str, str | None]]:
        return [(hit.where, hit.step_id) for hit in bridge.search(text, scope, 50, NEVER)]

    assert ("event 43: result of Child", "33") in hits('KID"')
    assert ("event 15: error of flaky", "14") in hits("BOOM 2")
    assert ("event 20: name of always_fail", "20") in hits("always_fail")
    assert ("event 7: name of echo", "7") in hits("my summary") and hits("no such words") == []
    assert {where for where, _ in hits("1", "inputs")} == {"event 1: input"}
    assert hits("") == []


def test_readable_payloads_are_searched_too(opened: Opener, tmp_path: Path) -> None:
    path = tmp_path / "kitchen.json"
    path.write_bytes(h.readable())
    assert [hit.step_id for hit in opened(path).search('kid2"', "all", 50, NEVER)] == ["47", "47"]


def test_many_files_make_one_source(tmp_path: Path) -> None:
    write_family(tmp_path)
    paths = [str(tmp_path / "kitchen.json"), str(tmp_path / "below" / "child.json")]
    (target,) = together(paths)
    assert target.startswith("temporal+file://") and target.count("only=") == 2
    bridge = FileBridge(target)
    info = bridge.open(NEVER)
    assert len(runs(bridge)) == 2 and info.title.startswith("2 histories in ")
    assert load_engine("temporal").absolute(target) == target
    (tmp_path / "orders.sqlite").write_bytes(b"SQLite format 3\0" + bytes(100))
    assert len(together([*paths, str(tmp_path / "orders.sqlite")])) == 2


def test_show_of_a_file_needs_no_run_and_no_server(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.json"
    path.write_bytes(h.dialect("cli.json"))
    shown = CliRunner().invoke(cli, ["show", str(path), "--json"])
    assert shown.exit_code == 0, shown.output
    found: dict[str, Any] = json.loads(shown.stdout)
    assert found["run"]["id"] == "kitchen" and len(found["events"]) == 62
    kinds = [step["kind"] for step in found["steps"]]
    assert kinds.count(StepKind.CHILD.value) == 2
    assert found["steps"][1]["input"] and found["steps"][1]["output"]


def test_runs_of_a_folder_are_listed(tmp_path: Path) -> None:
    write_family(tmp_path)
    listed = CliRunner().invoke(cli, ["runs", str(tmp_path), "--filter", "type == Child", "--json"])
    assert listed.exit_code == 0, listed.output
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == ["kitchen-child"]


def test_a_workflow_id_of_several_runs_asks_for_one(tmp_path: Path) -> None:
    write_family(tmp_path)
    asked = CliRunner().invoke(cli, ["show", str(tmp_path), "kitchen"], standalone_mode=False)
    assert isinstance(asked.exception, UsageError) and PARENT.run in str(asked.exception)
    shown = CliRunner().invoke(cli, ["show", str(tmp_path), PARENT.run, "--json"])
    assert json.loads(shown.stdout)["run"]["status"] == "continued"
    with cli_session.opened(str(tmp_path)) as place:
        with pytest.raises(UsageError) as several:
            cli_session.find_exactly(place, "kitchen")
        assert f"{PARENT.run} (continued)" in str(several.value), "what is acted on can be named"
        assert cli_session.find_exactly(place, PARENT.run).ref == PARENT


def test_an_export_of_a_history_shows_the_same_steps(tmp_path: Path) -> None:
    path, bundle = tmp_path / "kitchen.json", tmp_path / "kitchen.playhead"
    path.write_bytes(h.dialect("cli.json"))
    made = CliRunner().invoke(cli, ["export", str(path), "kitchen", "-o", str(bundle)])
    assert made.exit_code == 0, made.output
    there, here = (
        json.loads(CliRunner().invoke(cli, ["show", str(p), "--json"]).stdout) for p in (path, bundle)
    )
    assert there["steps"] == here["steps"] and there["events"] == here["events"]


def test_names_that_are_no_text_and_pipes_are_no_trouble(tmp_path: Path, opened: Opener) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xfe.json"
    Path(os.fsdecode(name)).write_bytes(h.dialect("cli.json"))
    os.mkfifo(tmp_path / "pipe.json")
    engine, address = engine_of(os.fsdecode(name))
    assert engine.name == "temporal" and address.isascii()
    bridge = opened(tmp_path)
    (run,) = runs(bridge).values()
    mark = bridge.changes(None, (run.ref,), NEVER).mark
    assert not bridge.changes(mark, (run.ref,), NEVER).moved
    with pytest.raises(ConnectError, match="no regular file"):
        engine_of(str(tmp_path / "pipe.json"))


def _payload(encoding: str, data: bytes, **more: Any) -> dict[str, Any]:
    words = {"encoding": encoding, **more.pop("words", {})}
    metadata = {name: base64.b64encode(word.encode()).decode() for name, word in words.items()}
    return {"metadata": metadata, "data": base64.b64encode(data).decode(), **more}


def test_payloads_that_are_no_json_or_large_or_elsewhere_say_so(tmp_path: Path, opened: Opener) -> None:
    elsewhere = _payload(
        "json/protobuf",
        b'{"driverName": "s3"}',
        words={"messageType": "temporal.api.sdk.v1.ExternalStorageReference"},
        externalPayloads=[{"sizeBytes": "5000000"}],
    )
    held = [
        _payload("binary/plain", b"\0\xff"),
        _payload("json/plain", str([0] * 30_000).encode()),
        elsewhere,
    ]
    events = h.events()[:1] + [
        {
            "eventId": str(place),
            "eventTime": "2026-01-01T00:00:00Z",
            "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED",
            "workflowExecutionSignaledEventAttributes": {"signalName": "s", "input": {"payloads": [one]}},
        }
        for place, one in enumerate(held, 2)
    ]
    path = tmp_path / "a.json"
    path.write_bytes(h.dumped({"events": events}))
    shown = json.loads(CliRunner().invoke(cli, ["show", str(path), "--json"]).output)
    raw, large, reference = (step["input"] for step in shown["steps"])
    assert raw == {"$bytes": "00ff", "$encoding": "binary/plain", "$size": 2}
    assert set(large["$truncated"]) == {0} and len(large["$truncated"]) < 30_000 and large["$size"] == 90_000
    assert reference == {"driverName": "s3"}
    bridge = opened(path)
    (ref,) = (run.ref for run in runs(bridge).values())
    history = History(bridge.decode_event, bridge.decode_step)
    for batch in bridge.history(ref, NEVER):
        history.append(batch)
    assert [one.label for one in history.event(3).payloads] == ["input · stored elsewhere, 4.8 MiB"]
