"""A small client of the Debug Adapter Protocol, over a socket: what an editor does, without the editor."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.waiting import LIMIT_S

WAIT_S = LIMIT_S


class Dap:
    """One connection. Requests are answered in order; events that come meanwhile are kept."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self._stream = self._socket.makefile("rb")
        self._seq = 0
        self._kept: list[dict[str, Any]] = []

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        self._seq += 1
        body = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        data = json.dumps(body).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        return self._seq

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        """A request and the body of its answer."""
        number = self.send(command, **arguments)
        answer = self._until(lambda message: message.get("request_seq") == number)
        assert answer["success"], answer
        return dict(answer.get("body") or {})

    def event(self, *names: str) -> dict[str, Any]:
        """The next event of some names, with its body; {} when the connection ends before."""
        return self._until(lambda message: message.get("event") in names)

    def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        for message in self._kept:
            if wanted(message):
                self._kept.remove(message)
                return message
        while (message := self._read()) is not None:
            if wanted(message):
                return message
            self._kept.append(message)
        return {}

    def _read(self) -> dict[str, Any] | None:
        length = 0
        while True:
            head = self._stream.readline()
            if not head:
                return None
            if head == b"\r\n":
                break
            name, _, value = head.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        found: dict[str, Any] = json.loads(self._stream.read(length))
        return found

    # -- what an editor does --------------------------------------------------------------------------------

    def attach(self, file: Path, *lines: int) -> None:
        """Attaches with breakpoints set, and lets the code go on."""
        self.request(
            "initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True
        )
        number = self.send("attach", justMyCode=True, name="replay")
        self.event("initialized")
        points = [{"line": line} for line in lines]
        found = self.request("setBreakpoints", source={"path": str(file)}, breakpoints=points)
        assert all(point["verified"] for point in found["breakpoints"]), found
        self.request("configurationDone")
        self._until(lambda message: message.get("request_seq") == number)

    def stopped(self) -> tuple[int, list[dict[str, Any]]]:
        """The thread that stops next and its frames, innermost first; (0, []) when the replay ends before."""
        event = self.event("stopped", "terminated", "exited")
        if event.get("event") != "stopped":
            return 0, []
        thread = int(event["body"]["threadId"])
        return thread, list(self.request("stackTrace", threadId=thread, levels=20)["stackFrames"])

    def locals(self, frame: dict[str, Any]) -> dict[str, str]:
        """Names and values of a frame, as an editor shows them."""
        scope = self.request("scopes", frameId=frame["id"])["scopes"][0]
        found = self.request("variables", variablesReference=scope["variablesReference"])["variables"]
        return {one["name"]: one["value"] for one in found}
