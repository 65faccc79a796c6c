"""Runner part: where code and history part, in words. What the code would do next is not known: evidence is its text.

The history after the step, and the calls in the functions that are on the stack there, tell a step that was put in
from one that was taken out, moved or replaced. What is inferred is said as probable.
"""

from __future__ import annotations

import ast
import inspect
from typing import Any, NamedTuple

from engine_bridge.engines.dbos.replay_parts.walk import Walk

_BUILT_IN = {
    "DBOS.setEvent": "set_event", "DBOS.getEvent": "get_event", "DBOS.recv": "recv", "DBOS.send": "send",
    "DBOS.send_bulk": "send_bulk", "DBOS.sleep": "sleep", "DBOS.getResult": "get_result",
    "DBOS.getStatus": "get_status", "DBOS.writeStream": "write_stream", "DBOS.closeStream": "close_stream",
    "DBOS.readStream": "read_stream", "DBOS.waitFirst": "wait_first", "DBOS.asyncio_wait": "asyncio_wait",
}  # fmt: skip
_PATCH = "DBOS.patch-"


class Mention(NamedTuple):
    """A call of a step in the user's text; ``branch`` when it is in another branch than the line asked about."""

    line: int
    branch: bool


def part(walk: Walk, fid: int, asked: str, registry: dict[str, Any]) -> dict[str, Any]:
    """The Divergence at a step where the code asks for something else than the history holds."""
    recorded, at = walk.recorded, walk.places.get(fid, {})
    held = recorded.name(fid)
    if held is None and walk.waits_elsewhere(fid, asked):
        kind, why = "other step", f"The run waits for a message in this step; the code asks for {asked}."
        return _made(kind, "DBOS.recv or DBOS.getEvent", asked, fid, at, why)
    if held is None:
        why = f"The history ends with {recorded.status} before this step; the code goes on with {asked}."
        return _made("late end", f"the end of the run ({recorded.status})", asked, fid, at, why)
    kind, why = _explain(walk, fid, held, asked, registry)
    return _made(kind, held, _kind_of(walk, fid, asked, registry), fid, at, why)


def _made(kind: str, expected: str, actual: str, fid: int, at: dict[str, Any], why: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "expected": expected,
        "actual": actual,
        "step_id": str(fid),
        "at": at,
        "message": why,
    }


def _kind_of(walk: Walk, fid: int, asked: str, registry: dict[str, Any]) -> str:
    """What is asked for, said to be a child workflow where the history holds a step of the same name."""
    is_child = asked in registry
    was_child = walk.recorded.steps[fid].get("child_workflow_id") is not None
    return f"{asked} (child workflow)" if is_child and not was_child else asked


def _explain(walk: Walk, fid: int, held: str, asked: str, registry: dict[str, Any]) -> tuple[str, str]:
    recorded = walk.recorded
    said = f"Step {fid} of the history is {held}; the code asks for {asked}."
    later = recorded.first_after(fid, asked)
    mention = _mention(walk.places.get(fid, {}), _identifiers(held, registry))
    repeated = recorded.name(fid - 1)
    if held.startswith(_PATCH):
        why = f"The run went through the patch {held[len(_PATCH) :]}, which this code does not have (or not here)."
        return "missing step", f"{said} {why}"
    if mention is not None and mention.branch:
        return (
            "other step",
            f"{said} It probably took another branch: {held} is called at line {mention.line}.",
        )
    if later and (mention is None or repeated == held):
        loop = " A loop probably ends sooner." if repeated == held else ""
        return "missing step", f"{said} The history comes to it at step {later}: {held} is left out.{loop}"
    if later and mention is not None:
        why = f"The history comes to it at step {later}, and {held} is called at line {mention.line}"
        return "other step", f"{said} {why}: the order probably changed."
    if mention is not None:
        loop = " A loop probably goes on longer." if repeated == asked else ""
        return (
            "extra step",
            f"{said} {held} is still called at line {mention.line}: {asked} is probably new.{loop}",
        )
    return (
        "other step",
        f"{said} Nothing near this line calls {held}: it was probably replaced, renamed or removed.",
    )


def _identifiers(name: str, registry: dict[str, Any]) -> set[str]:
    """Names under which the user's text calls a step or workflow."""
    base = _BUILT_IN.get(name)
    if base is not None:
        return {base, f"{base}_async"}
    found = {name, name.rpartition(".")[2]}
    for key in (name, f"<temp>.{name}"):
        func = registry.get(key)
        if func is not None:
            found.add(getattr(inspect.unwrap(func), "__name__", name))
    return found


def _mention(at: dict[str, Any], names: set[str]) -> Mention | None:
    """The nearest call behind a line, within the function around it; else one before it that a loop comes back to."""
    try:
        with open(at["file"], encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (KeyError, OSError, SyntaxError, ValueError):
        return None
    body = _function(tree, at["line"])
    if body is None:
        return None
    found = sorted(
        {node.lineno for node in ast.walk(body) if isinstance(node, ast.Call) and _calls(node, names)}
    )
    for line in found:
        if _is_other_branch(body, at["line"], line):
            return Mention(line, True)
    behind = [line for line in found if line > at["line"]]
    if behind:
        return Mention(behind[0], False)
    return next(
        (Mention(n, False) for n in found if n <= at["line"] and _in_one_loop(body, n, at["line"])), None
    )


def _calls(node: ast.Call, names: set[str]) -> bool:
    parts = [node.func, *node.args]
    found = {part.attr for part in parts if isinstance(part, ast.Attribute)}
    found |= {part.id for part in parts if isinstance(part, ast.Name)}
    texts = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return bool(names & (found | texts))


def _function(tree: ast.AST, line: int) -> ast.AST | None:
    """The innermost function around a line."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    around = [node for node in ast.walk(tree) if isinstance(node, kinds) and _spans(node, line)]
    return max(around, key=lambda node: node.lineno, default=None)


def _spans(node: Any, line: int) -> bool:
    return bool(node.lineno <= line <= (node.end_lineno or node.lineno))


def _within(nodes: list[Any], line: int) -> bool:
    return any(_spans(node, line) for node in nodes)


def _is_other_branch(body: ast.AST, line: int, other: int) -> bool:
    """Whether an ``if`` or a ``try`` leads to one of two lines or to the other."""
    for node in ast.walk(body):
        arms: list[list[Any]] = []
        if isinstance(node, (ast.If,)):
            arms = [node.body, node.orelse]
        elif isinstance(node, ast.Try):
            arms = [[*node.body, *node.orelse], list(node.handlers)]
        held = [n for n, arm in enumerate(arms) if _within(arm, line)]
        wanted = [n for n, arm in enumerate(arms) if _within(arm, other)]
        if held and wanted and held != wanted:
            return True
    return False


def _in_one_loop(body: ast.AST, line: int, other: int) -> bool:
    kinds = (ast.For, ast.AsyncFor, ast.While)
    return any(
        isinstance(node, kinds) and _spans(node, line) and _spans(node, other) for node in ast.walk(body)
    )
