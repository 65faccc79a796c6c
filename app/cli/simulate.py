"""``playhead simulate``: synthetic lives through workflow configs."""

from __future__ import annotations

import click

from app.cli.configs import tenant_option, tools_for, whole
from app.cli.options import json_option
from app.cli.output import json_line, line, table
from app.cli.working import work
from engine_bridge.configs import Simulation
from engine_bridge.errors import UsageError

_EDGES = 20


@click.command()
@click.argument("configs", nargs=-1, required=True, metavar="CONFIG...")
@click.option("-n", "count", type=click.IntRange(1), default=10_000, show_default=True, help="So many lives.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same lives.")
@click.option(
    "--chance",
    "chances",
    multiple=True,
    metavar="STEP:FATE=WEIGHT",
    help="How often a step ends so: success, rejection, failure, death. STEP * is all others.",
)
@click.option("--type", "type_", metavar="TYPE", help="Only this workflow.")
@tenant_option
@json_option
def simulate(
    configs: tuple[str, ...],
    count: int,
    seed: int,
    chances: tuple[str, ...],
    type_: str | None,
    tenant: str | None,
    as_json: bool,
) -> None:
    """Walk synthetic entities through CONFIGs: where they end, how many steps it takes, where they stay."""
    weights = _weights(chances)
    tools = tools_for(configs)
    found = work(
        lambda token: tools.simulate(
            configs, token, type=type_, tenant=tenant, count=count, seed=seed, chances=weights
        )
    )
    for one in found:
        if as_json:
            json_line(whole(one))
        else:
            _print(one)


def _weights(chances: tuple[str, ...]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for chance in chances:
        named, equals, weight = chance.rpartition("=")
        step, colon, fate = named.rpartition(":")
        try:
            number = float(weight)
        except ValueError:
            number = -1.0
        if not equals or not colon or not step or number < 0:
            raise UsageError(
                f"{chance!r} is no chance.", "Write STEP:FATE=WEIGHT, such as approve:rejection=0.3."
            )
        found.setdefault(step, {})[fate] = number
    return found


def _print(one: Simulation) -> None:
    least, median, most = one.hops
    line(
        f"{one.type}: {one.n} lives, seed {one.seed}; {least} to {most} steps, half of them at most {median}"
    )
    line("  " + ", ".join(f"{name}: {count} ({_share(count, one.n)})" for name, count in one.ends.items()))
    by = sorted(one.statuses.items(), key=lambda item: -item[1])
    table(
        ("  last status", "lives", ""),
        [(f"  {s}", str(n), _share(n, one.n)) for s, n in by],
        right=frozenset({1, 2}),
    )
    rows = [(f"  {a} → {b}", step, str(n)) for a, b, step, n in one.edges[:_EDGES]]
    table(("  way", "step", "times"), rows, right=frozenset({2}))
    if len(one.edges) > _EDGES:
        line(f"  … and {len(one.edges) - _EDGES} more")


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %" if of else ""
