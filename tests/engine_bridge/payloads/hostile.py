"""Pickles made to harm whoever loads or renders them. ``CANARY`` is a file that loading one would create."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterator
from pathlib import Path


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def call(name: str, *args: bytes) -> bytes:
    module, _, attribute = name.rpartition(".")
    return b"\x80\x04" + text(module) + text(attribute) + b"\x93(" + b"".join(args) + b"tR."


def executing(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Pickles that run something, by every opcode that can."""
    command = f"touch {canary}"
    for name in ("os.system", "posix.system", "os.popen", "subprocess.getoutput", "commands.getoutput"):
        yield f"reduce {name}", call(name, text(command))
    for name in ("builtins.eval", "builtins.exec", "__builtin__.eval", "timeit.timeit", "code.interact"):
        yield f"reduce {name}", call(name, text(f"open({str(canary)!r}, 'w')"))
    yield (
        "reduce Popen",
        call("subprocess.Popen", text(command), b"K\x00", b"N", b"N", b"N", b"N", b"N", b"\x88", b"\x88"),
    )
    yield "reduce import", call("builtins.__import__", text("antigravity"))
    yield "reduce importlib", call("importlib.import_module", text("this"))
    yield "reduce write_text", call("pathlib.Path.touch", call("pathlib.PosixPath", text(str(canary)))[2:-1])
    yield "reduce open", call("builtins.open", text(str(canary)), text("w"))
    yield "reduce getattr", b"cbuiltins\ngetattr\n(cos\nsystem\nX\x08\x00\x00\x00__call__tR."
    yield "reduce loads", call("pickle.loads", b"C" + bytes([len(command)]) + command.encode())
    yield "reduce compile", call("builtins.compile", text("1"), text("x"), text("exec"))
    yield "reduce mkfifo", call("os.mkfifo", text(str(canary)))
    yield "reduce shutil", call("shutil.copy", text("/etc/hostname"), text(str(canary)))
    yield "reduce webbrowser", call("webbrowser.open", text("http://127.0.0.1:9/"))
    yield "reduce socket", call("socket.create_connection", b"(" + text("127.0.0.1") + b"K\x09t")
    yield "protocol 0 global", f"cos\nsystem\n(S'{command}'\ntR.".encode()
    yield "inst", f"(S'{command}'\nios\nsystem\n.".encode()
    yield "obj", f"(cos\nsystem\nS'{command}'\no.".encode()
    yield "newobj", b"\x80\x02cos\nsystem\n" + text(command) + b"\x85\x81."
    yield "newobj_ex", b"\x80\x04cos\nsystem\n" + text(command) + b"\x85}\x92."
    yield "build", b"\x80\x02cos\nsystem\n)\x81" + b"}" + text("x") + text(command) + b"sb."
    yield "build on a global", b"\x80\x02cos\nenviron\n}" + text("A") + text("B") + b"sb."
    yield "nested calls", b"cos\nsystem\n(cbuiltins\nstr\n(" + text(command) + b"tRtR."
    yield "extension registry", b"\x80\x02\x82\x01)R."
    yield "persistent id", b"\x80\x02" + text(command) + b"Q."
    yield "persistent id, protocol 0", f"P{command}\n.".encode()
    yield "names with newlines", b"\x80\x04" + text("os\nx") + text("system\n") + b"\x93)R."
    yield "globals of numbers", b"\x80\x04K\x01K\x02\x93)R."


def bombs() -> Iterator[tuple[str, bytes]]:
    """Pickles that cost more to render than to store."""
    lists = b"]q\x00" + b"".join(
        b"](" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(30)
    )
    yield "30 levels of shared lists", b"\x80\x02" + lists + b"."
    tuples = b")q\x00" + b"".join(b"h" + bytes([i]) + b"2\x86q" + bytes([i + 1]) for i in range(60))
    yield "60 levels of shared tuples", b"\x80\x02" + tuples + b"."
    dicts = b"}q\x00" + b"".join(
        b"}(K\x01h" + bytes([i]) + b"K\x02h" + bytes([i]) + b"uq" + bytes([i + 1]) for i in range(40)
    )
    yield "40 levels of shared dicts", b"\x80\x02" + dicts + b"."
    yield "100,000 nested lists", b"]" * 100_000 + b"a" * 99_999 + b"."
    yield "100,000 nested tuples", b")" + b"\x85" * 100_000 + b"."
    yield "100,000 nested calls", b"cos\nsystem\n" + b")R" * 50_000 + b"."
    yield "50,000 nested builds", b"cos\nsystem\n)R" + b"2b" * 50_000 + b"."
    yield "a list that holds itself", b"]q\x00h\x00a."
    yield "a dict that holds itself", b"}q\x00K\x01h\x00s."
    yield "an object that holds itself", b"cx\ny\n)\x81q\x00}" + text("me") + b"h\x00sb."
    yield "a million nops", b"\x80\x02" + b"N0" * 1_000_000 + b"N."
    yield "a million items", b"(" + b"K\x01" * 1_000_000 + b"l."
    yield "memo of a million", b"N" + b"\x94" * 1_000_000 + b"."
    yield "dups", b"N" + b"2" * 1_000_000 + b"."
    yield "marks", b"(" * 1_000_000 + b"."
    yield "marks within marks", b"(" * 50_000 + b"t" * 50_000 + b"."
    yield (
        "colliding keys",
        b"\x80\x02}(" + b"".join(_long(i * (2**61 - 1)) + b"N" for i in range(30_000)) + b"u.",
    )
    yield "colliding memo", b"N" + b"".join(b"p%d\n" % (i * (2**61 - 1)) for i in range(20_000)) + b"."
    yield "a number of 4 MB", b"\x80\x02\x8b" + struct.pack("<i", 4_000_000) + b"\x7f" * 4_000_000 + b"."
    yield "a number of a million digits", b"I" + b"9" * 1_000_000 + b"\n."
    yield "a float of a million digits", b"F" + b"9" * 1_000_000 + b"\n."
    yield "a text of 50 MB", b"X" + struct.pack("<I", 50 << 20) + b"x" * (50 << 20) + b"."
    yield "a list of 50 MB", b"(" + b"K\x01" * (25 << 20) + b"l."
    yield "wide text of 4 MB", b"X" + struct.pack("<I", 4_000_000) + "🎉".encode() * 1_000_000 + b"."


def _long(value: int) -> bytes:
    raw = value.to_bytes(20, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def malformed() -> Iterator[tuple[str, bytes]]:
    """Broken pickles: what was understood before the break is shown."""
    yield "empty", b""
    yield "only the protocol", b"\x80\x05"
    yield "no stop", b"\x80\x02]"
    yield "stop on nothing", b"."
    yield "unknown opcode", b"\x80\x02]\xff."
    yield "length beyond the end", b"X\xff\xff\xff\xffabc"
    yield "length of 8 bytes beyond the end", b"\x8d" + b"\xff" * 8 + b"abc"
    yield "negative length", b"T\xff\xff\xff\xffabc."
    yield "negative number length", b"\x8b\xff\xff\xff\xff."
    yield "reference to nothing", b"h\x05."
    yield "pop of nothing", b"0."
    yield "append to a number", b"K\x01K\x02a."
    yield "items of a number", b"K\x01(K\x02K\x03u."
    yield "odd dict", b"(K\x01K\x02K\x03d."
    yield "build of nothing", b"Nb."
    yield "global without a newline", b"cos"
    yield "text that is no UTF-8", b"X\x02\x00\x00\x00\xff\xfe."
    yield "number that is none", b"Ixyz\n."
    yield "string without quotes", b"Sxyz\n."
    yield "frame too long", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN."
    yield "negative memo", b"Np-1\n."
    yield "tuple across a mark", b"K\x01(K\x02\x87."
    yield "stop on a mark", b"(."


def samples(canary: Path) -> list[tuple[str, bytes]]:
    return [*executing(canary), *bombs(), *malformed()]


def executable(canary: Path) -> list[Callable[[], object]]:
    """A few that really run when loaded: proof that the canary would sing."""
    chosen = dict(executing(canary))
    return [lambda raw=chosen[name]: pickle.loads(raw) for name in ("reduce os.system", "inst", "obj")]
