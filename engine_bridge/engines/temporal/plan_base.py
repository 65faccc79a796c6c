"""What every plan is made from and says: the look at the target, the request as it is sent, texts to copy."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from engine_bridge.actions import quoting
from engine_bridge.actions.command import act, join
from engine_bridge.actions.model import ActionSpec, Change, Danger, Mark, Param, PlanItem, Staged, derived_id
from engine_bridge.engines.temporal.actions_facts import Facts, RunFacts, observed
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.engines.temporal.client_url import API_KEY, ServerSource

DERIVED: Final = "<from the request id>"
"""Stands in a plan's calls for what derives from the request id, which is made when the plan is executed."""
REASON: Final = "<reason>"
_RACE: Final = "Temporal has no compare-and-swap. Playhead reads the state again right before it sends."
_OF_RUNS: Final = (
    "The server itself checks the run id, so no other run of this workflow id is hit. What happens to the run in that "
    "very moment is not locked."
)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who sends a request, why, and its id: what goes into the server's own record."""

    id: str = DERIVED
    who: str = "<you>"
    reason: str = REASON

    @property
    def identity(self) -> str:
        return f"playhead:{self.who}"

    @property
    def tag(self) -> str:
        """By which a request is found again in texts of the server's record."""
        return f"[playhead {self.id}]"

    @property
    def text(self) -> str:
        """The reason, for places that have no other field for the request id."""
        return f"{self.reason} {self.tag}".strip()

    def derived(self, purpose: str) -> str:
        """A stable id for what the request makes."""
        return DERIVED if self.id == DERIVED else derived_id(self.id, purpose)


@dataclass(frozen=True, slots=True)
class Look:
    """One staged action, and its target as it is now."""

    staged: Staged
    facts: Facts
    reads: Reads

    @property
    def args(self) -> dict[str, Any]:
        return self.staged.args

    @property
    def run(self) -> RunFacts:
        if not isinstance(self.facts, RunFacts):
            raise TypeError("not a run")
        return self.facts

    @property
    def source(self) -> ServerSource:
        return self.reads.client.source

    @property
    def namespace(self) -> str:
        return self.reads.namespace


Send = Callable[[Look, Signer], tuple[str, Any]]
"""What an action sends: the RPC's name and its request."""


class Draft(msgspec.Struct, kw_only=True):
    """What an action's own module says about it; ``finish`` adds what all plans say.

    ``cli`` are the words after ``temporal``, () where its command line has no such; ``python`` the lines of a script
    after ``client`` was made. ``args`` replace the staged ones: with all defaults resolved.
    """

    title: str
    send: Send
    preconditions: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    cli: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    args: dict[str, Any] | None = None
    params: tuple[Param, ...] = ()
    new_run: bool = False
    inverse: Staged | None = None
    irreversible: str = ""
    race: str = ""
    side_effects: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    dedupes: bool = False
    danger: Danger = Danger.CHANGES
    typed: str = ""
    cut: int | None = None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """One action. ``effect`` answers (what it does now, why it cannot); one of the two is empty."""

    title: str
    effect: Callable[[Look], tuple[str, str]]
    plan: Callable[[Look], Draft]
    send: Send
    params: Callable[[Look], tuple[Param, ...]] = field(default=lambda look: ())
    danger: Danger = Danger.CHANGES
    dedupes: bool = False
    bulk: bool = True
    glyph: str = ""
    undoes: tuple[str, ...] = ()


def finish(look: Look, draft: Draft) -> PlanItem:
    """The plan of one staged action."""
    staged = look.staged if draft.args is None else msgspec.structs.replace(look.staged, args=draft.args)
    if isinstance(look.facts, RunFacts):
        target = msgspec.structs.replace(staged.target, ref=look.facts.ref)
        staged = msgspec.structs.replace(staged, target=target)
    look = Look(staged, look.facts, look.reads)
    return PlanItem(
        staged=staged,
        title=draft.title,
        calls=(call_text(*draft.send(look, Signer())),),
        changes=draft.changes,
        preconditions=observed(look.facts, *draft.preconditions),
        new_run=draft.new_run,
        inverse=draft.inverse,
        irreversible=draft.irreversible,
        race=" ".join(
            filter(None, (_RACE, _OF_RUNS if isinstance(look.facts, RunFacts) else "", draft.race))
        ),
        side_effects=draft.side_effects,
        warnings=draft.warnings,
        dedupes=draft.dedupes,
        danger=draft.danger,
        typed=draft.typed,
        copy_as=_copies(look, draft),
        cut=draft.cut,
        marks=draft.marks,
    )


def refused(staged: Staged, title: str, why: str) -> PlanItem:
    """A plan of what must not run."""
    return PlanItem(staged=staged, title=title, refused=why)


def call_text(rpc: str, request: Any) -> str:
    """A request as text: protobuf JSON, with JSON payloads shown as what they are."""
    from google.protobuf.json_format import MessageToDict

    shown = _readable(MessageToDict(request, preserving_proto_field_name=True))
    name = "".join(word.capitalize() for word in rpc.split("_"))
    return f"{name} {json.dumps(shown, ensure_ascii=True)}"


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_readable(one) for one in value]
    if not isinstance(value, dict):
        return value
    if (
        "metadata" in value
        and value["metadata"].get("encoding") == _JSON
        and set(value) <= {"metadata", "data"}
    ):
        try:
            return json.loads(base64.b64decode(value.get("data", "")))
        except ValueError:
            return value
    return {name: _readable(one) for name, one in value.items()}


_JSON: Final = base64.b64encode(b"json/plain").decode()


def payload(value: Any) -> Any:
    """A JSON value as the payload that every SDK's default converter reads."""
    from temporalio.api.common.v1 import Payload

    return Payload(metadata={"encoding": b"json/plain"}, data=msgspec.json.encode(value))


def payloads(values: list[Any]) -> Any:
    from temporalio.api.common.v1 import Payloads

    return Payloads(payloads=[payload(value) for value in values])


def header(signer: Signer) -> Any:
    """Who, why and which request, for what is sent into a run: its own code may look at it."""
    from temporalio.api.common.v1 import Header

    told = {"request_id": signer.id, "by": signer.identity, "reason": signer.reason}
    return Header(fields={"playhead": payload(told)})


def run_words(run: RunFacts) -> tuple[str, ...]:
    """A run, for the command line of the engine."""
    return "--workflow-id", run.ref.group, "--run-id", run.ref.run


def handle(run: RunFacts) -> str:
    """A run, for a script."""
    return f"handle = client.get_workflow_handle({run.ref.group!r}, run_id={run.ref.run!r})"


def no_worker(run: RunFacts) -> tuple[str, ...]:
    """A warning where nobody would run the code."""
    if run.pollers != 0:
        return ()
    return (f"No worker polls task queue {run.queue}: nothing runs its code before one starts.",)


def _copies(look: Look, draft: Draft) -> dict[str, str]:
    spec = ActionSpec(id=look.staged.action, title="", effect="", params=draft.params)
    own = {"CLI": act(look.source.location, look.staged, spec)}
    return own | copies_of(look.source, draft.cli, draft.python)


def copies_of(source: ServerSource, cli: tuple[str, ...], python: tuple[str, ...]) -> dict[str, str]:
    """A command of the engine and a script, where there are such; no secret stands in them."""
    found = {"CLI": join("temporal", *cli, *_place(source))} if cli else {}
    return found | ({"Python": _script(source, python)} if python else {})


def _place(source: ServerSource) -> tuple[str, ...]:
    """Where, for the command line; an API key comes from the environment, as ``--codec-auth`` has to."""
    words = ["--address", source.address, "--namespace", source.namespace]
    words += ["--tls"] if source.tls else []
    files = {
        "ca": "--tls-ca-path",
        "cert": "--tls-cert-path",
        "key": "--tls-key-path",
        "server_name": "--tls-server-name",
        "codec": "--codec-endpoint",
    }
    return (
        *words,
        *(
            part
            for name, flag in files.items()
            if getattr(source, name)
            for part in (flag, getattr(source, name))
        ),
    )


def _script(source: ServerSource, lines: tuple[str, ...]) -> str:
    options = [quoting.python(source.address), f"namespace={quoting.python(source.namespace)}"]
    imports = ["import asyncio", "from temporalio.client import Client"]
    if source.api_key:
        imports.insert(1, "import os")
        options.append(f'api_key=os.environ["{API_KEY}"]')
    if source.tls:
        options.append(f"tls={_tls(source)}")
        if _tls(source) != "True":
            imports += ["from pathlib import Path", "from temporalio.service import TLSConfig"]
    if source.codec:
        imports.append("# Give the client the data converter of your workers: without it nothing is encoded.")
    body = "\n    ".join((f"client = await Client.connect({', '.join(options)})", *lines))
    return "\n".join((*imports, "", "", "async def main():", f"    {body}", "", "", "asyncio.run(main())"))


def _tls(source: ServerSource) -> str:
    named = {"server_root_ca_cert": source.ca, "client_cert": source.cert, "client_private_key": source.key}
    parts = [f"{name}=Path({path!r}).read_bytes()" for name, path in named.items() if path]
    if source.server_name:
        parts.append(f"domain={source.server_name!r}")
    return f"TLSConfig({', '.join(parts)})" if parts else "True"
