"""What the commands on config files share: whose tools fit, long work, JSON of values, findings as lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import click
import msgspec

from app.cli.output import line
from app.cli.working import work
from app.opening import Opened
from engine_bridge import bridge
from engine_bridge.bridge import Capability
from engine_bridge.cancel import CancelToken
from engine_bridge.configs import ConfigTools, Declared, Finding, LintReport
from engine_bridge.errors import UnsupportedError, UsageError
from engine_bridge.model import RunRef

tenant_option = click.option("--tenant", metavar="T", help="The configs as this tenant sees them.")
source_option = click.option(
    "--source", metavar="SOURCE", help="Look at the entities of SOURCE too: a URL, a file or @name."
)

_NODE: Final = ("status", "role", "declared", "findings")
_FLOW: Final = ("source", "target", "steps", "requesters", "rejection")


def tools_for(places: tuple[str, ...]) -> ConfigTools:
    """The tools of the engine whose configs these are. Raises UsageError."""
    offered = [engine.configs() for engine in bridge.engines() if engine.configs is not None]
    fitting = [tools for tools in offered if tools.recognises(places)]
    if fitting:
        return fitting[0]
    if len(offered) == 1:
        return offered[0]  # it can say best what is wrong with the files
    raise UsageError("These are no configs of any engine.", "Name config files, folders, or REV:path in git.")


def tools_of(place: Opened) -> ConfigTools:
    """The tools of a source's own engine. Raises UnsupportedError."""
    make = bridge.load_engine(place.info.engine).configs
    if make is None or Capability.CONFIG not in place.info.capabilities:
        why = place.info.missing.get(Capability.CONFIG, "its workflows are not declared in config files")
        raise UnsupportedError(f"This source has no configs: {why}.")
    return make()


def asked(place: Opened, method: str, *args: Any) -> Any:
    """A bridge method with progress. Ctrl+C asks it to stop; what it answers then is still the result."""
    return work(lambda token: _call(place, token, method, *args))


def _call(place: Opened, token: CancelToken, method: str, *args: Any) -> Any:
    call = place.session.call(method, *args, on_progress=token.progress_through)
    forget = token.add_hook(call.cancel)
    try:
        return call.result()
    finally:
        forget()


def whole(value: Any) -> Any:
    """A value as JSON with every key, defaults too; a run is named by its id."""
    if isinstance(value, RunRef):
        return str(value)
    if isinstance(value, msgspec.Struct):
        return {name: whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: whole(child) for key, child in value.items()}
    return [whole(child) for child in value] if isinstance(value, list | tuple) else value


def report_json(report: LintReport) -> dict[str, Any]:
    """The documented JSON of a lint report (docs/cli.md)."""
    return {
        "usable": report.usable,
        "files": [{n: getattr(f, n) for n in ("name", "revision", "type", "tenant")} for f in report.files],
        "findings": whole(report.findings),
        "declared": [declared_json(declared) for declared in report.declared],
    }


def declared_json(declared: Declared) -> dict[str, Any]:
    """A declared workflow: its nodes and flows without what only a source can tell; ``merged`` is the config itself."""
    found: dict[str, Any] = whole(declared)
    nodes = [{name: whole(getattr(node, name)) for name in _NODE} for node in declared.nodes]
    flows = [{name: whole(getattr(flow, name)) for name in _FLOW} for flow in declared.flows]
    return found | {"nodes": nodes, "flows": flows, "merged": json.loads(declared.merged)}


def print_findings(found: Iterable[Finding]) -> None:
    """One line each, as compilers do: file:line:column, so that editors can jump there."""
    for f in found:
        at = f"{where(f)}:{f.column}" if f.line else where(f)
        line(
            f"{at}: {f.severity} {f.code} at {f.pointer or '/'}: {f.reason}. {f.fix}".replace(
                "..", "."
            ).strip()
        )


def where(found: Finding) -> str:
    """``file:line``, or what is known of it."""
    return f"{found.file}:{found.line}" if found.line else found.file or "source"


def summary(report: LintReport) -> str:
    """One line: how many findings in what."""
    by = Counter(found.severity for found in report.findings)
    names = ", ".join(f"{d.type} ({d.tenant})" if d.tenant else d.type for d in report.declared)
    what = ", ".join(many(by[kind], kind) for kind in ("error", "warning") if by[kind]) or "No findings"
    return f"{what} in {many(len(report.files), 'file')}{': ' + names if names else ''}."


def many(count: int, noun: str) -> str:
    """``1 file``, ``2 files``, ``2 entities``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
