"""Start-up against a bare QMainWindow: process start to first paint, interleaved in one run.

``python tests/bench/bench_startup.py [N]`` prints one JSON line; the budget is a ratio of 1.5 (design, section 9). Byte
code is read from a cache of its own, as an installed Playhead has it.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BARE = """
from PySide6.QtWidgets import QApplication, QMainWindow
app = QApplication([])
window = QMainWindow()
window.resize(1440, 900)
window.show()
app.processEvents()
"""
OURS = """
from app.main import make_window
app, window, settings = make_window()
window.show()
app.processEvents()
"""
#: The same through the installed command's modules.
COMMAND = "import app.__main__\n" + OURS
#: The process ends without clean-up, so that all measure start-up alone.
END = """
import os
os._exit(0)
"""


def measure(code: str, environment: dict[str, str]) -> tuple[float, float]:
    """(wall, CPU) seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code + END], env=environment, cwd=ROOT, check=True)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def main(rounds: int) -> dict[str, float | int | str]:
    """Medians of interleaved rounds, in ms, and their ratios to the bare window."""
    codes = {"bare": BARE, "window": OURS, "command": COMMAND}
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "PYTHONPYCACHEPREFIX": f"{folder}/pyc",
            "XDG_CONFIG_HOME": f"{folder}/config",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        for code in codes.values():
            measure(code, environment)
        rows = [{name: measure(code, environment) for name, code in codes.items()} for _ in range(rounds)]
    result: dict[str, float | int | str] = {"bench": "startup", "rounds": rounds, "budget": 1.5}
    for number, clock in enumerate(("wall", "cpu")):
        medians = {name: statistics.median(row[name][number] for row in rows) for name in codes}
        result |= {f"{name}_{clock}_ms": round(value * 1000, 1) for name, value in medians.items()}
        result |= {
            f"{name}_{clock}_ratio": round(medians[name] / medians["bare"], 2)
            for name in ("window", "command")
        }
    return result


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)))
