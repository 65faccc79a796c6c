"""What every plan is made from and says: the look at the target, calls, preconditions, race, and text to copy."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from engine_bridge.actions import quoting
from engine_bridge.actions.command import act, join
from engine_bridge.actions.model import ActionSpec, Change, Danger, Param, PlanItem, Staged
from engine_bridge.engines.dbos.actions_facts import Facts, Reads, RunFacts, observed
from engine_bridge.engines.dbos.plan_sql import Sql, script
from engine_bridge.engines.dbos.tables import Tables

DERIVED: Final = "<from the request id>"
"""Stands in a plan's calls for an id that derives from the request id, which is made when the plan is executed."""

_RACE: Final = {
    "sqlite": "DBOS has no compare-and-swap. Playhead reads the preconditions again under SQLite's write lock, in the "
    "transaction that writes, so no other writer comes between.",
    "postgresql": "DBOS has no compare-and-swap. Playhead reads the preconditions again under the row's lock, in the "
    "transaction that writes. Steps and messages that others add in that very moment are not locked.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source is, for texts: ``url`` is what Playhead opens, ``client`` what DBOS does; neither has a secret."""

    dialect: str
    schema: str | None
    url: str
    client: str

    @property
    def sql(self) -> Sql:
        return Sql(self.dialect, self.schema)


@dataclass(frozen=True, slots=True)
class Look:
    """One staged action, and its target as it is now."""

    staged: Staged
    facts: Facts
    tables: Tables
    reads: Reads
    place: Place
    now_ns: int

    @property
    def args(self) -> dict[str, Any]:
        return self.staged.args

    @property
    def run(self) -> RunFacts:
        if not isinstance(self.facts, RunFacts):
            raise TypeError("not a run")
        return self.facts


class Draft(msgspec.Struct, kw_only=True):
    """What an action's own module says about it; ``finish`` adds what all plans say.

    ``python`` are the lines of a script after ``client`` was made; ``cli`` the words of another tool's command
    where one does the same; ``params`` are needed where text alone does not tell the
    type; ``fresh`` is the id in them that execution derives from its request id.
    """

    title: str
    python: tuple[str, ...]
    sql: tuple[str, ...]
    preconditions: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    cli: tuple[str, ...] = ()
    new_run: bool = False
    inverse: Staged | None = None
    irreversible: str = ""
    race: str = ""
    side_effects: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    dedupes: bool = False
    danger: Danger = Danger.CHANGES
    fresh: str = ""
    params: tuple[Param, ...] = ()
    imports: tuple[str, ...] = ("DBOSClient",)


def finish(look: Look, draft: Draft) -> PlanItem:
    """The plan of one staged action."""
    return PlanItem(
        staged=look.staged,
        title=draft.title,
        calls=tuple(_derived(line, draft.fresh) for line in (*draft.python, *draft.sql)),
        changes=draft.changes,
        preconditions=observed(look.facts, *draft.preconditions),
        new_run=draft.new_run,
        inverse=draft.inverse,
        irreversible=draft.irreversible,
        race=f"{_RACE[look.place.dialect]} {draft.race}".strip(),
        side_effects=draft.side_effects,
        warnings=draft.warnings,
        dedupes=draft.dedupes,
        danger=draft.danger,
        copy_as=_copies(look, draft),
    )


def refused(staged: Staged, title: str, why: str) -> PlanItem:
    """A plan of what must not run."""
    return PlanItem(staged=staged, title=title, refused=why)


def _copies(look: Look, draft: Draft) -> dict[str, str]:
    place = look.place
    found = {
        "CLI": join(*draft.cli) if draft.cli else _playhead(look, draft),
        "Python": _script(place, draft),
    }
    if draft.sql:
        found["SQL"] = script(draft.sql, place.dialect)
    return found


def _playhead(look: Look, draft: Draft) -> str:
    staged = look.staged
    return act(look.place.url, staged, ActionSpec(id=staged.action, title="", effect="", params=draft.params))


def _script(place: Place, draft: Draft) -> str:
    schema = f", dbos_system_schema={quoting.python(place.schema)}" if place.schema else ""
    head = f"from dbos import {', '.join(draft.imports)}"
    lines = [f"client = DBOSClient(system_database_url={quoting.python(place.client)}{schema})"]
    if any("engine.begin()" in line for line in draft.python):
        head = f"import sqlalchemy\n{head}"
        driver = place.client.replace("postgresql://", "postgresql+psycopg://", 1)
        lines.insert(0, f"engine = sqlalchemy.create_engine({quoting.python(driver)})")
        lines[1] = f"client = DBOSClient(system_database_engine=engine{schema})"
    return "\n".join([head, "", *lines, *draft.python])


def call(method: str, *args: Any, **kwargs: Any) -> str:
    """A call of the client as Python text; absent keyword arguments are left out."""
    words = [quoting.python(arg) for arg in args]
    words += [f"{name}={quoting.python(value)}" for name, value in kwargs.items() if value is not None]
    return f"client.{method}({', '.join(words)})"


def in_transaction(*lines: str) -> tuple[str, ...]:
    """Lines of Python in one transaction of the client's engine."""
    return ("with engine.begin() as connection:", *(f"    {line}" for line in lines))


def driver_call(statement: str) -> str:
    """Python that executes SQL as it stands, percent signs and colons included."""
    return f"connection.exec_driver_sql({statement!r}, execution_options={{'no_parameters': True}})"


def _derived(line: str, fresh: str) -> str:
    return line.replace(fresh, DERIVED) if fresh else line


def fresh_id() -> str:
    """An id for the text to copy: whoever pastes it makes something of his own."""
    return str(uuid.uuid4())
