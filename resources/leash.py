"""What every worker process of the demo has: a leash to its supervisor, and lines to it.

Standard output carries one JSON object a line. Standard input is a leash: the worker exits as soon as it ends, that is
when its supervisor is gone, however that died.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any


def tell(event: str, **values: Any) -> None:
    """One line to the supervisor."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def progress(done: int, total: int) -> None:
    """How far the past is made."""
    tell("progress", done=done, total=total)


def leash() -> None:
    """Ends this process when its supervisor ends it or is gone; nothing else does, a key in the terminal neither."""
    parent = os.getppid()

    def until_end_of_input() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    def until_orphaned() -> None:
        # Should another process have inherited the leash's other end.
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(0)

    for watch in (until_end_of_input, until_orphaned):
        threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def leave() -> None:
    """Ends the process at once: what still waits in threads would keep the interpreter alive."""
    sys.stdout.flush()
    os._exit(0)
