"""What is copied as a command line does what it says and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.actions.command import act, quote, read_target, target_text
from engine_bridge.actions.model import ActionSpec, Param, ParamType, Staged, Target
from engine_bridge.actions.params import complete, parse, parse_all, show
from engine_bridge.errors import UsageError
from engine_bridge.model import RunRef

HOSTILE = (
    "order-1",
    "-rf",
    "--yes",
    "a b",
    "'; rm -rf / #",
    "$(touch /tmp/x)",
    "`id`",
    "a\nb",
    "\x1b[31mred",
    "tab\there",
    "queue:orders",
    "run:run:x",
    "step:a/1",
    "naïve \u202eevil",
    "back\\slash",
    "!history",
    "*?[a]",
    "",
)
PRINT_ARGS = "import json, sys; print(json.dumps(sys.argv[1:]))"


def words_of(command: str) -> list[str]:
    """What bash makes of a command, run with python in the place of playhead."""
    line = command.replace("playhead", f"{sys.executable} -c {quote(PRINT_ARGS)} playhead", 1)
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True, text=True)
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("run", HOSTILE[:-1])
def test_hostile_ids_and_values_arrive_as_they_are(run: str) -> None:
    staged = Staged(
        target=Target(kind="run", id=run, ref=RunRef("workflow", run, run)),
        action="send",
        args={"text": run, "n": 3},
    )
    command = act("shop:///a b.db", staged, reason=run)
    assert all(c.isprintable() for c in command)
    words = words_of(command)
    assert words[:5] == ["playhead", "act", "--reason", run, "--"]
    assert words[5] == "shop:///a b.db" and words[7:] == ["send", f"text={run}", "n=3"]
    assert read_target(words[6], ("queues", "schedules")) == ("run", run, None)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_is_one_word(text: str) -> None:
    done = subprocess.run(["bash", "-c", f"printf %s {quote(text)}"], capture_output=True, check=True)
    assert done.stdout.decode("utf-8", "surrogateescape") == text


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target(kind="queues", id="orders"), "queue:orders"),
        (Target(kind="schedules", id="a:b"), "schedule:a:b"),
        (Target(kind="step", id="x", ref=RunRef("workflow", "o/1", "o/1"), step_id="3"), "step:o/1/3"),
    ],
)
def test_targets_are_read_back(target: Target, text: str) -> None:
    assert target_text(target) == text
    kind, found, step = read_target(text, ("queues", "schedules"))
    assert (kind, step) == (target.kind, target.step_id)
    assert found == (target.ref.run if target.ref else target.id)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_a_shown_value_is_parsed_back(value: object) -> None:
    param = Param(name="data", title="", type=ParamType.JSON)
    given_value = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value
    assert parse(param, show(given_value, param)) == given_value


@given(st.integers(0, 10**15))
def test_durations_are_parsed_back(ns: int) -> None:
    param = Param(name="delay", title="", type=ParamType.DURATION)
    assert parse(param, show(ns, param)) == ns


def test_json_constants_that_are_no_json_are_refused() -> None:
    with pytest.raises(UsageError):
        parse(Param(name="data", title="", type=ParamType.JSON), "NaN")


def test_missing_and_unknown_parameters_name_what_there_is() -> None:
    spec = ActionSpec(
        id="send",
        title="",
        effect="",
        params=(Param(name="topic", title=""), Param(name="n", title="", default=2)),
    )
    assert parse_all(spec, ("topic=x",)) == {"topic": "x", "n": 2}
    with pytest.raises(UsageError, match="send needs topic"):
        complete(spec, {})
    with pytest.raises(UsageError, match="'colour' is no parameter of send"):
        parse_all(spec, ("colour=red",))
