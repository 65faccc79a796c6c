"""``playhead source``: saved names of sources. No password is ever kept in them."""

from __future__ import annotations

import click

from app.cli.options import json_option
from app.cli.output import json_line, line, table
from app.saved import Saved
from engine_bridge.model import Environment


@click.group()
def source() -> None:
    """Saved names of sources: playhead runs @NAME."""


@source.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the saved names."""
    rows = Saved().sources()
    if as_json:
        for row in rows:
            json_line({"name": row.name, "url": row.url, "environment": row.environment.value})
    elif rows:
        table(("name", "environment", "source"), [(f"@{r.name}", r.environment.value, r.url) for r in rows])
    else:
        line("No source is saved. Save one: playhead source add NAME SOURCE.")


@source.command()
@click.argument("name")
@click.argument("url")
@click.option(
    "--environment",
    type=click.Choice([e.value for e in Environment]),
    default="dev",
    show_default=True,
    help="Production sources get a coloured window and typed confirmations.",
)
@click.option("--replace", is_flag=True, help="Replace a source of the same name.")
def add(name: str, url: str, environment: str, replace: bool) -> None:
    """Save the source URL as @NAME. A password in it is dropped: it comes from the keyring or is asked for."""
    saved = Saved().save_source(name, url, Environment(environment), replace=replace)
    line(f"Saved @{saved.name}: {saved.url}")


@source.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget @NAME."""
    Saved().remove_source(name)
    line(f"Removed @{name.removeprefix('@')}.")
