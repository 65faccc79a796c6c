"""Messages: whatever comes out of a runner, the replay ends with an end for each run and leaves nothing behind."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_bridge.replay.pipes import read_messages
from engine_bridge.replay.protocol import AnyMessage, decoder, encoder
from engine_bridge.replay.runners.channel import _decode, _encode, _plain
from tests.engine_bridge.replay.driving import Limits, project, recorded, run, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
KINDS = ("hello", "loaded", "begin", "step", "lines", "busy", "blocked", "log", "end", "bye", "other")
FIELDS = (
    "run_id",
    "step",
    "n",
    "hits",
    "seconds",
    "stack",
    "text",
    "end",
    "code",
    "version",
    "workflows",
    "pid",
)
MESSAGES = st.fixed_dictionaries({"k": st.sampled_from(KINDS)}, optional=dict.fromkeys(FIELDS, JSON))


class Stream:
    """Lines as a pipe gives them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readline(self, most: int) -> bytes:
        end = self._data.find(b"\n") + 1 or len(self._data)
        line, self._data = self._data[: min(end, most)], self._data[min(end, most) :]
        return line


def told(data: bytes, longest: int = 1000) -> tuple[str, list[AnyMessage]]:
    found: list[AnyMessage] = []
    stream: Any = Stream(data)
    return read_messages(stream, longest, found.append), found


@given(st.lists(st.binary(max_size=60) | MESSAGES.map(msgspec.json.encode), max_size=5))
def test_any_bytes_end_with_messages_or_a_reason(lines: list[bytes]) -> None:
    reason, found = told(b"\n".join(lines) + b"\n")
    assert reason or len(found) == len(b"\n".join(lines).split(b"\n")) or lines == []
    for message in found:
        assert decoder.decode(encoder.encode(message)) == message


def test_a_line_that_was_cut_short_is_no_message_and_no_error() -> None:
    log = b'{"k":"log","text":"a"}\n'
    assert told(log + b'{"k":"lo')[0] == ""
    assert len(told(log + log)[1]) == 2
    assert "more than 1,000 bytes" in told(b"x" * 5000)[0]
    assert "no message" in told(b"[" * 900 + b"\n")[0]
    assert "no message" in told(b'{"k":"log","\x83":1}\n')[0]


@given(JSON)
def test_what_the_channel_makes_of_any_value_is_json(value: Any) -> None:
    assert msgspec.json.decode(_encode(_plain({"v": value}, 0)).encode("utf-8", "replace"))
    assert _decode(_encode(_plain(value, 0))) is not Ellipsis


GARBLER = """#!{python} -B
import os, random, subprocess, sys
rng = random.Random({seed})
real = subprocess.Popen([{python!r}, *sys.argv[1:]], stdin=0, stdout=subprocess.PIPE)
for line in real.stdout:
    data = bytearray(line)
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        at = rng.randrange(len(data))
        action = rng.randrange(4)
        if action == 0: data[at] = rng.randrange(256)
        elif action == 1: del data[at:at + rng.randrange(9)]
        elif action == 2: data[at:at] = bytes(rng.randrange(32, 127) for _ in range(rng.randrange(9)))
        else: data = data + data
        if not data: break
    os.write(1, bytes(data))
"""


@pytest.mark.long
@pytest.mark.parametrize("seed", range(60))
def test_a_runner_whose_messages_are_garbled(tmp_path: Path, seed: int) -> None:
    tool = tmp_path / "python"
    tool.write_text(GARBLER.format(python=sys.executable, seed=seed))
    tool.chmod(0o755)
    code = "def flow(step):\n    for n in range(20): step('a')\n"
    inputs = [recorded(f"r{n}", [("a", n)] * 20) for n in range(random.Random(seed).randrange(1, 4))]
    limits = Limits(silence_s=3, start_s=5, load_s=5)
    heard = run(project(written(tmp_path, code), python=str(tool)), inputs, limits=limits)
    assert list(heard.ends) and heard.bye
    assert all(end.outcome for end in heard.ends.values())
