"""Runner part: where code and history part, in words. What the code would do next is not known: evidence is its text.

The history after the step, and the calls in the functions that are on the stack there, tell a step that was put in
from one that was taken out, moved or replaced. What is inferred is said as probable.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from typing import Any, NamedTuple

from engine_bridge.engines.dbos.replay_parts.recorded import TIMED, Recorded
from engine_bridge.engines.dbos.replay_parts.walk import Walk

_BUILT_IN = {
    "DBOS.setEvent": "set_event", "DBOS.getEvent": "get_event", "DBOS.recv": "recv", "DBOS.send": "send",
    "DBOS.send_bulk": "send_bulk", "DBOS.sleep": "sleep", "DBOS.getResult": "get_result",
    "DBOS.getStatus": "get_status", "DBOS.writeStream": "write_stream", "DBOS.closeStream": "close_stream",
    "DBOS.readStream": "read_stream", "DBOS.waitFirst": "wait_first", "DBOS.asyncio_wait": "asyncio_wait",
}  # fmt: skip
_PATCH = "DBOS.patch-"
SCOPES = 4
_NATURES = ("step", "child workflow")


class Mention(NamedTuple):
    """A call of a step in the user's text; ``branch`` when it is in another branch than the line asked about."""

    line: int
    branch: bool


def part(walk: Walk, fid: int, asked: str, registry: dict[str, Any]) -> dict[str, Any]:
    """The Divergence at a step where the code asks for something else than the history holds."""
    recorded, at = walk.recorded, walk.places.get(fid, {})
    held = recorded.name(fid)
    if held is None and walk.waits_elsewhere(fid, asked):
        return _at_wait(walk, fid, asked)
    if held is None:
        why = f"The history ends with {recorded.status} before this step; the code goes on with {asked}."
        return _made("late end", f"the end of the run ({recorded.status})", asked, fid, at, why)
    if held == asked:
        is_child = fid in walk.starts
        expected, actual = (f"{held} (a {word})" for word in (_NATURES[not is_child], _NATURES[is_child]))
        why = f"Step {fid} of the history is a {_NATURES[not is_child]}; the code has made it a {_NATURES[is_child]}."
        return _made("other step", expected, actual, fid, at, why)
    kind, why = _explain(walk, fid, held, asked, registry)
    return _made(kind, held, asked, fid, at, why)


def _at_wait(walk: Walk, fid: int, asked: str) -> dict[str, Any]:
    """The code has put something before the wait that the run stands in."""
    why = f"The run waits for a message in this step; the code asks for {asked}."
    names = {call for name in TIMED for call in _identifiers(name, {})}
    mention = Around(walk, fid).mention(names)
    kind = "other step"
    if mention is not None and not mention.branch:
        kind, why = "extra step", f"{why} It still waits at line {mention.line}: {asked} is probably new."
    return _made(kind, " or ".join(TIMED), asked, fid, walk.places.get(fid, {}), why)


def _made(kind: str, expected: str, actual: str, fid: int, at: dict[str, Any], why: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "expected": expected,
        "actual": actual,
        "step_id": str(fid),
        "at": at,
        "message": why,
    }


def _explain(walk: Walk, fid: int, held: str, asked: str, registry: dict[str, Any]) -> tuple[str, str]:
    recorded = walk.recorded
    said = f"Step {fid} of the history is {held}; the code asks for {asked}."
    if held.startswith(_PATCH):
        why = f"The run went through the patch {held[len(_PATCH) :]}, which this code does not have (or not here)."
        return "missing step", f"{said} {why}"
    text = Around(walk, fid)
    names = {name: _identifiers(name, registry) for name in recorded.names | {asked}}
    mention, repeated = text.mention(names[held]), recorded.name(fid - 1)
    if mention is not None and mention.branch:
        return (
            "other step",
            f"{said} It probably took another branch: {held} is called at line {mention.line}.",
        )
    calls = [found for call in text.behind() if (found := _named(call, names))]
    kind = _kind(recorded, fid, held, asked, calls)
    later = recorded.first_after(fid, asked)
    kind = kind or _guess(mention is not None, later, repeated == held)
    if kind == "missing step":
        loop = " A loop probably ends sooner." if repeated == held else ""
        return kind, f"{said} The history comes to it at step {later}: {held} is left out.{loop}"
    if kind == "extra step":
        loop = " A loop probably goes on longer." if repeated == asked else ""
        line = f" {held} is still called at line {mention.line}:" if mention is not None else ""
        return kind, f"{said}{line} {asked} is probably new.{loop}"
    if kind == "order":
        return "other step", f"{said} The history comes to it at step {later}: the order probably changed."
    if mention is None:
        return (
            "other step",
            f"{said} Nothing near this line calls {held}: it was probably replaced, renamed or removed.",
        )
    return "other step", f"{said} {held} was probably replaced."


def _kind(recorded: Recorded, fid: int, held: str, asked: str, behind: list[set[str]]) -> str:
    """What the calls behind the line tell: the code goes on as the history does, a step more or less. "" if not."""
    first, second = [*behind[:2], set(), set()][:2]
    later = recorded.first_after(fid, asked)
    after, after_later = recorded.name(recorded.next(fid)), recorded.name(recorded.next(later))
    if held in first:
        moved = later and after_later in second and after not in second
        return "order" if moved else "extra step"
    if later and after_later in first:
        return "missing step"
    return "other step" if after in first else ""


def _guess(mentioned: bool, later: int, repeated: bool) -> str:
    if later:
        return "order" if mentioned and not repeated else "missing step"
    return "extra step" if mentioned else "other step"


def called(files: Iterable[str], steps: Iterable[str], registry: dict[str, Any]) -> frozenset[str]:
    """Which of these steps are called anywhere in these files."""
    texts: set[str] = set()
    for file in files:
        texts |= {name for _, names in Scope(file, 0).calls() for name in names}
    return frozenset(step for step in steps if _identifiers(step, registry) & texts)


def _named(call: set[str], names: dict[str, set[str]]) -> set[str]:
    return {name for name, identifiers in names.items() if identifiers & call}


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


class Around:
    """The functions around a step's call as text, the innermost first: what each of them calls behind it."""

    def __init__(self, walk: Walk, fid: int) -> None:
        at = walk.places.get(fid, {})
        places = walk.stacks.get(fid) or ([(at["file"], at["line"])] if at else [])
        self._scopes = [Scope(file, line) for file, line in places[:SCOPES]]

    def behind(self) -> list[set[str]]:
        """Names of the calls that come next, as far as the text tells."""
        return [names for scope in self._scopes for names in scope.behind()]

    def mention(self, names: set[str]) -> Mention | None:
        """Where one of these is called next; else in another branch."""
        found = [mention for scope in self._scopes if (mention := scope.mention(names)) is not None]
        return next((mention for mention in found if not mention.branch), found[0] if found else None)


class Scope:
    """The function around a line of the user's code; with line 0 the whole file."""

    def __init__(self, file: str, line: int) -> None:
        self._line = line
        self._body: ast.AST | None = None
        try:
            with open(file, encoding="utf-8") as text:
                tree = ast.parse(text.read())
                self._body = _function(tree, line) if line else tree
        except (OSError, SyntaxError, ValueError):
            return

    def calls(self) -> list[tuple[int, set[str]]]:
        """Line and names of every call, in the order of the text."""
        nodes = [node for node in ast.walk(self._body or ast.Pass()) if isinstance(node, ast.Call)]
        nodes.sort(key=lambda node: (node.lineno, node.col_offset))
        return [(node.lineno, _names(node)) for node in nodes]

    def behind(self) -> list[set[str]]:
        """Names of the calls behind the line that it can lead to."""
        calls = [(line, names) for line, names in self.calls() if line > self._line]
        return [names for line, names in calls if not self._is_other_branch(line)]

    def mention(self, names: set[str]) -> Mention | None:
        """The nearest call of one of these behind the line; else one before it that a loop comes back to."""
        lines = sorted({line for line, called in self.calls() if called & names})
        found = [line for line in lines if not self._is_other_branch(line)]
        back = (line for line in found if line <= self._line and self._in_one_loop(line))
        line = next((line for line in found if line > self._line), 0) or next(back, 0)
        if line:
            return Mention(line, False)
        other = next((line for line in lines if line not in found), 0)
        return Mention(other, True) if other else None

    def returns(self) -> int:
        """The line of the next return; the line itself when there is none."""
        nodes = ast.walk(self._body or ast.Pass())
        found = sorted(
            node.lineno for node in nodes if isinstance(node, ast.Return) and node.lineno >= self._line
        )
        return next((line for line in found if not self._is_other_branch(line)), self._line)

    def _is_other_branch(self, line: int) -> bool:
        """Whether an ``if`` or a ``try`` leads to the one line or to the other."""
        for node in ast.walk(self._body or ast.Pass()):
            arms: list[list[Any]] = []
            if isinstance(node, ast.If):
                arms = [node.body, node.orelse]
            elif isinstance(node, ast.Try):
                arms = [[*node.body, *node.orelse], list(node.handlers)]
            held = [n for n, arm in enumerate(arms) if _within(arm, self._line)]
            wanted = [n for n, arm in enumerate(arms) if _within(arm, line)]
            if held and wanted and held != wanted:
                return True
        return False

    def _in_one_loop(self, line: int) -> bool:
        loops = (
            n for n in ast.walk(self._body or ast.Pass()) if isinstance(n, (ast.For, ast.AsyncFor, ast.While))
        )
        return any(_spans(node, line) and _spans(node, self._line) for node in loops)


def return_behind(at: dict[str, Any]) -> dict[str, Any]:
    """Where a function that called its last step at a line probably returned."""
    return {**at, "line": Scope(at["file"], at["line"]).returns()} if at else at


def _names(node: ast.Call) -> set[str]:
    parts = [node.func, *node.args]
    found = {part.attr for part in parts if isinstance(part, ast.Attribute)}
    found |= {part.id for part in parts if isinstance(part, ast.Name)}
    texts = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return found | texts


def _function(tree: ast.AST, line: int) -> ast.AST | None:
    """The innermost function around a line."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    around = [node for node in ast.walk(tree) if isinstance(node, kinds) and _spans(node, line)]
    return max(around, key=lambda node: node.lineno, default=None)


def _spans(node: Any, line: int) -> bool:
    return bool(node.lineno <= line <= (node.end_lineno or node.lineno))


def _within(nodes: list[Any], line: int) -> bool:
    return any(_spans(node, line) for node in nodes)
