"""Which modules of a user's code a replay imports: a file is itself, a folder what its entry point would import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine_bridge.errors import UsageError
from engine_bridge.replay.folders import pyproject, root, table
from engine_bridge.replay.sourcefiles import SourceFile, python_files, source_file


class Modules(msgspec.Struct, frozen=True):
    """What to import. ``modules`` is empty when the user must choose from ``choices``; ``how`` says why it is so.

    ``modules`` are dotted names, or a path of a file that is no part of a package. ``paths`` go to the front of
    sys.path; ``cwd`` is the folder that the project is started in.
    """

    modules: tuple[str, ...]
    paths: tuple[str, ...]
    cwd: str
    how: str
    choices: tuple[str, ...] = ()


def modules_of(code: Path, library: str = "") -> Modules:
    """What a replay of a file or folder imports; ``library`` is the engine's, as in RunnerSpec. Reads, runs nothing.

    Raises UsageError when there is no such code, or nothing in it mentions the library.
    """
    code = code.expanduser().resolve()
    if not code.exists():
        raise UsageError(
            f"{code} does not exist.", "Name the file or folder of the workflows' code with --code."
        )
    base = root(code)
    if code.is_file():
        if code.suffix != ".py":
            raise UsageError(
                f"{code.name} is no Python file.", "Name a .py file or the project's folder with --code."
            )
        file = source_file(code)
        return Modules((imported_as(file),), _paths([file], base), str(base), "the file itself")
    return _of_folder(code, base, library.replace("-", "_"))


def chosen(code: Path, names: Sequence[str]) -> Modules:
    """The same for modules that the user chose from ``choices``, or named: dotted names, or paths of files."""
    code = code.expanduser().resolve()
    base = root(code)
    files = [source_file(Path(name)) for name in names if name.endswith(".py")]
    dotted = {name for name in names if not name.endswith(".py")}
    if dotted:
        below = python_files(code) if code.is_dir() else [code]
        files += [file for file in map(source_file, below) if file.name in dotted]
    return Modules(tuple(names), _paths(files, base), str(base), "chosen by you")


def entry_point(code: Path, wanted: str) -> Path | None:
    """The file of a project that imports a name, such as a class of workers: the likeliest. Runs nothing."""
    folder = code if code.is_dir() else code.parent
    word = wanted.rpartition(".")[2].encode()
    if not word:
        return None
    found = [p for p in python_files(folder) if _has(p, word) and wanted in source_file(p).imports]
    return min(
        found, key=lambda p: (word.decode().lower() not in p.stem.lower(), len(p.parts), p), default=None
    )


def _has(path: Path, word: bytes) -> bool:
    try:
        return word in path.read_bytes()
    except OSError:
        return False


def imported_as(file: SourceFile) -> str:
    """How a replay names a module: dotted within a package, else its path (as a script it may be ``__main__``)."""
    return file.name if "." in file.name or file.path.name == "__init__.py" else str(file.path)


def _of_folder(code: Path, base: Path, library: str) -> Modules:
    files = [source_file(path) for path in python_files(code)]
    found = [file for file in files if not library or file.mentions(library)]
    if not found:
        raise UsageError(
            f"No module in {code} imports {library}." if library else f"{code} has no Python file.",
            "Name the file or folder with the workflows' code.",
        )
    tops = _tops(found, files)
    names = tuple(imported_as(file) for file in [*tops, *(f for f in found if f not in tops)])
    paths = _paths(found, base)
    if len(found) == 1:
        return Modules(names, paths, str(base), f"the one module that imports {library}", names)
    if len(tops) == 1:
        how = f"the module that imports all {len(found) - 1} others that use {library}"
        return Modules(names[:1], paths, str(base), how, names)
    return Modules((), paths, str(base), f"{len(found)} modules use {library}: choose those to import", names)


def _tops(found: list[SourceFile], files: list[SourceFile]) -> list[SourceFile]:
    """Those that import, directly or by others, all others: one of them is enough. Else those that nobody imports."""
    by_name = {file.name: file for file in files}
    reached = {file.path: _reached(file, by_name) for file in found}
    everything = {file.path for file in found}
    whole = [file for file in found if everything <= reached[file.path] | {file.path}]
    if whole:
        return whole[:1]
    return [f for f in found if not any(f.path in reached[o.path] for o in found if o is not f)]


def _reached(file: SourceFile, by_name: dict[str, SourceFile]) -> set[Path]:
    reached: set[Path] = set()
    open_ = [file]
    while open_:
        for name in open_.pop().imports:
            other = by_name.get(name)
            if other is not None and other.path not in reached:
                reached.add(other.path)
                open_.append(other)
    return reached


def _paths(files: Sequence[SourceFile], base: Path) -> tuple[str, ...]:
    """Folders for sys.path as an IDE marks sources: those of the modules, the project's src and the project itself."""
    declared = [base / folder for folder in _declared(base)]
    places = [*(file.root for file in files), *declared, base / "src", base]
    return tuple(dict.fromkeys(str(place) for place in places if place.is_dir()))


def _declared(base: Path) -> list[str]:
    """Source folders that pyproject.toml names (setuptools, Poetry, Hatch, PDM)."""
    content = pyproject(base)
    found: list[object] = list(table(content, "tool", "setuptools", "package-dir").values())
    where = table(content, "tool", "setuptools", "packages", "find").get("where")
    found += where if isinstance(where, list) else []
    packages = table(content, "tool", "poetry").get("packages")
    found += [p.get("from") for p in packages if isinstance(p, dict)] if isinstance(packages, list) else []
    found.append(table(content, "tool", "pdm", "build").get("package-dir"))
    wheel = table(content, "tool", "hatch", "build", "targets", "wheel")
    kept = wheel.get("packages")
    found += [str(Path(str(p)).parent) for p in kept] if isinstance(kept, list) else []
    return [str(folder) for folder in found if isinstance(folder, str) and folder]
