"""``playhead lint``: what is wrong with workflow configs, and with the entities under them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.cli.configs import (
    asked,
    print_findings,
    report_json,
    source_option,
    summary,
    tenant_option,
    tools_for,
    tools_of,
)
from app.cli.options import json_option
from app.cli.output import json_line, line, note
from app.cli.session import opened
from app.cli.working import work
from engine_bridge.configs import ConfigTools, LintReport
from engine_bridge.errors import PermissionDeniedError, UsageError


@click.command()
@click.argument("configs", nargs=-1, metavar="CONFIG...")
@source_option
@tenant_option
@click.option(
    "--html",
    "html_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the whole report, with graphs and paths, to one HTML file.",
)
@json_option
def lint(
    configs: tuple[str, ...], source: str | None, tenant: str | None, html_path: Path | None, as_json: bool
) -> None:
    """Check CONFIGs: files, folders, or REV:path in git. Exit code 1 where there are findings.

    With --source also the entities on statuses that no config knows; then without CONFIG the source's own configs.
    """
    tools, report = _report(configs, source, tenant)
    if as_json:
        json_line(report_json(report))
    else:
        print_findings(report.findings)
        line(summary(report))
    if html_path is not None:
        _write(html_path, tools.html(report))
    if report.findings:
        sys.exit(1)


def _report(
    configs: tuple[str, ...], source: str | None, tenant: str | None
) -> tuple[ConfigTools, LintReport]:
    if source is None:
        if not configs:
            raise UsageError("Name a config, or a source with --source.")
        tools = tools_for(configs)
        return tools, work(lambda token: tools.lint(configs, token, tenant=tenant))
    with opened(source) as place:
        tools = tools_of(place)
        report: LintReport = asked(place, "lint", configs, tenant)
        return tools, report


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8", errors="backslashreplace")
    except OSError as error:
        raise PermissionDeniedError(f"{path} cannot be written: {error.strerror}.") from None
    note(f"Wrote {path}.")
