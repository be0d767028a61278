"""Start and stop private instances of Postfix and Dovecot in a folder of their own.

    python -m bench.peers up DIR [--store maildir|mdbox] [--hibernate] [--login performance|secure]
    python -m bench.peers down DIR

`up` installs the Debian packages if they are missing (root), configures, starts, delivers one mail, reads
it back, and writes DIR/server.json for the load programs. All files lie in DIR; all listeners are on
127.0.0.1 at free high ports; no system service is started or enabled. The kernel's inotify limit is raised
until `down`, because Dovecot needs one instance for each idle client and would fall back to looking every
30 seconds.
"""

import argparse
import shutil
import smtplib
import sys
import time
from pathlib import Path

from bench import mix
from bench.imap_client import Imap, fetches
from bench.instance import free_ports, make_certificate, make_logins, write_server
from bench.peers import dovecot, packages, postfix
from bench.report import Login

INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
IDLE_CLIENTS = 12_000


def up(
    folder: Path,
    *,
    store: str = "maildir",
    hibernate: bool = False,
    login: str = "performance",
    mailboxes: int = 100,
) -> Path:
    """Start both in folder, which must be new or empty; return the path of server.json."""
    folder = folder.resolve()
    if len(str(folder)) > 60:
        raise SystemExit(f"{folder} is too long a path: sockets in it could not be named")
    packages.ensure()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty")
    folder.chmod(0o755)
    logins = make_logins(mailboxes)
    names = ("smtp", "submission", "submissions", "imap", "imaps", "lmtp", "sink")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    sink_port = ports.pop("sink")
    certificate, key = make_certificate(folder)
    _raise_inotify(folder)
    try:
        home = folder / "dovecot"
        roots = [
            dovecot.start(
                home, logins, ports, certificate, key, store=store, hibernate=hibernate, login=login
            )
        ]
        roots += [
            postfix.start(
                folder / "postfix",
                logins,
                ports,
                certificate,
                key,
                lmtp=home / "run" / "lmtp-postfix",
                auth=home / "run" / "auth-postfix",
                sink_port=sink_port,
            )
        ]
        _verify(ports, logins[-1])
    except BaseException:
        down(folder, keep=True)
        raise
    name = f"Postfix + Dovecot {store}" + (" hibernating" if hibernate else "")
    about = packages.versions()
    return write_server(
        folder, name=name, ports=ports, logins=logins, roots=roots, sink_port=sink_port, about=about
    )


def _raise_inotify(folder: Path) -> None:
    before = INOTIFY.read_text().strip()
    if int(before) < IDLE_CLIENTS:
        (folder / "inotify-before").write_text(before)
        INOTIFY.write_text(str(IDLE_CLIENTS))


def _restore_inotify(folder: Path) -> None:
    saved = folder / "inotify-before"
    if saved.exists():
        INOTIFY.write_text(saved.read_text())
        saved.unlink()


def _verify(ports: dict[str, int], login: Login) -> None:
    """Deliver one mail by SMTP and read it by IMAP."""
    mail = mix.make(0, 0, to=login.address)
    with smtplib.SMTP("127.0.0.1", ports["smtp"]) as client:
        client.sendmail(mail.author, [login.address], mail.raw)
    reader = Imap("127.0.0.1", ports["imap"])
    reader.login(login.address, login.password)
    deadline = time.monotonic() + 20
    while not reader.messages("INBOX"):
        if time.monotonic() > deadline:
            raise SystemExit("the peers run but a mail delivered by SMTP does not show in IMAP")
        time.sleep(0.05)
    reader.select("INBOX")
    octets = next(iter(fetches(reader.command("FETCH", "1", "BODY[]"))))[1][0]
    if not octets.endswith(mail.raw):
        raise SystemExit("the mail came back changed")
    reader.command("STORE", "1", "+FLAGS", r"(\Deleted)")
    reader.command("EXPUNGE")
    reader.logout()


def down(folder: Path, *, keep: bool = False) -> None:
    """Stop both, and remove the folder unless it is to be kept."""
    folder = folder.resolve()
    postfix.stop(folder / "postfix")
    dovecot.stop(folder / "dovecot")
    _restore_inotify(folder)
    if not keep and (folder / "server.json").exists():
        shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    starts = commands.add_parser("up")
    starts.add_argument("folder", type=Path)
    starts.add_argument("--store", choices=("maildir", "mdbox"), default="maildir")
    starts.add_argument("--hibernate", action="store_true", help="imap_hibernate_timeout = 5s")
    starts.add_argument(
        "--login", choices=("performance", "secure"), default="performance", help="login processes"
    )
    starts.add_argument("--mailboxes", type=int, default=100)
    stops = commands.add_parser("down")
    stops.add_argument("folder", type=Path)
    stops.add_argument("--keep", action="store_true", help="leave the folder")
    options = parser.parse_args()
    if options.command == "up":
        values = {name: getattr(options, name) for name in ("store", "hibernate", "login", "mailboxes")}
        print(up(options.folder, **values))
    else:
        down(options.folder, keep=options.keep)
    return 0


if __name__ == "__main__":
    sys.exit(main())
