"""The outbound queue with a hundred thousand entries, to a thousand destinations of which a third are dead.

    python -m bench.queue_scale [--entries 100000] [--destinations 1000] [--dead 0.33]

Twice the same living entries go out, by `manage.py worker` to a sink on loopback: once alone, and once among
entries whose hosts refuse connections or take them and never say a word. What counts is the ratio of the two
rates, to the last living mail. Afterwards the database must say that each living entry was relayed at its
first try, and the sink that each came once; anything else makes the figures void.

Unlike the other programs this one knows Hostmail from inside: it writes the entries itself, since handing in
so many by SMTP would measure something else. Some twenty minutes at full size.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.instance import DOMAIN, OUTSIDE_DOMAIN, free_ports, stop_process
from bench.procs import Meter, raise_file_limit
from bench.report import Report
from bench.sink import Sink
from bench.smtp_client import new_event_loop

ROOT = Path(__file__).resolve().parent.parent
# Where the hosts of NAME.living.example, NAME.refusing.example and NAME.silent.example are.
BELOW = {"living.example": "127.1.0.1", "refusing.example": "127.2.0.1", "silent.example": "127.3.0.1"}
ADDRESS = f"u000@{DOMAIN}"


# --- Inside: run with Django set up ----------------------------------------------------------------------


def fill(living: int, dead: int, entries: int) -> None:
    """Write entries, of one submission each, spread over the destinations in turn."""
    from django.db import transaction

    from mailcore.models import Content, Mailbox
    from mailcore.services import messages, queue

    mailbox = Mailbox.objects.get()
    raw = b"From: %b\r\nMessage-ID: <one@bench.example>\r\nSubject: Hello\r\n\r\n" % ADDRESS.encode()
    raw += b"How are you?\r\n" * 200
    filing = messages.Filing(mailbox.tenant_id, mailbox.pk, "drafts")
    messages.append_many([messages.Unit([messages.Mail(messages.prepare(raw), [filing])])])
    content = Content.objects.get()
    kinds = ("refusing", "silent")
    names = [f"d{number}.living.example" for number in range(living)]
    names += [f"d{number}.{kinds[number % 2]}.example" for number in range(dead)]
    for start in range(0, entries, 1000):
        with transaction.atomic():
            for number in range(start, min(start + 1000, entries)):
                queue.enqueue(
                    tenant_id=mailbox.tenant_id, mailbox_id=mailbox.pk, content_id=content.pk,
                    trace=f"t{number}", source="api", reverse_path=ADDRESS,
                    recipients=[f"r{number}@{names[number % len(names)]}"],
                )  # fmt: skip


def tell() -> dict[str, int]:
    """What the database says of the entries."""
    from mailcore.models import Attempt, DeadDestination, QueueEntry

    living = QueueEntry.objects.filter(route__endswith=".living.example")
    return {
        "relayed": living.filter(state="relayed", attempt_count=1).count(),
        "living": living.count(),
        "dead attempts": Attempt.objects.exclude(entry__route__endswith=".living.example").count(),
        "dead destinations": DeadDestination.objects.count(),
    }


# --- Outside ---------------------------------------------------------------------------------------------


class _Silent(asyncio.Protocol):
    """Takes the connection and never says a word."""


class Run:
    """One run in a folder of its own."""

    def __init__(self, folder: Path, living: int, dead: int, entries: int) -> None:
        self.living, self.dead, self.entries = living, dead, entries
        self.sink_port, self.dns_port = free_ports(2)
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HOSTMAIL_", "DATABASE_", "REDIS_"))
        } | {
            "HOSTMAIL_DATA_DIR": str(folder),
            "HOSTMAIL_HOSTNAME": f"mx.{DOMAIN}",
            "HOSTMAIL_DNS_SERVERS": f"127.0.0.1:{self.dns_port}",
            "HOSTMAIL_OUTBOUND_PORT": str(self.sink_port),
            "DJANGO_SETTINGS_MODULE": "hostmail.settings",
        }

    def call(self, *arguments: str, text: str = "") -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=self.environment, cwd=ROOT, input=text, text=True,
            capture_output=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{arguments} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def prepare(self) -> float:
        """Make the database and fill the queue; how long the filling took."""
        self.call("manage.py", "migrate", "--noinput")
        self.call("manage.py", "tenant", "add", "Bench", "--slug", "bench")
        self.call("manage.py", "domain", "add", DOMAIN, "--tenant", "bench", "--verified")
        self.call("manage.py", "mailbox", "add", "--csv", "-", text=f"{ADDRESS},benchbench12,20G\n")
        started = time.perf_counter()
        numbers = [str(number) for number in (self.living, self.dead, self.entries)]
        self.call("-m", "bench.queue_scale", "--fill", *numbers)
        return time.perf_counter() - started

    async def send(self, seconds: float) -> tuple[float, float, dict[str, int]]:
        """Let a worker send; seconds to the last living mail, the worker's CPU, what the database says."""
        loop = asyncio.get_running_loop()
        sink, done = Sink(), asyncio.Event()
        wanted = sum(number % (self.living + self.dead) < self.living for number in range(self.entries))
        taken = 0

        def count(_: bytes) -> None:
            nonlocal taken
            taken += 1
            if taken >= wanted:
                done.set()

        sink.watch = count
        await sink.start(BELOW["living.example"], self.sink_port)
        silent = await loop.create_server(_Silent, BELOW["silent.example"], self.sink_port, backlog=512)
        below = [f"--below={name}={address}" for name, address in BELOW.items()]
        names = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.dns", "--port", str(self.dns_port), "--mx", OUTSIDE_DOMAIN, *below,
            cwd=ROOT, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "manage.py", "worker", cwd=ROOT, env=self.environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        meter = Meter((worker.pid,))
        try:
            meter.start()
            while not taken:
                await asyncio.sleep(0.01)
            started = time.perf_counter()
            await asyncio.wait_for(done.wait(), seconds)
            took = time.perf_counter() - started
            meter.stop()
            await asyncio.sleep(2)  # what was relayed is written down
            if taken != wanted:
                raise SystemExit(f"{taken} mails came, {wanted} were to come")
        finally:
            await asyncio.to_thread(stop_process, worker.pid)
            names.terminate()
            await names.wait()
            silent.close()
            await sink.stop()
        return took, meter.server or 0.0, json.loads(self.call("-m", "bench.queue_scale", "--tell"))


def compare(entries: int, destinations: int, dead: float, seconds: float) -> Report:
    """Run without and with dead destinations; a ratio of 1 means that they cost the others nothing."""
    report = Report("queue_scale", "Hostmail sqlite")
    down = round(destinations * dead)
    living = destinations - down
    rates = {}
    for name, with_dead in (("alone", 0), ("among the dead", down)):
        of_these = entries if with_dead else entries * living // destinations
        with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=new_event_loop) as runner:
            run = Run(Path(folder), living, with_dead, of_these)
            report.add(f"filling the queue, {name}", of_these / run.prepare(), "entries/s", better="higher")
            took, cpu, told = runner.run(run.send(seconds))
        rates[name] = told["living"] / took
        report.add(f"living entries, {name}", rates[name], "msg/s", better="higher")
        report.add(f"worker CPU per living entry, {name}", cpu / told["living"] * 1000, "ms")
        report.check(told["relayed"] == told["living"], f"{name}: {told}")
        report.note(f"{name}: {told}")
    ratio = rates["among the dead"] / rates["alone"]
    report.add("rate among the dead, of that alone", ratio, "x", better="higher")
    return report


def main() -> int:
    """Measure the queue at scale."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--destinations", type=int, default=1000)
    parser.add_argument("--dead", type=float, default=0.33, help="share of destinations that are down")
    parser.add_argument("--seconds", type=float, default=1800, help="after which a run is given up")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--fill", type=int, nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--tell", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill or options.tell:
        import django

        django.setup()
        if options.fill:
            fill(*options.fill)
        else:
            print(json.dumps(tell()))
        return 0
    raise_file_limit()
    report = compare(options.entries, options.destinations, options.dead, options.seconds)
    return report.finish(options.json)


if __name__ == "__main__":
    sys.exit(main())
