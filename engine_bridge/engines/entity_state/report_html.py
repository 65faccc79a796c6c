"""The lint report as one HTML file to keep beside the config: no script, nothing loaded, all foreign text escaped.

It holds no date, so that the same configs give the same file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

from engine_bridge.configs import ConfigFile, Declared, Finding, LintReport, Path
from engine_bridge.engines.entity_state.report_html_graph import GLYPHS, picture
from engine_bridge.engines.entity_state.report_html_style import STYLE
from engine_bridge.format import plain

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_TOLD: Final = ("validation", "action", "rejection_action", "after_effects", "claim", "when")
_FLAGS: Final = ("auto_advance", "batch", "transactional")


def page(report: LintReport) -> str:
    """The whole document."""
    names = ", ".join(_named(declared) for declared in report.declared) or "no usable config"
    body = [_head(report, names), _findings(report.findings)]
    body += [_workflow(declared) for declared in report.declared]
    body.append(_files(report.files))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{_t(names)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _t(text: object) -> str:
    return escape(plain(str(text), 4_000))


def _named(declared: Declared) -> str:
    return f"{declared.type} ({declared.tenant})" if declared.tenant else declared.type


def _head(report: LintReport, names: str) -> str:
    errors = sum(found.severity == "error" for found in report.findings)
    warnings = len(report.findings) - errors
    verdict = (
        "No findings." if not report.findings else f"{_many(errors, 'error')}, {_many(warnings, 'warning')}."
    )
    kind = "bad" if errors else "warn" if warnings else "good"
    glyph = {"bad": "✕", "warn": "▲", "good": "✓"}[kind]
    return f'<header><h1>{_t(names)}</h1><p class="{kind}"><b>{glyph}</b> {verdict}</p></header>'


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _findings(found: Sequence[Finding]) -> str:
    if not found:
        return ""
    rows = [
        (
            f'<span class="{"bad" if f.severity == "error" else "warn"}">'
            f"{'✕' if f.severity == 'error' else '▲'} {_t(f.severity)}</span>",
            f"<code>{_t(f.file)}{f':{f.line}' if f.line else ''}</code><br><small>{_t(f.pointer or '/')}</small>",
            f"{_t(f.reason)}<br><small>{_t(f.fix)}</small>",
            f"<code>{_t(f.code)}</code>",
        )
        for f in found
    ]
    return (
        "<section><h2>Findings</h2>"
        + _table(("", "where", "what, and what to do", "code"), rows)
        + "</section>"
    )


def _workflow(declared: Declared) -> str:
    parts = [f"<h2>{_t(_named(declared))}</h2>", _counts(declared)]
    drawn = picture(declared)
    if drawn:
        parts.append(f"<figure>{drawn}<figcaption>{_legend()}</figcaption></figure>")
    parts += [_statuses(declared), _steps(declared), _paths(declared), _origins(declared)]
    return "<section>" + "".join(parts) + "</section>"


def _counts(declared: Declared) -> str:
    steps = len({step for flow in declared.flows for step in flow.steps})
    ways = _many(len(declared.flows), "way")
    who = ", ".join(declared.requesters)
    numbers = (
        f"{len(declared.nodes)} statuses, {_many(steps, 'step')}, {ways} between them. Requesters: {who}."
    )
    return f"<p>{_t(numbers)}</p>"


def _legend() -> str:
    words = {"initial": "initial", "claim": "claim", "good": "good end", "bad": "bad end"}
    return " · ".join(f"{GLYPHS[role]} {word}" for role, word in words.items()) + " · dashed: rejection"


def _statuses(declared: Declared) -> str:
    rows = []
    for node in declared.nodes:
        into = dict.fromkeys(f.source for f in declared.flows if f.target == node.status)
        away = dict.fromkeys(f.target for f in declared.flows if f.source == node.status)
        notes = f'<br><small class="bad">{_t("; ".join(node.findings))}</small>' if node.findings else ""
        role = f"{GLYPHS.get(node.role, '')} {node.role}".strip()
        rows.append(
            (f"<code>{_t(node.status)}</code>{notes}", _t(role), _t(", ".join(into)), _t(", ".join(away)))
        )
    return "<h3>Statuses</h3>" + _table(("status", "role", "comes from", "leads to"), rows)


def _steps(declared: Declared) -> str:
    steps = json.loads(declared.merged).get("steps", ())
    rows = [_step(step, declared.origins.get(f"/steps/{number}", "")) for number, step in enumerate(steps)]
    return "<h3>Steps</h3>" + _table(("step", "from", "to", "requesters", "use cases"), rows)


def _step(step: dict[str, Any], origin: str) -> tuple[str, ...]:
    rejected = f"<br><small>rejected: {_t(_value(step.get('rejection_state')))}</small>"
    told = [f"{name.replace('_', ' ')}: {_value(step[name])}" for name in _TOLD if step.get(name)]
    told += [name.replace("_", " ") for name in _FLAGS if step.get(name) is True]
    return (
        f"<code>{_t(step.get('key'))}</code><br><small>{_t(origin)}</small>",
        _t(_value(step.get("status"))),
        _t(_value(step.get("successful_state"))) + (rejected if step.get("rejection_state") else ""),
        _t(_value(step.get("requesters"))),
        "<br>".join(map(_t, told)),
    )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " · ".join(f"{name}: {_value(child)}" for name, child in value.items())
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _paths(declared: Declared) -> str:
    found = declared.paths
    parts = ["<h3>Paths</h3>"]
    for word, path in (("Shortest", found.shortest), ("Longest", found.longest)):
        if path is not None:
            parts.append(f"<p>{word}, {_many(len(path.steps), 'step')}: {_path(path)}</p>")
    more = " and more" if found.truncated else ""
    ways = "".join(f"<li>{_path(path)}</li>" for path in found.paths)
    parts.append(f"<details><summary>All {len(found.paths)}{more}</summary><ol>{ways}</ol></details>")
    loops = "".join(f"<li>{_t(' → '.join(loop))}</li>" for loop in found.loops)
    if loops:
        parts.append(
            f"<details><summary>{_many(len(found.loops), 'loop')}</summary><ul>{loops}</ul></details>"
        )
    if found.overrides:
        items = "".join(f"<li>{_t(text)}</li>" for text in found.overrides)
        parts.append(f"<h3>Only an admin can</h3><ul>{items}</ul>")
    return "".join(parts)


def _path(path: Path) -> str:
    end = '<span class="good">✓</span>' if path.good else '<span class="bad">✕</span>'
    return f"{_t(' → '.join(path.statuses))} {end}"


def _origins(declared: Declared) -> str:
    """Where values come from, where more than one file has a say."""
    files = {at.rpartition(":")[0] for at in declared.origins.values()}
    if len(files) < 2:
        return ""
    rows = [
        (f"<code>{_t(pointer or '/')}</code>", f"<code>{_t(at)}</code>")
        for pointer, at in declared.origins.items()
    ]
    table = _table(("value", "written in"), rows)
    return f"<details><summary>Where each value comes from</summary>{table}</details>"


def _files(files: Iterable[ConfigFile]) -> str:
    rows = [
        (
            f"<code>{_t(file.name)}</code>",
            f"<code>{_t(file.revision[:12])}</code>",
            f"<code>{hashlib.sha256(file.text.encode('utf-8', 'surrogatepass')).hexdigest()}</code>",
        )
        for file in files
    ]
    return "<section><h2>Files</h2>" + _table(("file", "commit", "SHA-256 of the text"), rows) + "</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; heads are plain words, cells are HTML already."""
    head = "".join(f"<th>{word}</th>" for word in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
