"""One (workflow type, tenant): the merged tree with the origin of every value, and the view of each requester."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from .cascade import per_requester
from .config import REQUESTERS, Claim, Step, Workflow
from .findings import Place
from .json_nodes import Node, walk

_ABSENT: Any = object()


def requester_types(root: Node) -> tuple[str, ...]:
    """The kinds of requester a tree knows; the usual ones where it lists none or lists nonsense."""
    listed = root.get("requester_types")
    if listed is None or not isinstance(listed.value, list):
        return REQUESTERS
    return tuple(n.value for n in listed.value if isinstance(n.value, str)) or REQUESTERS


def steps_of(root: Node) -> list[Node]:
    """The steps of a tree as written, none where it has no list of them."""
    steps = root.get("steps")
    return steps.value if steps is not None and isinstance(steps.value, list) else []


def resolve(node: Node, requester: str, requesters: tuple[str, ...]) -> Any:
    """The plain value as a requester sees it: per-requester objects replaced by their own member or the default."""
    value = node.value
    if isinstance(value, list):
        return [v for child in value if (v := resolve(child, requester, requesters)) is not _ABSENT]
    if not isinstance(value, dict):
        return value
    if per_requester(value, requesters):
        chosen = value.get(requester, value.get("default"))
        return _ABSENT if chosen is None else resolve(chosen, requester, requesters)
    seen = {key: resolve(child, requester, requesters) for key, child in value.items()}
    return {key: v for key, v in seen.items() if v is not _ABSENT}


class Document:
    """A merged config. Raises msgspec.ValidationError on first use of a view where the tree is misshapen."""

    def __init__(self, root: Node, file: str, tenant: str | None, files: tuple[str, ...] = ()) -> None:
        self.root = root
        self.file = file
        self.tenant = tenant
        self.files = files or (file,)
        self.requesters = requester_types(root)
        self._views: dict[str, View] = {}

    @property
    def workflow_type(self) -> str:
        """The name of the workflow, empty where the tree has none."""
        named = self.root.get("workflow_type")
        return named.value if named is not None and isinstance(named.value, str) else ""

    @cached_property
    def origins(self) -> dict[str, Place]:
        """The place of every value, by its pointer in the merged tree."""
        found: dict[str, Place] = {}
        walk(self.root, "", lambda pointer, node: found.update({pointer: node.place}))
        return found

    def place(self, *path: str) -> Place:
        """Where the value at a path of names was written, or the nearest one above it."""
        node = self.root
        for name in path:
            below = node.get(name)
            if below is None:
                break
            node = below
        return node.place

    @property
    def step_nodes(self) -> list[Node]:
        """The steps as written, in order."""
        return steps_of(self.root)

    def view(self, requester: str) -> View:
        """The config as this requester sees it; for an unknown one it has no steps."""
        if requester not in self._views:
            self._views[requester] = View(self, requester)
        return self._views[requester]

    @cached_property
    def views(self) -> tuple[View, ...]:
        """One for each kind of requester, in the order of ``requester_types``."""
        return tuple(self.view(requester) for requester in self.requesters)

    @property
    def workflow(self) -> Workflow:
        """What is common to all requesters (use views for steps and per-requester fields)."""
        return self.views[0].workflow


class View:
    """A config resolved for one requester: ``workflow`` holds only the steps this requester may take.

    ``nodes`` are those steps as written, in the same order; ``by_status`` and ``by_claim`` index them.
    """

    def __init__(self, document: Document, requester: str) -> None:
        tree = resolve(document.root, requester, document.requesters)
        own = [node for node in document.step_nodes if _allows(node, requester)]
        tree["steps"] = [resolve(node, requester, document.requesters) for node in own]
        tree.setdefault("tenant", document.tenant)
        self.requester = requester
        self.workflow = msgspec.convert(tree, Workflow)
        self.nodes = tuple(own)
        self.by_status: dict[str, list[Step]] = {}
        self.by_claim: dict[str, list[tuple[Step, Claim]]] = {}
        for step in self.workflow.steps:
            self.by_status.setdefault(step.status, []).append(step)
            if step.claim is not None:
                self.by_claim.setdefault(step.claim.status, []).append((step, step.claim))


def _allows(node: Node, requester: str) -> bool:
    listed = node.get("requesters")
    return (
        listed is not None
        and isinstance(listed.value, list)
        and any(n.value == requester for n in listed.value)
    )
