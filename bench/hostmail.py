"""Start and stop our own service in a folder of its own, as an operator would, to measure it.

    python -m bench.hostmail up DIR [--database sqlite|postgresql] [--routing mx|smart] [--mailboxes 100]
    python -m bench.hostmail down DIR

It uses nothing but the contract: environment variables and `manage.py`. `up` creates a tenant, a verified
domain and its mailboxes, starts `manage.py up`, waits for its line `ready`, delivers one mail and reads it
back, and writes DIR/server.json for the load programs. `down` sends SIGTERM and says so if that did not
suffice.
"""

import argparse
import json
import os
import shutil
import smtplib
import subprocess
import sys
import time
from pathlib import Path

from bench import mix, postgresql
from bench.imap_client import Imap, fetches
from bench.instance import (
    DOMAIN,
    OUTSIDE_DOMAIN,
    free_ports,
    is_running,
    make_logins,
    stop_process,
    write_server,
)
from bench.report import Login

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120
STOP_SECONDS = 60
LISTENERS = ("http", "smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "sieve")


def _manage(environment: dict[str, str], *arguments: str, text: str = "") -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment, input=text, text=True, capture_output=True, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def up(
    folder: Path, *, database: str = "sqlite", routing: str = "mx", mailboxes: int = 100, processes: int = 0
) -> Path:
    """Start the service in folder, which must be new or empty; return the path of server.json."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty")
    folder.chmod(0o755)
    logins = make_logins(mailboxes)
    names = (*LISTENERS, "sink", "dns", "postgresql")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HOSTMAIL_", "DATABASE_", "REDIS_"))
    }
    environment |= {f"HOSTMAIL_{name.upper()}_PORT": str(ports[name]) for name in LISTENERS}
    environment |= {
        "HOSTMAIL_DATA_DIR": str(folder / "data"),
        "HOSTMAIL_HOSTNAME": f"mx.{DOMAIN}",
        "HOSTMAIL_DNS_SERVERS": f"127.0.0.1:{ports['dns']}",
        "HOSTMAIL_OUTBOUND_PORT": str(ports["sink"]),
        "HOSTMAIL_PUBLIC_URL": f"http://localhost:{ports['http']}",
        # Twenty senders write in a minute what people write in a week. It is counted all the same.
        "HOSTMAIL_MAILBOX_RECIPIENTS": "0",
        "HOSTMAIL_MAILBOX_FIRST_RECIPIENTS": "0",
        "HOSTMAIL_TENANT_RECIPIENTS": "0",
        "HOSTMAIL_TENANT_FIRST_RECIPIENTS": "0",
    }
    if routing == "smart":
        environment["HOSTMAIL_SMART_HOST"] = f"smtp://127.0.0.1:{ports['sink']}"
    if processes:
        environment["HOSTMAIL_PROCESSES"] = str(processes)
    pids: dict[str, int] = {}
    try:
        pids["dns"] = _start_dns(folder, ports["dns"])
        if database == "postgresql":
            pids["postgresql"], environment["DATABASE_URL"] = postgresql.start(
                folder / "pg", ports["postgresql"]
            )
        _manage(environment, "migrate", "--noinput")
        _manage(environment, "tenant", "add", "Bench", "--slug", "bench")
        _manage(environment, "domain", "add", DOMAIN, "--tenant", "bench", "--verified")
        lines = "".join(f"{login.address},{login.password},20G\n" for login in logins)
        _manage(environment, "mailbox", "add", "--csv", "-", text=lines)
        pids["hostmail"] = _start_service(folder, environment)
        (folder / "pids.json").write_text(json.dumps(pids))
        _verify(ports, logins[-1])
    except BaseException:
        (folder / "pids.json").write_text(json.dumps(pids))
        down(folder, keep=True)
        raise
    roots = [pids[name] for name in ("hostmail", "postgresql") if name in pids]
    shown = {name: ports[name] for name in LISTENERS}
    return write_server(
        folder, name=f"Hostmail {database}", ports=shown, logins=logins, roots=roots, sink_port=ports["sink"],
        about={"database": database, "routing": routing, "commit": _commit()},
    )  # fmt: skip


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def _start_dns(folder: Path, port: int) -> int:
    with (folder / "dns.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.dns", "--port", str(port), "--mx", OUTSIDE_DOMAIN],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    _wait_for_ready(process, folder / "dns.log", 20)
    return process.pid


def _start_service(folder: Path, environment: dict[str, str]) -> int:
    with (folder / "hostmail.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _wait_for_ready(process, folder / "hostmail.log", START_SECONDS)
    return process.pid


def _wait_for_ready(process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while b"ready" not in log.read_bytes().split(b"\n"):
        if process.poll() is not None or time.monotonic() > deadline:
            if process.poll() is None:
                stop_process(process.pid)
            tail = log.read_text(errors="replace")[-3000:]
            raise SystemExit(f"{log.name}: no line `ready`; it says:\n{tail}")
        time.sleep(0.05)


def _verify(ports: dict[str, int], login: Login) -> None:
    """Deliver one mail by SMTP and read it by IMAP at once: 250 means that it is there."""
    mail = mix.make(0, 0, to=login.address)
    with smtplib.SMTP("127.0.0.1", ports["smtp"]) as client:
        client.sendmail(mail.author, [login.address], mail.raw)
    reader = Imap("127.0.0.1", ports["imap"])
    reader.login(login.address, login.password)
    if reader.select("INBOX") != 1:
        raise SystemExit("the service runs but a mail accepted by SMTP does not show in IMAP")
    octets = next(iter(fetches(reader.command("FETCH", "1", "BODY[]"))))[1][0]
    if not octets.endswith(mail.raw):
        raise SystemExit("the mail came back changed")
    reader.command("STORE", "1", "+FLAGS", r"(\Deleted)")
    reader.command("EXPUNGE")
    reader.logout()


def down(folder: Path, *, keep: bool = False) -> None:
    """Stop everything, and remove the folder unless it is to be kept."""
    folder = folder.resolve()
    path = folder / "pids.json"
    pids = json.loads(path.read_text()) if path.exists() else {}
    if (pid := pids.get("hostmail")) and is_running(pid) and not stop_process(pid, STOP_SECONDS):
        print(f"hostmail did not end within {STOP_SECONDS} s of SIGTERM", file=sys.stderr)
    if "postgresql" in pids:
        postgresql.stop(folder / "pg")
    if pid := pids.get("dns"):
        stop_process(pid)
    if not keep and (folder / "server.json").exists():
        shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    starts = commands.add_parser("up")
    starts.add_argument("folder", type=Path)
    starts.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    starts.add_argument(
        "--routing",
        choices=("mx", "smart"),
        default="mx",
        help="mail for the sink by MX records or by a smart host",
    )
    starts.add_argument("--mailboxes", type=int, default=100)
    starts.add_argument(
        "--processes", type=int, default=0, help="HOSTMAIL_PROCESSES; 0 (default) leaves it unset"
    )
    stops = commands.add_parser("down")
    stops.add_argument("folder", type=Path)
    stops.add_argument("--keep", action="store_true", help="leave the folder")
    options = parser.parse_args()
    if options.command == "up":
        names = ("database", "routing", "mailboxes", "processes")
        print(up(options.folder, **{name: getattr(options, name) for name in names}))
    else:
        down(options.folder, keep=options.keep)
    return 0


if __name__ == "__main__":
    sys.exit(main())
