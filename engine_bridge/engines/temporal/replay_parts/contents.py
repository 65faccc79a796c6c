"""Runner part: payloads of events and of commands: whether they say the same, and pictures of them."""

from __future__ import annotations

import json
from typing import Any

from engine_bridge.replay.runners.pictures import picture

SHOWN = 200_000


class Contents:
    """Payloads as the code sees them; those of events are decoded by the project's codec first."""

    def __init__(self) -> None:
        self._decoded: dict[int, dict[bytes, Any]] = {}
        self.undecoded = ""

    async def decode(self, codec: Any, events: list[Any]) -> None:
        """Has the codec decode what the events of commands hold."""
        if codec is None:
            return
        for event in events:
            raw = [payload for one in lists(event.about) for payload in one]
            if not raw:
                continue
            try:
                decoded = list(await codec.decode(raw))
            except Exception as error:  # noqa: BLE001 - the user's codec; what cannot be decoded is not compared
                self.undecoded = self.undecoded or f"{type(error).__name__}: {error}"[:300]
                continue
            if len(decoded) == len(raw):
                self._decoded[event.id] = {
                    p.SerializeToString(): d for p, d in zip(raw, decoded, strict=True)
                }

    def of(self, event: Any, payloads: Any) -> list[Any]:
        """Some payloads of an event, decoded."""
        known = self._decoded.get(event.id)
        return [known.get(p.SerializeToString(), p) for p in payloads] if known else list(payloads)


def lists(about: Any) -> list[Any]:
    """Fields that hold what the code gave: inputs and results."""
    found = []
    for name in ("input", "result"):
        value = getattr(about, name, None)
        one = [value] if hasattr(value, "metadata") and about.HasField(name) else ()
        found.append(getattr(value, "payloads", one))
    outcome = getattr(about, "outcome", None)
    found.append(outcome.success.payloads if outcome is not None else ())
    return found


def same_contents(recorded: list[Any], replayed: list[Any]) -> bool:
    """Whether payloads say the same: of JSON the value counts, not how it was written."""
    return len(recorded) == len(replayed) and all(map(_same_payload, recorded, replayed))


def _same_payload(a: Any, b: Any) -> bool:
    if a.data == b.data:
        return True
    if not (_is_json(a) and _is_json(b)):
        return False
    try:
        return bool(json.loads(a.data) == json.loads(b.data))
    except (ValueError, RecursionError):
        return False


def _is_json(payload: Any) -> bool:
    return b"json" in payload.metadata.get("encoding", b"")


def painted(payloads: list[Any]) -> Any:
    """A picture of payloads: of one its value, of more a list."""
    values = [_value(payload) for payload in payloads]
    return picture(values[0] if len(values) == 1 else values if values else None)


def _value(payload: Any) -> Any:
    encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
    if encoding == "binary/null":
        return None
    if "json" in encoding and len(payload.data) < SHOWN:
        try:
            return json.loads(payload.data)
        except (ValueError, RecursionError):
            pass
    return {"encoding": encoding, "bytes": len(payload.data)}
