"""Files and commits of a git repository, by the git program: fixed argv, no shell, no filter, no network."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from engine_bridge.cancel import CancelToken

TIMEOUT_S: Final = 15.0

_QUIET: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}


class GitError(Exception):
    """Git cannot answer: why, and what to do."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


class Item(NamedTuple):
    """An object of a commit: ``name`` as git writes it (``SHA:path``), its kind and size in bytes."""

    name: str
    kind: str
    size: int


class Commit(NamedTuple):
    """A commit that touched a file; ``time_ns`` is when it was committed."""

    id: str
    time_ns: int
    subject: str


class Git:
    """One repository, from one of its folders."""

    def __init__(self, folder: Path, cancel: CancelToken, timeout_s: float | None = None) -> None:
        self.folder = folder
        self.cancel = cancel
        self.timeout_s = TIMEOUT_S if timeout_s is None else timeout_s

    @classmethod
    def at(
        cls, revision: str, path: str, cancel: CancelToken, folder: Path | None = None
    ) -> tuple[Git, str, Item]:
        """The repository, the commit's id, and the object at a path, as seen from a folder (the working folder).

        Raises GitError.
        """
        where, inside = Path(path).expanduser(), path
        git = cls(folder or Path.cwd(), cancel)
        if where.is_absolute():
            git = cls(_existing(where.parent), cancel)
            inside = "./" + where.relative_to(git.folder).as_posix()
        commit = git.commit(revision)
        # As git reads it, then from the working folder: both are what people type.
        for name in dict.fromkeys((inside, f"./{inside}")):
            item = git.items([f"{commit}:{name.rstrip('/') or '.'}"])[0]
            if item is not None and item.kind in ("blob", "tree"):
                return git, commit, item
        raise GitError(f"{revision} holds no {path}", f"`git ls-tree -r {revision}` lists what it holds.")

    def commit(self, revision: str) -> str:
        """The id of the commit that a revision names. Raises GitError."""
        code, out, err = self._run("rev-parse", "--verify", f"{revision}^{{commit}}")
        if code == 0:
            return out.decode("ascii", "replace").strip()
        if b"not a git repository" in err:
            raise GitError(f"{self.folder} is in no git repository", "Name a file, or go to the repository.")
        if b"dubious ownership" in err:
            raise GitError(f"git does not trust {self.folder}", "See `git config safe.directory`.")
        raise GitError(
            f"git knows no revision {revision}", "`git log` lists revisions; fetch what is missing."
        )

    def items(self, names: list[str]) -> list[Item | None]:
        """Kind and size of objects, None where there is none."""
        answer = self.ask("cat-file", "--batch-check", given=_lines(names)).splitlines()
        return [_item(name, line) for name, line in zip(names, answer, strict=True)]

    def names(self, tree: str) -> list[str]:
        """Paths of all files in a folder, relative to it; those that no line can hold are left out."""
        listed = self.ask("ls-tree", "-r", "-z", "--name-only", tree).split(b"\0")
        return [name for part in listed if part and "\n" not in (name := os.fsdecode(part))]

    def blobs(self, names: list[str], largest: int) -> list[bytes]:
        """Contents of files; one that is larger answers ``largest`` + 1 bytes of nothing."""
        sizes = self.items(names)
        small = [name for name, item in zip(names, sizes, strict=True) if item and item.size <= largest]
        answer = memoryview(self.ask("cat-file", "--batch", given=_lines(small)) if small else b"")
        found: dict[str, bytes] = {}
        for name in small:
            head, _, _ = bytes(answer[:200]).partition(b"\n")
            size = int(head.rsplit(b" ", 1)[1])
            found[name] = bytes(answer[len(head) + 1 : len(head) + 1 + size])
            answer = answer[len(head) + size + 2 :]
        return [found.get(name, bytes(largest + 1)) for name in names]

    def ask(self, *arguments: str, given: bytes = b"") -> bytes:
        """What git prints. Raises GitError where it fails."""
        code, out, err = self._run(*arguments, given=given)
        if code:
            said = err.decode("utf-8", "replace").strip().splitlines()
            raise GitError(f"git failed: {said[-1][:200] if said else code}", "Try the same with git itself.")
        return out

    def _run(self, *arguments: str, given: bytes = b"") -> tuple[int, bytes, bytes]:
        command = ["git", "-C", str(self.folder), *arguments]
        try:
            process = subprocess.Popen(  # noqa: S603  a fixed argv
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, **_QUIET},
            )  # fmt: skip
        except OSError as error:
            raise GitError(
                f"git cannot be run: {error.strerror}", "Install git, or name a file instead."
            ) from None
        forget = self.cancel.add_hook(process.kill)
        try:
            out, err = process.communicate(given, self.timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise GitError(f"git did not answer in {self.timeout_s:g} s", "Try again.") from None
        finally:
            forget()
        self.cancel.raise_if_cancelled()
        return process.returncode, out, err


def commits(path: Path, cancel: CancelToken, timeout_s: float = TIMEOUT_S) -> tuple[Commit, ...]:
    """The commits that touched a file, newest first; none where it is in no repository, or git does not answer."""
    git = Git(_existing(path.absolute().parent), cancel, timeout_s)
    try:
        listed = git.ask("log", "-z", "--format=%H %ct %s", "--", str(path.absolute()))
    except GitError:
        return ()
    rows = (part.decode("utf-8", "replace").split(" ", 2) for part in listed.split(b"\0") if part)
    return tuple(Commit(id_, int(at) * 1_000_000_000, subject.strip()) for id_, at, subject in rows)


def _existing(folder: Path) -> Path:
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _lines(names: list[str]) -> bytes:
    return b"".join(os.fsencode(name) + b"\n" for name in names)


def _item(name: str, line: bytes) -> Item | None:
    parts = line.rsplit(b" ", 2)
    if len(parts) < 3 or not parts[2].isdigit():
        return None
    return Item(name, parts[1].decode(), int(parts[2]))
