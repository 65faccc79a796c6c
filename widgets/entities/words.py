"""What the status graph says of statuses and ways, in words: labels, tooltips, screen readers. Knows no Qt."""

from __future__ import annotations

from typing import Final

from engine_bridge.format import ago, count, duration, plain
from engine_bridge.populations import Flow, Population, StatusNode

#: Role: glyph, the state whose colour it takes, what it is called.
ROLES: Final = {
    "initial": ("flag", "running", "initial status"),
    "waiting": ("clock", "running", "waits for a step"),
    "claim": ("lock", "waiting", "claimed by a worker"),
    "good": ("completed", "completed", "good end"),
    "bad": ("failed", "failed", "bad end"),
    "cancelled": ("cancelled", "cancelled", "cancelled end"),
    "unknown": ("warning", "retrying", "in the data, not in the config"),
}


def role(node: StatusNode) -> tuple[str, str, str]:
    """Glyph, colour's state and words of a status's role."""
    return ROLES.get(node.role, ROLES["waiting"])


def percent(share: float | None) -> str:
    """ "97 %"; "" where nothing left, or where all went that way."""
    if share is None or share >= 0.995:
        return ""
    return "< 1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


def note(node: StatusNode) -> tuple[str, str, str]:
    """What is most wrong at a status, the same in short, and its colour's state; "" when nothing is."""
    if node.stuck:
        short = f"{count(node.stuck)} stuck"
        return f"{short} {'claim' if node.stuck == 1 else 'claims'}", short, "retrying"
    if node.drift:
        return f"{count(node.drift)} drifted", f"{count(node.drift)} drift", "retrying"
    if node.failures:
        short = f"{count(node.failures)} failed"
        return f"{count(node.failures)} {'failure' if node.failures == 1 else 'failures'}", short, "failed"
    if node.role == "unknown":
        return "not in the config", "unknown", "retrying"
    return (plain(node.findings[0], 60), "finding", "retrying") if node.findings else ("", "", "muted")


def node_text(node: StatusNode, now_ns: int) -> str:
    """Everything known of a status, line by line."""
    lines = [plain(node.status, 200), f"{role(node)[2]} · {entities(node.count)}"]
    counts = ((node.stuck, "stuck claim"), (node.drift, "drifted"), (node.failures, "open failure"))
    lines += [f"{count(number)} {_plural(number, word)}" for number, word in counts if number]
    if node.oldest_ns is not None and now_ns:
        lines.append(f"longest here: since {ago(node.oldest_ns, now_ns)}")
    if node.dwell_ns is not None:
        lines.append(f"median stay of those that left: {duration(node.dwell_ns)}")
    return "\n".join((*lines, *(plain(text, 200) for text in node.findings)))


def entities(number: int) -> str:
    """ "1 entity", "48 210 entities"."""
    return f"{count(number)} {'entity' if number == 1 else 'entities'}"


def _plural(number: int, word: str) -> str:
    return word if number == 1 or word.endswith("ed") else f"{word}s"


def edge_text(flow: Flow, declares: bool = True) -> tuple[str, bool]:
    """A way's label, and whether it warns: not where the graph declares no way at all."""
    if flow.declared or not declares:
        return percent(flow.share), False
    who = f"{plain(', '.join(flow.requesters), 24)}: " if flow.requesters else ""
    name = plain(", ".join(flow.steps), 32) or "a move"
    return f"{who}{name} (not declared, observed {count(flow.count)}×)", True


def flow_text(flow: Flow, declares: bool = True) -> str:
    """A way in words, for tooltips; ``declares``: whether its graph declares any way."""
    lines = [f"{plain(flow.source, 80)} → {plain(flow.target, 80)}"]
    unknown = "not declared" if declares else ""
    kind = "rejection" if flow.rejection else "declared" if flow.declared else unknown
    lines.append(" · ".join(filter(None, (kind, plain(", ".join(flow.steps), 120)))))
    if flow.requesters:
        lines.append(f"by {plain(', '.join(flow.requesters), 120)}")
    share = f", {percent(flow.share)} of what left" if percent(flow.share) else ""
    lines.append(f"{count(flow.count)} observed{share}" if flow.count else "never observed")
    return "\n".join(lines)


def totals(population: Population) -> str:
    """ "users · 48 210 entities · config a91f3c", for the header."""
    number = "" if population.total is None else entities(population.total)
    config = f"config {plain(population.config, 40)}" if population.config else ""
    return " · ".join(filter(None, (plain(population.table, 60), number, config)))
