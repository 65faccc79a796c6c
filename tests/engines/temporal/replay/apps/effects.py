"""Workflows with side effects, and code that does not come back. Never run by a worker: only replayed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from temporalio import workflow

CANARY = os.environ.get("CANARY", "/tmp/playhead-canary")


@workflow.defn(name="connects", sandboxed=False)
class Connects:
    @workflow.run
    async def run(self) -> None:
        socket.create_connection(("127.0.0.1", 9))


@workflow.defn(name="writes", sandboxed=False)
class Writes:
    @workflow.run
    async def run(self) -> None:
        Path(CANARY).write_text("written")


@workflow.defn(name="runs", sandboxed=False)
class Runs:
    @workflow.run
    async def run(self) -> None:
        try:
            subprocess.run(["/bin/touch", CANARY], check=True)
        except BaseException:  # noqa: BLE001 - code that swallows everything
            await workflow.wait_condition(lambda: False)


@workflow.defn(name="exits", sandboxed=False)
class Exits:
    @workflow.run
    async def run(self) -> None:
        sys.exit("enough")


@workflow.defn(name="crashes", sandboxed=False)
class Crashes:
    @workflow.run
    async def run(self) -> None:
        os._exit(42)


@workflow.defn(name="spins", sandboxed=False)
class Spins:
    @workflow.run
    async def run(self) -> None:
        while True:
            pass


@workflow.defn(name="opens")
class Opens:
    """The sandbox itself forbids it: a worker's workflow task fails here, too."""

    @workflow.run
    async def run(self) -> None:
        open(CANARY, "w")  # noqa: SIM115, PTH123 - what the sandbox forbids by name
