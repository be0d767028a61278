"""An hour of steady load, and whether anything grew: `make soak SECONDS=3600` (promise P9).

Starts the whole service, keeps mail coming by SMTP, readers reading by IMAP and POP3 and a browser's
requests going, and watches memory and open files of every process. After a fifth of the time as warm-up,
neither may grow by more than 5 % (and 8 MB, 8 files), and nothing may be logged as an error.
"""

import argparse
import imaplib
import itertools
import json
import os
import poplib
import shutil
import smtplib
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.service import Service

WARM_UP = 0.2
GROWTH = 1.05
SLACK = {"memory": 8 << 20, "files": 8}
PASSWORD = "soak and soak again"
ADDRESS = "soak@soak.example"


def descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in children] + [
        below for child in children for below in descendants(int(child))
    ]


def weigh(pid: int) -> dict[str, int]:
    """Return the private and shared memory (PSS, octets) and the open files of a process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    memory = next(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:"))
    return {"memory": memory, "files": len(os.listdir(f"/proc/{pid}/fd"))}


def name_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return next(
        (word.decode() for word in words if word in (b"up", b"web", b"maild", b"worker")), words[0].decode()
    )


def send(service: Service, number: int) -> None:
    text = (
        f"From: a@elsewhere.example\r\nTo: {ADDRESS}\r\nSubject: {number}\r\n\r\n"
        + f"line {number}\r\n" * 200
    )
    with smtplib.SMTP("127.0.0.1", service.ports["smtp"], timeout=30) as client:
        client.sendmail("a@elsewhere.example", [ADDRESS], text)


def read_by_imap(service: Service, number: int) -> None:
    """Look at the newest mail; every tenth time throw away what is old, so that the store stays as it is."""
    with imaplib.IMAP4("127.0.0.1", service.ports["imap"], timeout=30) as client:
        client.login(ADDRESS, PASSWORD)
        _, (count,) = client.select("INBOX")
        if int(count):
            client.fetch(count.decode(), "(FLAGS ENVELOPE BODY[])")
        if number % 10 == 0 and int(count) > 100:
            client.store(f"1:{int(count) - 100}", "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()


def read_by_pop3(service: Service, number: int) -> None:
    client = poplib.POP3("127.0.0.1", service.ports["pop3"], timeout=30)
    try:
        client.user(ADDRESS)
        client.pass_(PASSWORD)
        client.stat()
    finally:
        client.quit()


def look_at_pages(service: Service, number: int) -> None:
    for path in ("/readyz", "/accounts/login/"):
        with urllib.request.urlopen(service.url + path, timeout=30) as answer:
            answer.read()


def keep_doing(
    work: Callable[[Service, int], None], service: Service, pause: float, stop: threading.Event
) -> list[str]:
    """Start a thread that repeats work; return the list in which its failures gather."""
    failures: list[str] = []

    def repeat() -> None:
        for number in itertools.count():
            if stop.wait(pause):
                return
            try:
                work(service, number)
            except (
                OSError,
                EOFError,
                imaplib.IMAP4.error,
                poplib.error_proto,
                smtplib.SMTPException,
            ) as error:
                failures.append(f"{work.__name__}: {error!r}")

    threading.Thread(target=repeat, daemon=True).start()
    return failures


def grown(before: dict[int, dict[str, int]], after: dict[int, dict[str, int]]) -> list[str]:
    """Say which process grew beyond what is allowed, or is another one than before."""
    found = [f"process {pid} is gone" for pid in before.keys() - after.keys()]
    for pid in before.keys() & after.keys():
        for kind, allowance in SLACK.items():
            old, new = before[pid][kind], after[pid][kind]
            if new > max(old * GROWTH, old + allowance):
                found.append(f"{name_of(pid)}: {kind} grew from {old} to {new}")
    return found


def main() -> int:
    options = argparse.ArgumentParser(prog="tests.soak")
    options.add_argument("--seconds", type=float, default=3600)
    seconds = options.parse_args().seconds
    folder = Path(tempfile.mkdtemp(prefix="hostmail-soak-"))
    service = Service(folder, "up").start()
    stop = threading.Event()
    try:
        service.manage("tenant", "add", "Soak", "--slug", "soak")
        service.manage("domain", "add", "soak.example", "--tenant", "soak", "--verified")
        service.manage("mailbox", "add", ADDRESS, "--password-stdin", given=PASSWORD + "\n")
        works = [(send, 0.2), (read_by_imap, 0.5), (read_by_pop3, 2), (look_at_pages, 1)]
        failures = [keep_doing(work, service, pause, stop) for work, pause in works]
        time.sleep(seconds * WARM_UP)
        pids = [service.process.pid, *descendants(service.process.pid)]
        before = {pid: weigh(pid) for pid in pids}
        time.sleep(seconds * (1 - WARM_UP))
        after = {pid: weigh(pid) for pid in pids if Path(f"/proc/{pid}").exists()}
        for pid in after:
            print(
                json.dumps({"process": name_of(pid), "before": before[pid], "after": after[pid]}), flush=True
            )
        stop.set()
        problems = grown(before, after) + [failure for found in failures for failure in found[:5]]
        service.stop()
        problems += service.errors()[:20]
    finally:
        stop.set()
        service.kill()
        shutil.rmtree(folder, ignore_errors=True)
    for problem in problems:
        print(problem, flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
