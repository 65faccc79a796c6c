"""A server of sockets for tests: a thread that listens, and one for every client."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final

_TALKS_S: Final = 60


class Listener(ABC):
    """Listens on a free port of the loopback until ``close``."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @abstractmethod
    def talk(self, client: socket.socket) -> None:
        """Answers a client to its end, in a thread of its own; ``close`` cuts the sockets in ``open``."""

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self.talk, args=(client,)))
            self._threads[-1].start()

    def close(self) -> None:
        for one in (self._listener, *self.open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(_TALKS_S)
