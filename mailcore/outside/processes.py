"""What a child process owes its parent: never to outlive it.

A child that stays behind after its parent was killed would keep the ports, and the next start would
fail. Called in the child between fork and exec by the supervisor, and by maild for its own children.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)
# Loaded now: between fork and exec nothing should have to be looked up.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent (by pid) ends; Linux only, elsewhere nothing."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before we asked
        os._exit(1)
