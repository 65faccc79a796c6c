"""Finds the interpreter of a user's project as an IDE would: by what is written there, running nothing.

Sources of the layouts: PEP 405 (pyvenv.cfg), and the documentation of Poetry, Hatch, PDM, pipenv and conda on where
they keep environments.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from engine_bridge.replay.folders import pyproject, root, table, text, upwards
from engine_bridge.replay.versions import fits

_NAMES: Final = (".venv", "venv", "env", ".env", "virtualenv", ".conda")
_LAYOUTS: Final = ("Scripts/python.exe", "python.exe") if os.name == "nt" else ("bin/python", "bin/python3")


class Interpreter(msgspec.Struct, frozen=True):
    """A place that should hold the project's Python; ``how`` it was found, in words. ``version`` "" when unknown.

    ``wanted`` is the project's ``requires-python``, and ``fits`` says whether the version is one of these.
    """

    python: Path
    how: str
    version: str = ""
    wanted: str = ""

    @property
    def fits(self) -> bool:
        return fits(self.version, self.wanted)


def find_python(code: Path, environ: Mapping[str, str] = os.environ) -> Interpreter:
    """The best of :func:`candidates`."""
    return next(candidates(code, environ))


def candidates(code: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Interpreter]:
    """Interpreters for some code, the likeliest first, without repeats; there is always one."""
    wanted = text(pyproject(root(code)), "project", "requires-python") or text(
        pyproject(root(code)), "tool", "poetry", "dependencies", "python"
    )
    seen: set[Path] = set()
    for folder, how in _environments(code, environ):
        python = _python_in(folder)
        if python is not None and python not in seen:
            seen.add(python)
            yield Interpreter(python, how, _version(folder), wanted)
    for name in ("python3", "python"):
        found = shutil.which(name, path=environ.get("PATH"))
        if found and Path(found) not in seen:
            seen.add(Path(found))
            yield Interpreter(
                Path(found), f"{name} on the PATH: the project has no environment of its own", "", wanted
            )
    if not seen:
        version = ".".join(map(str, sys.version_info[:3]))
        yield Interpreter(Path(sys.executable), "Playhead's own: no other Python was found", version, wanted)


def _environments(code: Path, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    places = list(upwards(code))
    for place in places:
        yield from _in_folder(place)
    for place in places:
        yield from _by_tools(place, environ)
    if environ.get("VIRTUAL_ENV"):
        yield Path(environ["VIRTUAL_ENV"]), "the environment that is active (VIRTUAL_ENV)"
    if environ.get("CONDA_PREFIX"):
        yield Path(environ["CONDA_PREFIX"]), "the conda environment that is active (CONDA_PREFIX)"
    for place in places:
        yield from _pinned(place, environ)


def _in_folder(place: Path) -> Iterator[tuple[Path, str]]:
    """Environments that lie in the project."""
    if (place / "pyvenv.cfg").is_file():
        yield place, f"the environment that the code lies in, {place}"
    for name in _NAMES:
        yield place / name, f"{name} in {place}"
    for found in sorted(place.glob("*/pyvenv.cfg"))[:8]:
        yield found.parent, f"{found.parent.name} in {place}"
    for name, tool in ((".venv", "a .venv file"), (".pdm-python", "PDM's .pdm-python")):
        path = _one_line(place / name)
        if path:
            target = (place / path).expanduser()
            yield (target.parent.parent if name == ".pdm-python" else target), f"{tool} in {place}"


def _by_tools(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Environments that a project's tool keeps elsewhere."""
    content = pyproject(place)
    home = Path(environ.get("HOME") or Path.home())
    if (place / "poetry.lock").exists() or "poetry" in table(content, "tool"):
        name = text(content, "tool", "poetry", "name") or text(content, "project", "name")
        yield from _hashed(
            _poetry(home, environ), f"{_poetry_name(name)}-{_hash(place)}-py*", "Poetry's environment"
        )
    if (place / "Pipfile").exists():
        kept = Path(environ.get("WORKON_HOME") or home / ".local/share/virtualenvs")
        yield from _hashed(kept, f"{place.name}-{_hash(place / 'Pipfile')}*", "pipenv's environment")
    if (place / "hatch.toml").exists() or "hatch" in table(content, "tool"):
        name = text(content, "project", "name")
        for kept in _hatch(home, environ):
            yield from _hashed(kept / name, f"{_hash(place)}/{name}", "Hatch's environment")
    for file in ("environment.yml", "environment.yaml", "conda.yml"):
        yield from _conda(_yaml_name(place / file), home, file)


def _hashed(folder: Path, pattern: str, how: str) -> Iterator[tuple[Path, str]]:
    for found in sorted(folder.glob(pattern), reverse=True)[:4]:
        yield found, f"{how}, {found}"


def _poetry(home: Path, environ: Mapping[str, str]) -> Path:
    cache = environ.get("POETRY_CACHE_DIR") or environ.get("XDG_CACHE_HOME", "")
    if sys.platform == "darwin":
        default = home / "Library/Caches/pypoetry"
    else:
        default = (Path(cache) if cache else home / ".cache") / "pypoetry"
    base = Path(cache) if environ.get("POETRY_CACHE_DIR") else default
    return Path(environ.get("POETRY_VIRTUALENVS_PATH") or base / "virtualenvs")


def _poetry_name(name: str) -> str:
    # As Poetry's EnvManager.generate_env_name has it.
    return re.sub(r'[ $`!*@"\\\r\n\t]', "_", name.lower())[:42]


def _hash(place: Path) -> str:
    # Poetry, pipenv and Hatch alike: the first eight characters of the path's SHA-256 in URL-safe base64.
    path = os.path.normcase(str(place))
    return base64.urlsafe_b64encode(hashlib.sha256(path.encode()).digest()).decode()[:8]


def _hatch(home: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("HATCH_DATA_DIR"):
        yield Path(environ["HATCH_DATA_DIR"]) / "env/virtual"
    yield Path(environ.get("XDG_DATA_HOME") or home / ".local/share") / "hatch/env/virtual"
    yield home / "Library/Application Support/hatch/env/virtual"


def _conda(name: str, home: Path, file: str) -> Iterator[tuple[Path, str]]:
    for base in ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".conda"):
        if name:
            yield home / base / "envs" / name, f"conda's environment {name}, named in {file}"


def _pinned(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """pyenv's interpreter of the version that a project asks for: it has the language, and the libraries perhaps."""
    version = _one_line(place / ".python-version")
    base = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME") or Path.home()) / ".pyenv") / "versions"
    if version and not set(version) & set("/\\*"):
        for found in (base / version, *sorted(base.glob(f"{version}.*"), reverse=True)[:1]):
            yield found, f"pyenv's {found.name}, named in {place / '.python-version'}"


def _python_in(folder: Path) -> Path | None:
    try:
        return next((folder / layout for layout in _LAYOUTS if os.access(folder / layout, os.X_OK)), None)
    except (OSError, ValueError):
        return None


def _version(folder: Path) -> str:
    """The version that an environment's own file names."""
    try:
        found = re.search(
            r"^version(?:_info)?\s*=\s*([\d.]+)", (folder / "pyvenv.cfg").read_text("utf-8"), re.M
        )
    except (OSError, ValueError):
        return ""
    return found[1] if found else ""


def _one_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8")[:1000].split("\n") if path.is_file() else [""]
    except (OSError, ValueError):
        return ""
    return lines[0].strip()


def _yaml_name(path: Path) -> str:
    """The ``name:`` of a conda environment file, which stands at the top of it."""
    try:
        found = re.search(r"^name:\s*['\"]?([\w.-]+)", path.read_text("utf-8")[:10_000], re.M)
    except (OSError, ValueError):
        return ""
    return found[1] if found else ""
