"""Sets up .venv from requirements.lock on a bare machine: python3 >= 3.11, make and git are enough.

Runs under the system's python3 with the standard library alone. What a bare Debian lacks (pip's bundle, the
shared libraries of Qt) is installed with apt-get by root; anybody else gets the exact command and exit code 1.
"""

from __future__ import annotations

import ctypes.util
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
STAMP = VENV / "playhead.stamp"
LOCK = ROOT / "requirements.lock"

# Soname: Debian package. The offscreen platform of Qt needs the first group even without a screen.
OFFSCREEN = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
}
SCREEN = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def main() -> None:
    check_python()
    install_system_packages(missing_packages())
    stamp = fingerprint()
    if STAMP.is_file() and STAMP.read_text() == stamp and (VENV / "bin" / "playhead").exists():
        return
    uv = ensure_uv()
    python = str(VENV / "bin" / "python")
    if not works(python):
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV))
    run(
        uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes",
        "--python", python, str(LOCK),
    )  # fmt: skip
    run(
        uv,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--python",
        python,
        "-e",
        str(ROOT),
    )
    run(
        python,
        "-m",
        "compileall",
        "-q",
        *(str(ROOT / d) for d in ("app", "widgets", "engine_bridge", "resources")),
    )
    STAMP.write_text(stamp)
    print("Playhead is set up: .venv/bin/playhead")


def check_python() -> None:
    if sys.version_info < (3, 11):
        sys.exit(
            f"Playhead needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.\n"
            "Name a newer one: make PYTHON=/path/to/python3 setup"
        )


def missing_packages() -> list[str]:
    """Debian packages whose files this machine lacks; empty where it is not Linux."""
    if not sys.platform.startswith("linux"):
        return []
    libraries = dict(OFFSCREEN)
    if os.environ.get("DISPLAY"):
        libraries |= SCREEN
    missing = [package for soname, package in libraries.items() if not loads(soname)]
    if not can_install():
        missing.append("python3-venv")
    return missing


def loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def can_install() -> bool:
    return all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")) or has_pip()


def has_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def install_system_packages(packages: list[str]) -> None:
    if not packages:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(
            f"This machine lacks: {', '.join(packages)} (Debian's names).\n"
            f"Install them, then try again:\n  sudo apt-get update && sudo {' '.join(command)}"
        )
    print(f"Installing with apt-get: {' '.join(packages)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update", "-qq"], command):
        subprocess.run(step, env=env, check=True, stdout=subprocess.DEVNULL)
    importlib.invalidate_caches()


def fingerprint() -> str:
    digest = hashlib.sha256(f"{sys.version}{ROOT}".encode())
    for path in (LOCK, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure_uv() -> str:
    """uv of the pinned version and hash, in .tools."""
    pin = ROOT / ".ci" / "uv.lock"
    binary = TOOLS / "bin" / "uv"
    mark = TOOLS / "pin"
    if binary.exists() and mark.is_file() and mark.read_text() == pin.read_text():
        return str(binary)
    shutil.rmtree(TOOLS, ignore_errors=True)
    if importlib.util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", str(TOOLS))
        run(str(TOOLS / "bin" / "python"), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(pin))
    else:
        run(
            sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "--target", str(TOOLS), "-r", str(pin)
        )  # fmt: skip
    mark.write_text(pin.read_text())
    return str(binary)


def works(python: str) -> bool:
    if not Path(python).exists():
        return False
    probe = "import sys; print(sys.version)"
    answer = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == sys.version.strip()


def run(*command: str) -> None:
    env = os.environ | {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CONFIG": "1",
        "UV_LINK_MODE": "copy",
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    env.pop("VIRTUAL_ENV", None)
    result = subprocess.run(command, env=env, check=False)
    if result.returncode:
        sys.exit(f"Failed ({result.returncode}): {' '.join(command)}")


if __name__ == "__main__":
    main()
