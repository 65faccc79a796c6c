"""``playhead export``: runs as one file that opens offline, in the window and on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.cli.options import json_option, source_argument
from app.cli.output import json_line, line
from app.cli.session import find_run, opened
from app.cli.working import work
from app.journal import journal
from app.opening import Opened, source_id
from engine_bridge import format as fmt
from engine_bridge import native
from engine_bridge.bundle import SUFFIX, export
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.model import Run, RunRef


@click.command("export")
@source_argument
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file to write, x{SUFFIX}.",
)
@click.option("--replace", is_flag=True, help="Replace a file that exists.")
@click.option(
    "--raw", is_flag=True, help="Mask nothing and leave nothing out. Asks, and is recorded in the journal."
)
@click.option("--yes", is_flag=True, help="Do not ask about --raw.")
@click.option("--reason", default="", help="Why unmasked data leaves the source; kept in the journal.")
@json_option
def export_(
    source: str,
    runs: tuple[str, ...],
    path: Path,
    replace: bool,
    raw: bool,
    yes: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Export RUNs of SOURCE to a file: histories, payloads, relations. Open it like any source.

    Secrets are masked on the decoded form; a pickle with secrets and binary data cannot be, so they are left out
    and counted. With --raw one RUN can be written as its engine exports it instead: name the file so.
    """
    own = path.suffix != SUFFIX
    if own and (not raw or len(set(runs)) > 1):
        raise UsageError(
            f"{fmt.plain(path.name)} is no bundle: the export of an engine holds one run, unmasked.",
            f"Name the file x{SUFFIX}; or one RUN, and --raw.",
        )
    if path.exists() and not replace:
        raise UsageError(f"{fmt.plain(str(path))} exists.", "Choose another file, or add --replace.")
    if raw:
        _confirm_raw(yes)
    with opened(source) as place:
        found: list[Run] = [find_run(place, run) for run in dict.fromkeys(runs)]
        if raw:
            for run in found:
                environment = place.info.environment.value
                journal().exported(
                    source=source_id(place.target.url),
                    environment=environment,
                    target=run.id,
                    action="export raw",
                    reason=reason,
                )
        refs = [run.ref for run in found]
        if own:
            _native(place, refs[0], path, as_json)
            return
        done = work(lambda token: export(place.session, place.info, refs, path, raw=raw, cancel=token))
    if as_json:
        counts = {"runs": done.runs, "payloads": done.payloads, "left_out": done.left_out}
        json_line({"file": str(path), "size": done.size, "raw": raw, **counts})
        return
    line(f"Wrote {path}: {done.runs} runs, {done.payloads} payloads, {fmt.size(done.size)}.")
    for why, count in sorted(done.left_out.items()):
        line(f"  {count} payloads left out: {why}")


def _native(place: Opened, ref: RunRef, path: Path, as_json: bool) -> None:
    """Writes a run as its engine exports it. Raises UsageError for another suffix than the engine's."""
    suffix = native.suffix(place.info)
    if path.suffix != suffix:
        known = f"x{SUFFIX}" + (f", or x{suffix}: {place.info.native}" if suffix else "")
        raise UsageError(f"{fmt.plain(path.name)} is of no kind that is written.", f"Name the file {known}.")
    size = work(lambda token: native.write(place.session, ref, path, token))
    if as_json:
        json_line({"file": str(path), "size": size, "raw": True, "runs": 1})
    else:
        line(f"Wrote {path}: 1 run as its engine exports it, {fmt.size(size)}.")


def _confirm_raw(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise RejectedError("A raw export holds every secret as it is.", "Add --yes if that is meant.")
    click.confirm("A raw export holds every secret as it is. Write it?", abort=True, err=True)
