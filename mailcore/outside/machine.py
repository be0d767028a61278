"""How busy the machine is, for work that can wait until it is not."""

from __future__ import annotations

from pathlib import Path

_STAT = Path("/proc/stat")


class Load:
    """Tells what share of all cores was in use since it was last asked."""

    def __init__(self) -> None:
        self._before = _ticks()

    def busy(self) -> float:
        """Between 0 and 1; 0 where the system does not tell (only Linux does)."""
        (busy, idle), (busy_before, idle_before) = now, before = _ticks(), self._before
        self._before = now
        if now == before:
            return 0.0
        return (busy - busy_before) / max(busy - busy_before + idle - idle_before, 1)


def _ticks() -> tuple[int, int]:
    """Busy and idle hundredths of seconds of all cores since the machine started (proc(5))."""
    try:
        line = _STAT.read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return 0, 0
    user, nice, system, idle, waiting, *rest = (int(value) for value in line.split()[1:])
    return user + nice + system + sum(rest[:3]), idle + waiting
