"""A keyring in memory, for tests of what is kept in one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend


@contextmanager
def memory_keyring() -> Iterator[None]:
    """The keyring of this process for a while. Its class is made late: the library chooses among those it knows of."""
    before = keyring.get_keyring()

    class Ring(KeyringBackend):
        priority = 1
        kept: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[service, username]

    keyring.set_keyring(Ring())
    try:
        yield
    finally:
        keyring.set_keyring(before)
