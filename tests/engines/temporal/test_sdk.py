"""Messages are read without the client; whoever wants the client gets it all the same."""

from __future__ import annotations

import subprocess
import sys

from tests.engines.temporal.local import ROOT

_READS = """
import sys
from engine_bridge.engines.temporal import _prepare
_prepare()
assert "temporalio.api.history.v1" in sys.modules
assert "temporalio.service" not in sys.modules, "the client was imported"
from temporalio import workflow
import temporalio.client
print(temporalio.__version__, temporalio.service.__version__, temporalio.client.Client.__name__, workflow.defn.__name__)
"""


def test_events_are_read_without_the_client_which_is_there_for_those_who_want_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _READS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second, *rest = done.stdout.split()
    assert first == second and rest == ["Client", "defn"]
