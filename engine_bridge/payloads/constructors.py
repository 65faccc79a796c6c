"""Well-known constructors of pure data, decoded by own code from their pickled arguments.

Formats: CPython's ``Lib/_pydatetime.py`` (``__reduce__`` of the datetime types), ``copyreg``, ``uuid``, ``pathlib``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from engine_bridge.payloads.tree import UNSET, Opaque


@dataclass(frozen=True, slots=True)
class Plain:
    """A result that is plain data and needs no mark (bytes of old protocols)."""

    value: Any


def _marked(made: Opaque, value: Any) -> Opaque:
    return Opaque(made.type, value=value, items=made.items)


def _raw(value: Any) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _zone(args: tuple[Any, ...]) -> str:
    if not args or args[0] is None:
        return ""
    zone = args[0]
    if isinstance(zone, Opaque) and zone.value is not UNSET:
        text = str(zone.value)
        return "+00:00" if text == "UTC" else text if text[0] in "+-" else f"[{text}]"
    return f"[{zone.type}]" if isinstance(zone, Opaque) else ""


def _datetime(made: Opaque) -> Opaque:
    raw = _raw(made.args[0])
    year, month, day, hour, minute, second = struct.unpack(">H5B", raw[:7])
    micro = int.from_bytes(raw[7:10], "big")
    if len(raw) != 10 or not 1 <= month & 0x7F <= 12:
        raise ValueError("no datetime state")
    text = f"{year:04}-{month & 0x7F:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    return _marked(made, text + (f".{micro:06}" if micro else "") + _zone(made.args[1:]))


def _date(made: Opaque) -> Opaque:
    year, month, day = struct.unpack(">H2B", _raw(made.args[0]))
    return _marked(made, f"{year:04}-{month:02}-{day:02}")


def _time(made: Opaque) -> Opaque:
    raw = _raw(made.args[0])
    hour, minute, second = raw[0] & 0x7F, raw[1], raw[2]
    micro = int.from_bytes(raw[3:6], "big")
    text = f"{hour:02}:{minute:02}:{second:02}" + (f".{micro:06}" if micro else "")
    return _marked(made, text + _zone(made.args[1:]))


def _timedelta(made: Opaque) -> Opaque:
    return _marked(made, str(timedelta(*made.args)))


def _timezone(made: Opaque) -> Opaque:
    gap = made.args[0]
    if len(made.args) > 1:
        return _marked(made, str(made.args[1]))
    return _marked(made, _offset(str(gap.value)))


def _offset(text: str) -> str:
    days, _, clock = text.rpartition(", ")
    hours, minutes, _ = clock.split(":")
    total = int(days.split(" ")[0] or 0 if days else 0) * 1440 + int(hours) * 60 + int(minutes)
    if not total:
        return "UTC"
    return f"{'-' if total < 0 else '+'}{abs(total) // 60:02}:{abs(total) % 60:02}"


def _decimal(made: Opaque) -> Opaque:
    return _marked(made, str(Decimal(made.args[0])))


def _text_argument(made: Opaque) -> Opaque:
    if not isinstance(made.args[0], str | int):
        raise TypeError("not a plain argument")
    return _marked(made, str(made.args[0]))


def _uuid(made: Opaque) -> Opaque:
    return _marked(made, str(UUID(int=made.state["int"])))


def _path(made: Opaque) -> Opaque:
    separator = "\\" if "Windows" in made.type else "/"
    parts = [str(part) for part in made.args]
    root = parts and parts[0].endswith(separator)
    return _marked(made, parts[0] + separator.join(parts[1:]) if root else separator.join(parts))


def _collection(made: Opaque) -> Opaque:
    given = list(made.args[0]) if made.args else []
    return Opaque(made.type, items=given + made.items)


def _counter(made: Opaque) -> Opaque:
    given = made.args[0] if made.args else {}
    return Opaque(made.type, items=list(given.items()) + made.items)


def _complex(made: Opaque) -> Opaque:
    return _marked(made, f"{made.args[0]:g}{made.args[1]:+g}j")


def _bytes(made: Opaque) -> Plain | Opaque:
    # Protocol 2 and older write bytes as latin-1 text to be encoded.
    if made.args[1:] not in (("latin1",), ("latin-1",)):
        return made
    return Plain(made.args[0].encode("latin-1"))


def _empty_bytes(made: Opaque) -> Plain | Opaque:
    return made if made.args else Plain(b"")


def _bytearray(made: Opaque) -> Opaque:
    return Opaque(made.type, value=_raw(made.args[0]) if made.args else b"")


def _reconstructed(made: Opaque) -> Opaque:
    # copyreg._reconstructor(cls, base, state), the way of protocols 0 and 1.
    cls = made.args[0]
    if not (isinstance(cls, Opaque) and cls.type == "type"):
        return made
    given = made.args[2:3] if len(made.args) > 2 and made.args[2] is not None else ()
    return Opaque(str(cls.value), given, {}, made.state, made.items)


def _new_object(made: Opaque) -> Opaque:
    cls = made.args[0]
    return Opaque(str(cls.value), made.args[1:], {}, made.state, made.items)


def _member(made: Opaque) -> Opaque:
    # Members of an Enum in Python 3.11.0 to 3.11.3, and what else is found in a class by its name.
    match made.args:
        case (Opaque(type="type", value=cls), str(name)):
            return Opaque(f"{cls}.{name}")
    return made


CONSTRUCTORS: Final[dict[str, Callable[[Opaque], Opaque | Plain]]] = {
    "datetime.datetime": _datetime,
    "datetime.date": _date,
    "datetime.time": _time,
    "datetime.timedelta": _timedelta,
    "datetime.timezone": _timezone,
    "decimal.Decimal": _decimal,
    "fractions.Fraction": _text_argument,
    "zoneinfo.ZoneInfo._unpickle": _text_argument,
    "ipaddress.IPv4Address": _text_argument,
    "ipaddress.IPv6Address": _text_argument,
    "uuid.UUID": _uuid,
    **dict.fromkeys(
        [
            f"pathlib.{name}"
            for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")
        ]
        + [
            f"pathlib._local.{name}"
            for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
        ],
        _path,
    ),
    **dict.fromkeys(("set", "frozenset", "collections.deque", "collections.OrderedDict"), _collection),
    "collections.Counter": _counter,
    "complex": _complex,
    "bytes": _empty_bytes,
    "bytearray": _bytearray,
    "_codecs.encode": _bytes,
    "copyreg._reconstructor": _reconstructed,
    "copy_reg._reconstructor": _reconstructed,
    "copyreg.__newobj__": _new_object,
    "getattr": _member,
}
