"""A private PostgreSQL for the service under test: its own folder, its own port, durable as by default."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from bench.instance import is_running, stop_process, wait_for_port


def _program(name: str) -> str:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).is_file():
            return str(folder / name)
    found = shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is missing: apt-get install postgresql")
    return found


def start(folder: Path, port: int) -> tuple[int, str]:
    """Make a cluster in folder and start it; return its first pid and the URL of a database."""
    folder.mkdir()
    # PostgreSQL refuses to run as root.
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    as_owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run(
            command, check=True, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, **as_owner
        )

    run(_program("initdb"), "-D", str(data), "-U", "hostmail", "--auth=trust", "-E", "UTF8", "--no-locale")
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    run(_program("pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
    wait_for_port(port)
    run(_program("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "hostmail", "hostmail")
    pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    return pid, f"postgresql://hostmail@127.0.0.1:{port}/hostmail"


def stop(folder: Path) -> None:
    """Stop the cluster of folder, if it runs."""
    path = folder / "data" / "postmaster.pid"
    if path.exists() and is_running(pid := int(path.read_text().split("\n", 1)[0])):
        # SIGTERM waits for clients to leave; ours have been stopped before.
        stop_process(pid)
