"""The actor's process dies in the middle of an action: what became of it is found out by reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.actions.execute import Execution
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Receipt, Target, Verdict
from engine_bridge.cancel import CancelToken
from tests.engines.temporal.act.acting import REASON, Operator, plan_of
from tests.engines.temporal.act.killed import Factory


@pytest.fixture
def mortal(operator: Operator, tmp_path: Path) -> Iterator[Any]:
    """Executes an action with an actor that meets a fate at a point."""
    file, journal = tmp_path / "point", Journal(tmp_path / "journal")
    url = operator.shop.server.url
    with Execution(Factory(url, file), journal, plan_of(url), REASON) as execution:

        def act(point: str, target: Target, action: str, **args: Any) -> Receipt:
            item = operator.plan(target, action, **args)
            assert not item.refused, item.refused
            file.write_text(point)
            return execution.run(item, CancelToken())

        yield act
    journal.close()


def test_killed_before_and_after_sending(operator: Operator, mortal: Any) -> None:
    run = operator.start(queue="nobody")
    before = mortal("before", run, "signal", name="send_to", args='"x"')
    assert before.outcome.verdict is Verdict.NOT_APPLIED
    assert any("carries this request's id" in line for line in before.outcome.evidence)
    after = mortal("after", run, "signal", name="send_to", args='"x"')
    assert after.outcome.verdict is Verdict.APPLIED
    assert any("found by this request's id" in line for line in after.outcome.evidence)
    assert len(operator.events(run, "WorkflowExecutionSignaled")) == 1
    ended = mortal("after", run, "terminate")
    assert ended.outcome.verdict is Verdict.APPLIED


def test_a_reset_is_found_by_its_reason_and_never_repeated(operator: Operator, mortal: Any) -> None:
    run = operator.start()
    found = mortal("after", run, "reset")
    assert found.outcome.verdict is Verdict.APPLIED and found.outcome.new_ref is not None
    new = Target(kind="run", id=run.id, ref=found.outcome.new_ref)
    again = mortal("before", new, "reset")
    assert again.outcome.verdict is Verdict.NOT_APPLIED
    # The new one is listed a moment later.
    operator.until(lambda: len(operator.bridge.find(run.id, 20, CancelToken())) >= 2)
    runs = [one for one in operator.bridge.find(run.id, 20, CancelToken()) if one.id == run.id]
    assert len(runs) == 2


def test_overtaken_in_the_very_moment_says_by_whom(operator: Operator, mortal: Any) -> None:
    run = operator.start(queue="nobody")
    found = mortal("overtaken", run, "terminate")
    assert found.outcome.verdict is Verdict.NOT_APPLIED and found.outcome.stale
    told = "\n".join(found.outcome.evidence)
    assert "The server refused: workflow execution already completed" in told
    assert "WorkflowExecutionTerminated by bob@office" in told
