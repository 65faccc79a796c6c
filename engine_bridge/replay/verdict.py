"""Words for what became of a runner process that did not end its replays itself."""

from __future__ import annotations

import re
import signal
from typing import Final

from engine_bridge.errors import UsageError
from engine_bridge.replay.interpreter_check import check_python
from engine_bridge.replay.model import Place, RunnerSpec
from engine_bridge.replay.protocol import VERSION, Busy, Bye, Hello
from engine_bridge.replay.versions import fits

KEPT: Final = "Everything recorded so far is kept."
_PARENT_GONE: Final = 3  # engine_bridge/replay/runners/channel.py
_FRAME: Final = re.compile(r'^  File "(.+)", line (\d+) in (.+)$', re.M)
_PYTHONS_OWN: Final = re.compile(r"site-packages|dist-packages|[/\\]lib[/\\]python3|[/\\]runner\.py$|^<")
_SIGNALS: Final = {
    "SIGKILL": "The system may have been out of memory, or somebody ended it.",
    "SIGSEGV": "A C extension crashed: look at the line, and at the versions of what it calls.",
    "SIGABRT": "A C extension gave up: look at the line, and at what was printed.",
}


def unfit(hello: Hello, spec: RunnerSpec, python: str) -> tuple[str, str]:
    """Why a runner that came up cannot be used, and what to do; "" when it can."""
    if hello.version != VERSION:
        return f"The runner speaks version {hello.version}, Playhead {VERSION}.", "Install Playhead anew."
    if spec.supported and not fits(hello.library, spec.supported):
        wanted = f"{spec.library}{spec.supported}"
        hint = f"Install {wanted} in that environment, or name another interpreter with --python."
        return f"{python} has {spec.library} {hello.library}; a replay needs {wanted}.", hint
    return "", ""


def not_begun(bye: Bye | None, code: int, spec: RunnerSpec, python: str, printed: str) -> tuple[str, str]:
    """Why a runner never said hello: no Python, too old, no library."""
    if bye is not None and bye.hint and not bye.stack:
        return bye.error, bye.hint  # no library failed: the runner itself said why
    if bye is not None and bye.error:
        missing = f"No module named '{spec.library}'" in bye.error
        what = (
            f"{python} has no {spec.library}" if missing else f"{spec.library} cannot be imported by {python}"
        )
        hint = f"Install {spec.library}{spec.supported} in that environment, or name another interpreter with --python."
        return f"{what}: {bye.error}" if not missing else f"{what}.", hint
    try:
        check_python(python)
    except UsageError as error:
        return error.message, error.hint
    said = next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "")
    return f"The runner did not come up ({_ended(code)}){': ' + said[:300] if said else ''}.", ""


def crashed(code: int, reason: str, stacks: str) -> tuple[str, str]:
    """What to say of a process that ended before its replays had."""
    at = place_in(stacks)
    where = f", at {at}" if at.line else ""
    if reason:
        return f"The replay was ended: {reason}.", KEPT
    if code == _PARENT_GONE:
        return "The code closed a channel that is not its own, so nothing more was heard of it.", KEPT
    words = _SIGNALS.get(_name(code), "The last step recorded is where it was.")
    return f"The process {_ended(code)} before it was done{where}.", f"{words} {KEPT}"


def _ended(code: int) -> str:
    return f"died of {_name(code)}" if code < 0 else f"ended with code {code}"


def _name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def told(stacks: str) -> str:
    """Stacks of the threads that are in the user's code, without Python's own frames; all when none is."""
    kept = []
    for part in re.split(r"\n\s*\n", stacks.strip()):
        head, *frames = part.splitlines() or [""]
        mine = [line for line in frames if (m := _FRAME.match(line)) and not _PYTHONS_OWN.search(m[1])]
        if mine:
            kept.append("\n".join([head, *mine]))
    return "\n\n".join(kept) or stacks


def place_in(stacks: str) -> Place:
    """The innermost line in faulthandler's stacks that is neither Python's own nor a library's."""
    current = re.search(r"^Current thread .*?(?=^\S|\Z)", stacks, re.M | re.S)
    for text in (current[0] if current else "", stacks):
        for file, line, function in _FRAME.findall(text):
            if not _PYTHONS_OWN.search(file):
                return Place(file=file, line=int(line), function=function)
    return Place()


def place_of(busy: Busy | None) -> Place:
    """The innermost user line of a runner that said it is busy."""
    frames = [frame for frame in busy.stack if frame.kind == "user"] if busy is not None else []
    return Place(file=frames[0].file, line=frames[0].line, function=frames[0].function) if frames else Place()
