"""What processes cost, read from /proc: CPU and memory of a whole process tree, and who else was busy."""

import contextlib
import os
import platform
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on, or None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def tree(roots: Iterable[int]) -> set[int]:
    """Return the process ids of roots and all their descendants that are alive."""
    children: dict[int, list[int]] = {}
    alive = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and (stat := _stat(int(name))) is not None:
            alive.add(int(name))
            children.setdefault(int(stat[1]), []).append(int(name))
    found: set[int] = set()
    pending = [root for root in roots if root in alive]
    while pending:
        pid = pending.pop()
        if pid not in found:
            found.add(pid)
            pending += children.get(pid, ())
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """Return user and system CPU of the trees, with that of descendants that ended and were waited for."""
    ticks = 0
    for pid in tree(roots):
        if (stat := _stat(pid)) is not None:
            ticks += sum(int(value) for value in stat[11:15])  # utime stime cutime cstime
    return ticks / TICK


def pss_kib(roots: Iterable[int]) -> int:
    """Return the proportional set size of the trees: shared pages are divided among those who share them."""
    total = 0
    for pid in tree(roots):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


def _machine_busy() -> float:
    """Return CPU seconds that all cores have been busy since boot."""
    values = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = values
    return (user + nice + system + irq + softirq + steal) / TICK


def own_cpu_seconds() -> float:
    """Return CPU of this process and its ended children."""
    mine, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + ended.ru_utime + ended.ru_stime


@dataclass(slots=True)
class Meter:
    """CPU between start and stop: of the server, of this program, and of everybody else on the machine.

    foreign is in cores: 0.5 means that half a core was taken by others, and that the figures are worth
    little. A server whose roots are not given counts as foreign, and server is None.
    """

    roots: tuple[int, ...]
    seconds: float = 0.0
    server: float | None = None
    own: float = 0.0
    foreign: float | None = 0.0
    _before: tuple[float, float, float, float] = field(default=(0.0, 0.0, 0.0, 0.0))

    def _read(self) -> tuple[float, float, float, float]:
        return (time.perf_counter(), cpu_seconds(self.roots), own_cpu_seconds(), _machine_busy())

    def start(self) -> None:
        self._before = self._read()

    def stop(self) -> None:
        self.seconds, server, self.own, busy = (
            after - before for after, before in zip(self._read(), self._before, strict=True)
        )
        if self.roots:
            self.server = server
            self.foreign = max(0.0, busy - server - self.own) / self.seconds
        else:
            self.foreign = None


def raise_file_limit() -> None:
    """Allow this process as many open files as the system lets it."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def machine(folder: Path | None = None) -> dict[str, object]:
    """Describe the machine, and the file system of folder."""
    info: dict[str, object] = {
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": [round(value, 2) for value in os.getloadavg()],
    }
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            info["cpu"] = line.partition(":")[2].strip()
            break
    info["memory_mib"] = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            info["system"] = line.partition("=")[2].strip('"')
    if folder is not None:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        where = str(folder.resolve())
        inside = [m for m in mounts if where == m[1] or where.startswith(m[1].rstrip("/") + "/")]
        if inside:
            best = max(inside, key=lambda m: len(m[1]))
            info["filesystem"] = f"{best[2]} on {best[0]}"
    return info
