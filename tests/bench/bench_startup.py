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
#: The process ends without clean-up, so that both measure start-up alone.
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
    """Medians of interleaved rounds, in ms, and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "PYTHONPYCACHEPREFIX": f"{folder}/pyc",
            "XDG_CONFIG_HOME": f"{folder}/config",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        for code in (BARE, OURS):
            measure(code, environment)
        pairs = [(measure(BARE, environment), measure(OURS, environment)) for _ in range(rounds)]
    bare, ours = ([statistics.median(p[i][j] for p in pairs) for j in (0, 1)] for i in (0, 1))
    return {
        "bench": "startup",
        "rounds": rounds,
        "bare_wall_ms": round(bare[0] * 1000, 1),
        "ours_wall_ms": round(ours[0] * 1000, 1),
        "wall_ratio": round(ours[0] / bare[0], 2),
        "bare_cpu_ms": round(bare[1] * 1000, 1),
        "ours_cpu_ms": round(ours[1] * 1000, 1),
        "cpu_ratio": round(ours[1] / bare[1], 2),
        "budget": 1.5,
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)))
