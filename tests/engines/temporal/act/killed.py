"""An actor that dies, or is overtaken, right before or after it sends; what it does stands in a file."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.act import TemporalActor
from engine_bridge.engines.temporal.act_client import ActingClient


class MortalActor(TemporalActor):
    """The file says "before" or "after" (killed there), "overtaken" (somebody terminates the run first), or nothing."""

    file = Path()

    def open(self, cancel: CancelToken) -> None:
        super().open(cancel)
        client = self._opened
        send = client.send

        def sending(rpc: str, request: Any, cancel: CancelToken, timeout_s: float) -> Any:
            point = self.file.read_text()
            self.file.write_text("")
            if point == "overtaken":
                _terminate(client, request, cancel)
            if point == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = send(rpc, request, cancel, timeout_s)
            if point == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        client.send = sending  # type: ignore[method-assign]


def _terminate(client: ActingClient, request: Any, cancel: CancelToken) -> None:
    from temporalio.api.workflowservice.v1 import TerminateWorkflowExecutionRequest

    other = TerminateWorkflowExecutionRequest(
        namespace=request.namespace,
        workflow_execution=request.workflow_execution,
        identity="bob@office",
        reason="first",
    )
    client.call("terminate_workflow_execution", other, cancel, retry=False)


class Factory:
    """Makes the actor in the child."""

    def __init__(self, url: str, file: Path) -> None:
        self.url, self.file = url, file

    def __call__(self) -> MortalActor:
        actor = MortalActor(self.url)
        actor.file = self.file
        return actor
