"""README and docs: links lead somewhere, and commands are there with the options that are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli.main import cli
from tests.conftest import ROOT

PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
_NEXT = re.compile(r"\s[#|>](?:\s|$)|\s&&\s|\s{3,}")
"""What ends a command: a comment, a pipe, the next one, a column of explanations."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        there = page.parent / target if target else page
        assert there.exists(), target
        if anchor:
            assert anchor in set(anchors(there)), (target, anchor)


def anchors(page: Path) -> Iterator[str]:
    """The names by which GitHub reaches a page's headings."""
    for heading in re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Calls of the program with a command: its name, and the whole call."""
    text = re.sub(r"\\\n\s*", " ", page.read_text("utf-8"))
    known = "|".join(cli.list_commands(click.Context(cli)))
    lines = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.split("\n")]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in lines + spans:
        for call in _NEXT.split(line):
            found = re.search(rf"(?:^|\splayhead |^playhead )({known})\s(.*)", call)
            if found:
                yield found[1], call


def options(command: click.Command) -> set[str]:
    """Of a command and, where it is a group, of all that it holds."""
    own = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union({"--help"}, *map(options, below))


def test_commands_have_the_options_that_are_named() -> None:
    checked = 0
    everywhere = {name for one in cli.params for name in one.opts}
    for page in PAGES:
        for name, call in commands(page):
            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            named = set(re.findall(r"(?<![\w-])(--[a-z][\w-]*|-[a-z])(?!\w)", call))
            assert named <= options(command) | everywhere, (page.name, call)
            checked += bool(named)
    assert checked > 30
