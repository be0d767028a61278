"""What private instances of servers share: free ports, logins, the server.json for load programs."""

import csv
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

from bench.report import Login

DOMAIN = "bench.example"
OUTSIDE_DOMAIN = "sink.example"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, high and outside the range that outgoing connections take."""
    found: list[int] = []
    start = 20_000 + os.getpid() % 8000
    for port in range(start, start + 3000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise SystemExit("no free ports")


def make_logins(count: int) -> list[Login]:
    return [Login(f"u{number:03}@{DOMAIN}", secrets.token_urlsafe(12)) for number in range(count)]


def write_server(
    folder: Path,
    *,
    name: str,
    ports: dict[str, int],
    logins: list[Login],
    roots: list[int],
    sink_port: int,
    about: dict[str, str],
) -> Path:
    """Write logins.csv and server.json into folder; return the path of the latter."""
    with open(
        os.open(folder / "logins.csv", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", newline=""
    ) as file:
        csv.writer(file).writerows((login.address, login.password) for login in logins)
    path = folder / "server.json"
    data = {
        "name": name,
        "host": "127.0.0.1",
        "ports": ports,
        "logins": "logins.csv",
        "roots": roots,
        "outside_domain": OUTSIDE_DOMAIN,
        "sink_port": sink_port,
        "about": about,
    }
    path.write_text(json.dumps(data, indent=1) + "\n")
    return path


def wait_for_port(port: int, seconds: float = 20) -> None:
    """Return once somebody accepts connections at port."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"nothing listens on port {port} after {seconds:g} s") from None
            time.sleep(0.05)


def wait_for_pid(path: Path, seconds: float = 20) -> int:
    """Return the process id in path once a daemon has written it."""
    deadline = time.monotonic() + seconds
    while True:
        text = path.read_text().strip() if path.exists() else ""
        if text:
            return int(text)
        if time.monotonic() > deadline:
            raise SystemExit(f"{path} does not name a process after {seconds:g} s")
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        # An ended child of ours is a zombie until somebody waits for it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stop_process(pid: int, seconds: float = 20) -> bool:
    """End the process by SIGTERM, by SIGKILL after a while; return whether SIGTERM was enough."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if not is_running(pid):
            return True
        os.kill(pid, sent)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not is_running(pid):
                return sent == signal.SIGTERM
            time.sleep(0.05)
    return False


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed ECDSA certificate and its key into folder."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    name = ("-days", "30", "-subj", "/CN=localhost")
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", "req", "-x509", *kind, *name, *files], check=True, capture_output=True)
    return certificate, key
