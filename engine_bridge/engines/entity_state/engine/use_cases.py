"""The registry of use cases: the only way from names in a config to code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .errors import UnknownUseCaseError, UseCaseError
from .findings import suggest
from .results import Call, Result

UseCase = Callable[[Call], Any]
"""Answers a Result; in a batch step a Result for all, or a mapping of entity id to Result."""


class UseCases:
    """Names to callables. Filled before the engine starts, read-only in effect afterwards."""

    def __init__(self) -> None:
        self._known: dict[str, UseCase] = {}

    def register(self, name: str) -> Callable[[UseCase], UseCase]:
        """A decorator that enters a use case; raises UseCaseError where the name is taken."""

        def enter(use_case: UseCase) -> UseCase:
            if name in self._known:
                raise UseCaseError(f"Two use cases are named “{name}”.")
            self._known[name] = use_case
            return use_case

        return enter

    @property
    def names(self) -> frozenset[str]:
        """Every registered name."""
        return frozenset(self._known)

    def call(self, name: str, call: Call) -> Result:
        """Calls a use case for one entity. What it raises is a fault of its own and passes through."""
        answer = self._find(name)(call)
        if not isinstance(answer, Result):
            raise UseCaseError(f"The use case “{name}” answered {type(answer).__name__}, not a Result.")
        return answer

    def call_batch(self, name: str, call: Call) -> dict[Any, Result]:
        """Calls a use case once for many entities; the result of each, by entity id."""
        answer = self._find(name)(call)
        ids = [row.id for row in call.rows]
        if isinstance(answer, Result):
            return dict.fromkeys(ids, answer)
        if not isinstance(answer, Mapping) or any(not isinstance(answer.get(i), Result) for i in ids):
            raise UseCaseError(
                f"The batch use case “{name}” must answer a Result, or one for every entity id."
            )
        return {i: answer[i] for i in ids}

    def _find(self, name: str) -> UseCase:
        found = self._known.get(name)
        if found is None:
            known = suggest(name, self._known)
            raise UnknownUseCaseError(f"No use case is registered as “{name}”. {known}")
        return found
