"""Become another program as its supervisor wants it: `python -I launch.py [options] -- command`.

A process of its own (it execs, so the pid stays) rather than a preexec_fn, which may deadlock
when the parent has threads. It may import nothing but the standard library.

--parent PID --signal N   on Linux, the kernel sends N to the command when the parent dies
--user NAME               when started as root: continue as this user
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def main(argv: list[str]) -> None:
    split = argv.index("--")
    options = dict(zip(argv[:split:2], argv[1:split:2], strict=True))
    command = argv[split + 1 :]
    if "--user" in options:
        become(options["--user"])
    if "--parent" in options and sys.platform == "linux":
        # after become(): changing the user clears the setting
        prctl(PR_SET_PDEATHSIG, int(options["--signal"]))
        if os.getppid() != int(options["--parent"]):
            sys.exit("the supervisor ended before this process started")
    os.execv(command[0], command)


def become(user: str) -> None:
    """Give up root for good; on Linux keep one thing: passing through directories closed to others.

    PostgreSQL refuses to run as root, yet in a container both the checkout and the data directory
    often lie below a home that only root may enter. Opening those directories to everybody would
    be worse than this capability.
    """
    account = pwd.getpwnam(user)
    linux = sys.platform == "linux"
    if linux:
        prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if linux and not keep_only(CAP_DAC_OVERRIDE):
        sys.stderr.write("launch: without the capability to pass directories closed to others\n")


def keep_only(capability: int) -> bool:
    """Reduce this process to one capability that survives exec; False where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable
    if libc.capset(header, sets) != 0:
        return False
    return bool(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0)


def prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")


if __name__ == "__main__":
    main(sys.argv[1:])
