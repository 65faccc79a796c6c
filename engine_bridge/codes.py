"""Small integer codes of the model's enumerations, for numpy columns.

A code is an enumeration member's place in its class; 255 stands for "none". Codes never leave a
process or reach a file: they may change from one version to the next.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from engine_bridge.model import EventKind, Provenance, Status, StepKind, StepStatus

NONE: Final = 255
NO_TIME: Final = -(2**63)  # the smallest int64

STATUSES: Final = tuple(Status)
STEP_STATUSES: Final = tuple(StepStatus)
STEP_KINDS: Final = tuple(StepKind)
EVENT_KINDS: Final = tuple(EventKind)
PROVENANCES: Final = tuple(Provenance)


def _code_table() -> dict[tuple[type, str], int]:
    return {(type(member), member.value): code for member, code in _pairs()}


def _pairs() -> list[tuple[StrEnum, int]]:
    groups: tuple[tuple[StrEnum, ...], ...] = (STATUSES, STEP_STATUSES, STEP_KINDS, EVENT_KINDS, PROVENANCES)
    return [(member, code) for members in groups for code, member in enumerate(members)]


_TABLE: Final = _code_table()


def code(member: StrEnum | None) -> int:
    """The code of an enumeration member; 255 for None."""
    return NONE if member is None else _TABLE[type(member), member.value]


def time_or_none(value: int) -> int | None:
    """A time column's value as an ``int``, None where it is NO_TIME."""
    return None if value == NO_TIME else int(value)


def time_code(value: int | None) -> int:
    """The column value of a time."""
    return NO_TIME if value is None else value
