"""Runner part: what the kernel denies this process, before it has a second thread: network, writing, other programs.

Linux: a network namespace with nothing in it (unshare(2)), Landlock (landlock(7)), a filter of system calls
(seccomp(2)). Numbers are those of the kernel's interface. Each function answers "" when it is done, else why not.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import Any

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_WRITE_FILE = 1 << 1
_WRITES_V1 = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # remove_*, make_*
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_TCP = 3  # bind and connect
_SCOPES = 3  # abstract Unix sockets and signals stay among ourselves
_CAPABILITY_VERSION = 0x20080522
_FILE_RIGHTS = 1 << 1 | 1 << 2 | 1 << 3  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
# Memory that libraries share between threads as files (semaphores), and nowhere.
_WRITABLE = ("/dev/null", "/dev/shm")
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {
    "x86_64": {
        "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "ptrace": 101, "connect": 42, "clone": 56,
        "clone3": 435, "kill": 62, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
        "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_getfd": 438, "process_vm_readv": 310,
        "process_vm_writev": 311, "sendto": 44, "socket": 41,
    },
    "aarch64": {
        "execve": 221, "execveat": 281, "ptrace": 117, "connect": 203, "clone": 220, "clone3": 435, "kill": 129,
        "tgkill": 131, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "pidfd_send_signal": 424,
        "io_uring_setup": 425, "pidfd_getfd": 438, "process_vm_readv": 270, "process_vm_writev": 271, "sendto": 206,
        "socket": 198,
    },
}  # fmt: skip
_NEVER = (
    "fork", "vfork", "execve", "execveat", "ptrace", "connect", "pidfd_send_signal", "pidfd_getfd",
    "process_vm_readv", "process_vm_writev",
)  # fmt: skip
_OF_OTHERS = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x10000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ARGUMENTS = 16  # offset in struct seccomp_data; eight bytes each, the low half first


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _why() -> str:
    return os.strerror(ctypes.get_errno())


def deny_all(scratch: str) -> tuple[list[str], list[str]]:
    """Denies what can be denied: the words of what is, and in words what is not. Only ``scratch`` stays writable."""
    if sys.platform != "linux":
        lacks = "only Linux can deny a process the network, files and other programs; here Python's own hooks try to"
        return [], [lacks]
    try:
        network = deny_network()
        writes = deny_writes((scratch,))
        processes = deny_processes(network != "")
        _drop_rights()
    except (OSError, AttributeError, ValueError) as error:
        return [], [f"the kernel could not be asked ({error})"]
    if not processes:
        network = ""
    found = {"network": network, "writes": writes, "processes": processes}
    return [name for name, why in found.items() if not why], [why for why in found.values() if why]


def deny_network() -> str:
    """Puts this process into a network namespace with nothing in it."""
    user, group = os.getuid(), os.getgid()
    if user == 0 and _libc().unshare(_NEW_NET) == 0:
        return ""  # without a new user: else root could not read other users' files any more
    if _libc().unshare(_NEW_USER | _NEW_NET) != 0:
        return f"the network cannot be denied: no namespace ({_why()})"
    maps = (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1"))
    for name, text in maps:
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        except OSError:
            continue
    return ""


def _drop_rights() -> None:
    """Of root's rights, only those to read and write its files stay: it could look into others' memory otherwise."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    _libc().capset(header, struct.pack("=6I", _FILE_RIGHTS, _FILE_RIGHTS, 0, 0, 0, 0))


def deny_writes(allowed: tuple[str, ...]) -> str:
    """Lets this process write below ``allowed`` only."""
    libc = _libc()
    abi = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if abi < 1:
        return f"writing cannot be denied: no Landlock in this kernel ({_why()})"
    handled = _WRITES_V1 | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    rights = struct.pack("=QQQ", handled, _TCP, _SCOPES)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    rules = libc.syscall(_LANDLOCK_CREATE, rights, len(rights), 0)
    if rules < 0:
        return f"writing cannot be denied: no Landlock rules ({_why()})"
    try:
        for path in (*allowed, *_WRITABLE):
            _allow(libc, rules, path, handled)
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        failed = libc.syscall(_LANDLOCK_RESTRICT, rules, 0) != 0
        return f"writing cannot be denied: Landlock was refused ({_why()})" if failed else ""
    finally:
        os.close(rules)


def _allow(libc: Any, rules: int, path: str, handled: int) -> None:
    try:
        parent = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except OSError:
        return
    try:
        access = handled if os.path.isdir(path) else handled & (_WRITE_FILE | _TRUNCATE)
        libc.syscall(_LANDLOCK_ADD, rules, 1, struct.pack("=Qi", access, parent), 0)
    finally:
        os.close(parent)


def deny_processes(sockets: bool) -> str:
    """Refuses forks, programs, connections and signals to others; with ``sockets``, all but local sockets as well."""
    machine = os.uname().machine
    if machine not in _CALLS or sys.maxsize < 1 << 32:
        return f"other programs cannot be denied on {machine}"
    program = b"".join(_program(machine, sockets))
    buffer = ctypes.create_string_buffer(program)
    pointer = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    libc = _libc()
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(_SET_SECCOMP, _FILTER, pointer, 0, 0) != 0:
        return f"other programs cannot be denied: no filter of system calls ({_why()})"
    return ""


def _program(machine: str, sockets: bool) -> list[bytes]:
    """A classic BPF program, which looks at the number of a system call and at some arguments."""
    calls = _CALLS[machine]
    program = [
        _op(_LOAD, 4), _op(_EQUAL, _AUDIT_ARCH[machine], 1, 0), _op(_RETURN, _REFUSE | _EPERM),
        # Numbers from 2**30 on are another interface to the same calls (x32).
        _op(_LOAD, 0), _op(_AT_LEAST, 1 << 30, 0, 1), _op(_RETURN, _REFUSE | _EPERM),
    ]  # fmt: skip
    for name in _NEVER:
        if name in calls:
            program += [_op(_EQUAL, calls[name], 0, 1), _op(_RETURN, _REFUSE | _EPERM)]
    for name in ("clone3", "io_uring_setup"):
        # As if the kernel were older: the C library then starts threads by clone.
        program += [_op(_EQUAL, calls[name], 0, 1), _op(_RETURN, _REFUSE | _ENOSYS)]
    program += _unless(calls["clone"], 0, _ANY_BIT, _CLONE_THREAD)
    for name in _OF_OTHERS:
        program += _unless(calls[name], 0, _EQUAL, os.getpid())
    program += _unless(calls["sendto"], 4, _EQUAL, 0)  # without an address: to whom it is connected
    if sockets:
        program += _unless(calls["socket"], 0, _EQUAL, 1)  # AF_UNIX
    return [*program, _op(_RETURN, _ALLOW)]


def _unless(call: int, argument: int, test: int, value: int) -> list[bytes]:
    """Refuses a call unless the low half of one argument passes a test; the number stays loaded for the next."""
    return [
        _op(_EQUAL, call, 0, 4),
        _op(_LOAD, _ARGUMENTS + 8 * argument),
        _op(test, value, 1, 0),
        _op(_RETURN, _REFUSE | _EPERM),
        _op(_RETURN, _ALLOW),
    ]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
