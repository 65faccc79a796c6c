"""Exported runs: the same in the bundle as in the source, without secrets, safe to open whatever became of the file."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
import resource
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine_bridge.bridge import Sort, load_engine
from engine_bridge.bundle import RUNS, Exported, export
from engine_bridge.bundle_columns import _Table, pack_events, unpack
from engine_bridge.bundle_file import MANIFEST, Manifest, Part, Reader
from engine_bridge.bundle_mask import masked_payload
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.bundle import ENGINE
from engine_bridge.engines.bundle.bridge import BundleBridge
from engine_bridge.errors import CancelledError, CorruptError, PlayheadError, UnsupportedError
from engine_bridge.history import Batch, History
from engine_bridge.model import Event, Failure, PayloadRef, Run, RunRef, Step
from engine_bridge.session import Session
from tests.fakes import FakeBridge, ref

NEVER = CancelToken()
TOKEN = "ghp_" + "a1B2" * 9
SECRETS = (TOKEN, "hunter2-xyzzy", "AKIAIOSFODNN7EXAMPLE")
PAYLOADS = {
    "plain": (b'{"order": 7, "price": 1.00}', "json"),
    "json": (json.dumps({"user": "ann", "password": "hunter2-xyzzy", "n": [1, 2]}).encode(), "json"),
    "text": (f"retrying with token {TOKEN} now".encode(), "text"),
    "pickle": (pickle.dumps({"order": 7}), "pickle"),
    "secret pickle": (pickle.dumps({"api_key": TOKEN}), "pickle"),
    "binary": (bytes(range(256)) * 4, None),
    "cut": (pickle.dumps(list(range(50)))[:-20], "pickle"),
}


class Leaky(FakeBridge):
    """Runs whose payloads, errors and attributes hold secrets."""

    def _leak(self, run: Run) -> Run:
        failure = Failure(
            type="AuthError", message=f"password=hunter2-xyzzy {TOKEN}", stack=f"key {SECRETS[2]}"
        )
        causes = msgspec.structs.replace(failure, causes=(failure,), raw=PayloadRef(key="json", label="raw"))
        return msgspec.structs.replace(
            run,
            now=f"token {TOKEN}",
            error=failure.message,
            failure=causes,
            attributes={"api_key": TOKEN, "tenant": "acme"},
        )

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        return self._leak(super().run(ref, cancel))

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        for batch in super().history(ref, cancel):
            assert batch.run is not None
            batch.run = self._leak(batch.run)
            batch.event_records = [self._event(record) for record in batch.event_records]
            batch.step_records = [self._step(record) for record in batch.step_records]
            yield batch

    def _event(self, record: bytes) -> bytes:
        event = msgspec.msgpack.decode(record, type=Event)
        refs = tuple(
            PayloadRef(key=name, label=name, encoding=encoding, size=len(data), head=data)
            for name, (data, encoding) in PAYLOADS.items()
        )
        return msgspec.msgpack.encode(msgspec.structs.replace(event, payloads=refs, detail=f"sent {TOKEN}"))

    def _step(self, record: bytes) -> bytes:
        step = msgspec.msgpack.decode(record, type=Step)
        return msgspec.msgpack.encode(msgspec.structs.replace(step, attributes={"token": TOKEN}))

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        data = PAYLOADS.get(key, (b'{"ok": true}', ""))[0]
        return data[offset:] if length < 0 else data[offset : offset + length]


def exported(
    path: Path, make: type[FakeBridge] = FakeBridge, *, runs: int = 3, raw: bool = False
) -> Exported:
    session = Session(lambda: make(60))
    info = session.open().result()
    refs = [ref(f"run-{i:04d}") for i in range(runs)]
    try:
        return export(session, info, refs, path, raw=raw, cancel=CancelToken())
    finally:
        session.close()


def read(bridge: BundleBridge, run: str) -> History:
    history = History()
    for batch in bridge.history(ref(run), NEVER):
        history.append(batch)
    return history


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.playhead"


def contents(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def rewrite(path: Path, change: dict[str, bytes]) -> None:
    """The same zip with other parts: its checksums of its own fit, the bundle's do not."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (parts | change).items():
            archive.writestr(name, data)


def test_a_bundle_shows_what_the_source_showed(path: Path) -> None:
    exported(path)
    source, bundle = FakeBridge(60), BundleBridge(path)
    bundle.open(NEVER)
    for name in ("run-0000", "run-0001", "run-0002"):
        (batch,) = source.history(ref(name), NEVER)
        there, here = History(), read(bundle, name)
        there.append(batch)
        for theirs, mine in (
            (there.events, here.events),
            (there.steps, here.steps),
            (there.attempts, here.attempts),
        ):
            assert {k: v.tolist() for k, v in mine.items()} == {k: v.tolist() for k, v in theirs.items()}
        assert [e.name for e in here.all_events()] == [e.name for e in there.all_events()]
        assert here.names == there.names and here.run is not None and here.run.id == name
        assert (
            bundle.related(ref(name), None, 10, NEVER).items
            == source.related(ref(name), None, 10, NEVER).items
        )
        key = here.all_steps()[0].output
        assert key is not None and bundle.payload(key.key, 0, -1, NEVER) == source.payload(
            key.key, 0, -1, NEVER
        )
    bundle.close()


def test_no_secret_leaves_the_source_and_what_cannot_be_masked_is_counted(path: Path) -> None:
    done = exported(path, Leaky)
    found = contents(path)
    assert not [secret for secret in SECRETS if secret.encode() in found]
    assert done.left_out == {"a pickle with secrets": 1, "binary": 1, "cannot be decoded whole": 1}
    bundle = BundleBridge(path)
    info = bundle.open(NEVER)
    assert any("left out: 1 a pickle with secrets" in notice for notice in info.notices)
    assert "secrets are masked" in info.notices[0]
    assert bundle.payload("plain", 0, -1, NEVER) == PAYLOADS["plain"][0]
    assert bundle.payload("pickle", 0, -1, NEVER) == PAYLOADS["pickle"][0]
    assert json.loads(bundle.payload("json", 0, -1, NEVER)) == {
        "user": "ann",
        "password": "••••••",
        "n": [1, 2],
    }
    assert bundle.payload("text", 0, -1, NEVER).decode() == "retrying with token •••••• now"
    with pytest.raises(UnsupportedError, match="a pickle with secrets"):
        bundle.payload("secret pickle", 0, -1, NEVER)
    refs = {one.key: one for one in read(bundle, "run-0000").event(0).payloads}
    assert refs["json"].head == bundle.payload("json", 0, -1, NEVER) and refs["json"].size == len(
        refs["json"].head
    )
    assert refs["secret pickle"].head is None
    bundle.close()


def test_a_raw_export_keeps_everything_and_says_so(path: Path) -> None:
    done = exported(path, Leaky, raw=True)
    bundle = BundleBridge(path)
    info = bundle.open(NEVER)
    assert done.left_out == {} and "it may hold secrets" in info.notices[0]
    for key, (data, _) in PAYLOADS.items():
        assert bundle.payload(key, 0, -1, NEVER) == data
    assert bundle.payload("text", 3, 5, NEVER) == PAYLOADS["text"][0][3:8]
    assert path.stat().st_mode & 0o077 == 0
    bundle.close()


@pytest.mark.parametrize(
    ("data", "encoding", "why"),
    [
        (b'{"password": "hunter2-xyzzy"', "json", "cannot be decoded whole"),
        (pickle.dumps({"password": "hunter2-xyzzy"}, 0), "pickle", "a pickle with secrets"),
        (b"\x00\xff\xfe" * 40, "json", "binary"),
    ],
)
def test_what_cannot_be_masked_in_place_is_not_kept(data: bytes, encoding: str, why: str) -> None:
    assert masked_payload(data, encoding)[0] is None
    if why != "binary":
        assert masked_payload(data, encoding)[1] == why


def test_digits_and_repeated_keys_of_json_survive_masking() -> None:
    data = b'{"price": 1.00, "a": 1, "a": 2, "password": "hunter2-xyzzy"}'
    kept, why = masked_payload(data, "json")
    assert kept is not None, why
    assert b"1.00" in kept and kept.count(b'"a"') == 2 and b"hunter2" not in kept


def test_a_truncated_bundle_shows_what_is_whole(path: Path, tmp_path: Path) -> None:
    exported(path, runs=20)
    whole = path.read_bytes()
    chance = random.Random(7)
    opened = 0
    for cut in sorted(chance.sample(range(1, len(whole)), 60)):
        part = tmp_path / "cut.playhead"
        part.write_bytes(whole[:cut])
        bundle = BundleBridge(part)
        try:
            info = bundle.open(NEVER)
        except CorruptError as error:
            assert "cut.playhead" in error.message or "bundle" in error.message
            continue
        finally:
            bundle.close()
        opened += 1
        assert info.notices[0] == "This bundle lost its end: what is still whole is shown."
        bundle.open(NEVER)
        runs = bundle.runs(None, Sort(), None, "forward", 50, NEVER).items
        assert len(runs) == 20
        first = read(bundle, runs[0].id)
        assert first.run is not None
        assert len(first) or "not shown" in " ".join(first.notes)
        bundle.close()
    assert opened > 20


def test_a_changed_part_is_an_error_of_its_own(path: Path) -> None:
    exported(path)
    rewrite(path, {"r0/steps.msgpack": b"changed", "payloads/0": b"changed"})
    bundle = BundleBridge(path)
    bundle.open(NEVER)
    notes = read(bundle, "run-0000").notes
    assert any(
        "steps of this run are not shown" in note and "changed or is damaged" in note for note in notes
    )
    assert len(read(bundle, "run-0000")) and read(bundle, "run-0001").n_steps == 4
    with pytest.raises(CorruptError, match="was changed"):
        bundle.payload("out:1", 0, -1, NEVER)
    bundle.close()
    rewrite(path, {RUNS: b"changed"})
    with pytest.raises(CorruptError, match="was changed"):
        BundleBridge(path).open(NEVER)


def forge(path: Path, change: dict[str, bytes]) -> None:
    """Other parts, with a manifest that fits them: what an attacker would make."""
    manifest = msgspec.json.decode(contents_of(path, MANIFEST), type=Manifest)
    parts = dict(manifest.parts)
    for name, data in change.items():
        parts[name] = Part(len(data), hashlib.sha256(data).hexdigest())
    rewrite(path, change | {MANIFEST: msgspec.json.encode(msgspec.structs.replace(manifest, parts=parts))})


def contents_of(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


@pytest.mark.parametrize("column", ["step", "position", "kind"])
def test_rows_that_do_not_exist_are_refused(path: Path, column: str) -> None:
    exported(path, runs=1)
    table = msgspec.msgpack.decode(contents_of(path, "r0/events.msgpack"), type=_Table)
    columns = dict(table.columns)
    columns[column] = b"\x7f" * len(columns[column]) if column != "kind" else columns[column][:-1]
    forge(
        path, {"r0/events.msgpack": msgspec.msgpack.encode(msgspec.structs.replace(table, columns=columns))}
    )
    bundle = BundleBridge(path)
    bundle.open(NEVER)
    with pytest.raises(CorruptError):
        read(bundle, "run-0000")
    bundle.close()


def test_words_of_a_later_version_become_none(path: Path) -> None:
    (batch,) = FakeBridge(3).history(ref("run-0000"), NEVER)
    history = History()
    history.append(batch)
    table = msgspec.msgpack.decode(pack_events(history, batch.event_records), type=_Table)
    words = {name: ["word of 2031", *known] for name, known in table.words.items()}
    moved = {
        name: bytes(min(code + 1, 255) for code in data) if name in words else data
        for name, data in table.columns.items()
    }
    later = msgspec.structs.replace(table, words=words, columns=moved)
    found = unpack(None, msgspec.msgpack.encode(later))
    assert found.events["kind"].tolist() == history.events["kind"].tolist()
    zeros = {**moved, "kind": bytes(len(history))}
    found = unpack(None, msgspec.msgpack.encode(msgspec.structs.replace(later, columns=zeros)))
    assert set(found.events["kind"].tolist()) == {255}


def test_a_bomb_is_not_unpacked(path: Path) -> None:
    exported(path, runs=1)
    manifest: dict[str, Any] = json.loads(contents_of(path, MANIFEST))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest))
        with archive.open(RUNS, "w", force_zip64=True) as part:
            for _ in range(400):
                part.write(bytes(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CorruptError, match="larger than it says"):
        BundleBridge(path).open(NEVER)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    manifest["parts"][RUNS]["size"] = 10 << 30
    small = path.with_name("claims.playhead")
    with zipfile.ZipFile(small, "w") as archive:
        archive.writestr(MANIFEST, json.dumps(manifest))
    with pytest.raises(CorruptError, match="claims to be larger"):
        BundleBridge(small).open(NEVER)


def test_mutants_raise_nothing_but_errors_that_can_be_shown(path: Path, tmp_path: Path) -> None:
    exported(path, runs=2)
    whole = bytearray(path.read_bytes())
    chance = random.Random(3)
    for _ in range(400):
        mutant = bytearray(whole)
        for _ in range(chance.choice((1, 4, 40))):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        part = tmp_path / "mutant.playhead"
        part.write_bytes(mutant)
        bundle = BundleBridge(part)
        try:
            bundle.open(NEVER)
            for run in bundle.runs(None, Sort(), None, "forward", 10, NEVER).items:
                list(bundle.history(run.ref, NEVER))
            bundle.failures(None, "", None, 10, NEVER)
            bundle.payload("out:1", 0, -1, NEVER)
        except PlayheadError as error:
            assert error.message
        finally:
            bundle.close()


def test_other_files_are_no_bundles(tmp_path: Path) -> None:
    other = tmp_path / "x.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "x")
    assert ENGINE.sniff(str(other), other.read_bytes()) is None
    with pytest.raises(CorruptError):
        Reader(other)
    (tmp_path / "empty.playhead").write_bytes(b"")
    with pytest.raises(CorruptError):
        Reader(tmp_path / "empty.playhead")
    later = {
        "format": "playhead-bundle",
        "version": 9,
        "created_ns": 1,
        "engine": "",
        "engine_title": "",
        "title": "",
    }
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(MANIFEST, json.dumps(later | {"order": "", "raw": False}))
    with pytest.raises(CorruptError, match="newer Playhead"):
        Reader(other)


def test_an_export_can_be_cancelled_and_leaves_no_file(path: Path) -> None:
    session = Session(lambda: FakeBridge(60))
    info = session.open().result()
    token = CancelToken(lambda *_: token.cancel())
    with pytest.raises(CancelledError):
        export(session, info, [ref(f"run-{i:04d}") for i in range(5)], path, raw=False, cancel=token)
    session.close()
    assert list(path.parent.iterdir()) == []


def test_a_bundle_is_known_by_its_head_and_named_absolutely(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(path, runs=1)
    monkeypatch.chdir(path.parent)
    url = ENGINE.sniff("x.playhead", path.read_bytes()[:16_384])
    assert url == f"bundle://{path}" == ENGINE.absolute("bundle://x.playhead")
    bridge = load_engine("bundle").bridge(url, None)
    assert bridge.open(NEVER).title == "x"
    bridge.close()
