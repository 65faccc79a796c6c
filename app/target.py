"""What to open, before it is opened: light, for the start-up path. Qt-free; any thread."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine_bridge.words import Environment


class Secret:
    """A password on its way to a driver; it shows in no repr, str or pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, slots=True)
class Target:
    """What to open. ``url`` holds no secret; ``environment`` None: what the source says of itself.

    ``token`` is the bearer token of the codec server that the URL names.
    """

    url: str
    title: str
    environment: Environment | None = None
    secret: Secret | None = field(default=None, repr=False)
    token: Secret | None = field(default=None, repr=False)
