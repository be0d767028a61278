"""What only one session may hold at a time in all processes: `take("pop3", 7)` here, "in use" there.

A lease frees itself when its process is killed, and truth never hangs on it: two holders at once must
never do more harm than two clients of one mailbox do anyway.

On one machine the kernel decides: one locked octet of a file in the data folder for each lease, gone with the
process that locked it. Where several machines share a Redis, the machine also leaves its name there under
the lease, renewed while it holds it; a machine that vanished is forgotten after LEASE_SECONDS. Its own name
means nothing to it: of its own processes the kernel knows better. Without Redis the machine decides alone.
"""

import fcntl
import hashlib
import os
import threading
from pathlib import Path

from django.conf import settings
from redis import Redis

from mailcore import limits
from mailcore.outside import redis as redis_door

# Only our own name is touched: after a pause, another machine may hold what we believe to be ours.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class Lease:
    """One lease that is held, until release()."""

    __slots__ = ("_keeper", "kind", "number")

    def __init__(self, keeper: "Keeper", kind: str, number: int) -> None:
        self._keeper = keeper
        self.kind = kind
        self.number = number

    def release(self) -> None:
        """Let others have it. Calling it twice is harmless. May ask Redis, so not on an event loop."""
        self._keeper.release(self)


class Keeper:
    """The leases of this process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._files: dict[str, int] = {}
        self._held: dict[tuple[str, int], Lease] = {}
        self._lock = threading.Lock()
        self._machine = _machine(folder)

    def take(self, kind: str, number: int) -> Lease | None:
        """Hold what kind and number name; None if somebody else does. number counts from 0."""
        with self._lock:
            # The kernel knows only processes: a second session of ours would get the lock too.
            if (kind, number) in self._held or not self._lock_octet(kind, number):
                return None
            lease = self._held[kind, number] = Lease(self, kind, number)
        if not self._name_in_redis(lease):
            self._forget(lease)
            return None
        return lease

    def release(self, lease: Lease) -> None:
        if self._held.get((lease.kind, lease.number)) is not lease:
            return
        try:
            redis_door.run(lambda client: client.eval(_RELEASE, 1, _key(lease), self._machine))
        except redis_door.NoRedis:
            pass
        self._forget(lease)

    def renew(self) -> None:
        """Tell the other machines that what we hold is still held; call it every LEASE_RENEW_SECONDS."""
        with self._lock:
            held = list(self._held.values())

        def write(client: Redis) -> None:
            with client.pipeline(transaction=False) as pipe:
                for lease in held:
                    # Also after Redis lost it, but never over another machine's name.
                    pipe.set(_key(lease), self._machine, nx=True, ex=limits.LEASE_SECONDS)
                    pipe.get(_key(lease))
                answers = pipe.execute()
                for lease, name in zip(held, answers[1::2], strict=True):
                    if name == self._machine:
                        pipe.expire(_key(lease), limits.LEASE_SECONDS)
                pipe.execute()

        if held:
            try:
                redis_door.run(write)
            except redis_door.NoRedis:
                pass

    def _name_in_redis(self, lease: Lease) -> bool:
        def write(client: Redis) -> bool:
            with client.pipeline(transaction=False) as pipe:
                pipe.set(_key(lease), self._machine, nx=True, ex=limits.LEASE_SECONDS)
                pipe.get(_key(lease))
                written, name = pipe.execute()
            if not written and name == self._machine:  # left behind by a killed process of this machine
                client.expire(_key(lease), limits.LEASE_SECONDS)
            return bool(written) or name == self._machine

        try:
            return redis_door.run(write)
        except redis_door.NoRedis:
            return True

    def _lock_octet(self, kind: str, number: int) -> bool:
        if kind not in self._files:
            # Never closed: closing any descriptor of the file would give up all its locks (fcntl(2)).
            self._files[kind] = os.open(self._folder / kind, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._files[kind], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _forget(self, lease: Lease) -> None:
        with self._lock:
            if self._held.get((lease.kind, lease.number)) is lease:
                fcntl.lockf(self._files[lease.kind], fcntl.LOCK_UN, 1, lease.number)
                del self._held[lease.kind, lease.number]


def _key(lease: Lease) -> str:
    return f"lease:{lease.kind}:{lease.number}"


def _machine(folder: Path) -> bytes:
    """A name for the processes between which the kernel decides: those that lock this very folder."""
    status = folder.stat()
    boot = Path("/proc/sys/kernel/random/boot_id")
    words = (boot.read_text() if boot.exists() else os.uname().nodename, status.st_dev, status.st_ino)
    return hashlib.blake2b(repr(words).encode(), digest_size=12).hexdigest().encode()


_keepers: dict[Path, Keeper] = {}
_making = threading.Lock()


def _keeper() -> Keeper:
    folder = settings.HOSTMAIL_DATA_DIR / "leases"
    with _making:
        if folder not in _keepers:
            _keepers[folder] = Keeper(folder)
        return _keepers[folder]


def take(kind: str, number: int) -> Lease | None:
    """Hold what kind and number name; None if somebody else does. May ask Redis: not on an event loop."""
    return _keeper().take(kind, number)


def renew() -> None:
    """Keep what this process holds; call it every LEASE_RENEW_SECONDS while it holds anything."""
    _keeper().renew()


def _after_fork() -> None:
    # The child has none of our locks.
    _keepers.clear()


os.register_at_fork(after_in_child=_after_fork)
