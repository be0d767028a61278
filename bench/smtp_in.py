"""Mail in: N connections hand over a prepared mix; the clock stops when IMAP shows every mail.

    python -m bench.smtp_in --server DIR/server.json --messages 3000

The figures are void unless each mail is found exactly once in its mailbox afterwards, by its Message-ID,
and a sample of them octet for octet (behind the fields the server put before it).
"""

import argparse
import asyncio
import re
import sys
import time

from bench import mix
from bench.imap_client import Imap, ImapError, fetches
from bench.procs import Meter
from bench.report import Report, Target, add_target_options, target_of
from bench.smtp_client import Job, Load, new_event_loop

POLL_SECONDS = 0.02
MESSAGE_ID = re.compile(rb"(?i)Message-ID:\s*(<[^>]*>)")


def prepare(
    target: Target, count: int, mailboxes: int, seed: int, size: int
) -> tuple[list[Job], list[mix.Mail]]:
    """Build the mails; number n goes to mailbox n modulo mailboxes."""
    jobs, mails = [], []
    for number in range(count):
        recipient = target.logins[number % mailboxes].address
        mail = mix.make(seed, number, to=recipient, size=size)
        mails.append(mail)
        jobs.append(Job(mail.author, (recipient,), mail.stuffed(), len(mail.raw)))
    return jobs, mails


def wait_until_visible(clients: list[Imap], expected: list[int], timeout: float, report: Report) -> float:
    """Poll with STATUS, one connection per mailbox, until every count is reached; return when that was."""
    waiting = set(range(len(clients)))
    deadline = time.perf_counter() + timeout
    while waiting and time.perf_counter() < deadline:
        for index in sorted(waiting):
            if clients[index].messages("INBOX") >= expected[index]:
                waiting.discard(index)
        if waiting:
            time.sleep(POLL_SECONDS)
    for index in waiting:
        report.error(
            f"mailbox {index} holds {clients[index].messages('INBOX')} of {expected[index]} messages"
        )
    return time.perf_counter()


def verify(
    clients: list[Imap], before: list[int], mails: list[mix.Mail], sample: int, report: Report
) -> None:
    """Compare what the mailboxes gained with what was sent."""
    for index, client in enumerate(clients):
        sent = {mail.message_id.encode(): mail for mail in mails[index :: len(clients)]}
        exists = client.select("INBOX")
        new = exists - before[index]
        report.check(new == len(sent), f"mailbox {index} gained {new} messages, {len(sent)} were sent")
        if new <= 0:
            continue
        found: dict[bytes, bytes] = {}
        data = client.command("FETCH", f"{before[index] + 1}:*", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")
        for text, literals in fetches(data):
            message_id = MESSAGE_ID.search(literals[0] if literals else b"")
            key = message_id[1] if message_id else b"<none>"
            report.check(key not in found, f"{key.decode()} is there twice")
            found[key] = text.split()[1]
        missing = sent.keys() - found.keys()
        report.check(not missing, f"mailbox {index} lacks {len(missing)} of {len(sent)} mails")
        for key in list(sent.keys() & found.keys())[:sample]:
            data = client.command("FETCH", found[key], "BODY.PEEK[]")
            octets = next(iter(fetches(data)))[1][0]
            report.check(octets.endswith(sent[key].raw), f"{key.decode()} came back changed")


def run(
    target: Target,
    *,
    messages: int,
    connections: int,
    per_connection: int,
    mailboxes: int,
    seed: int,
    size: int = 0,
    timeout: float = 120,
    sample: int = 2,
) -> Report:
    """Load the server once and return the report."""
    report = Report("smtp_in", target.name)
    mailboxes = min(mailboxes, len(target.logins))
    jobs, mails = prepare(target, messages, mailboxes, seed, size)
    clients = []
    for login in target.logins[:mailboxes]:
        client = Imap(target.host, target.port("imap"))
        client.login(login.address, login.password)
        clients.append(client)
    before = [client.messages("INBOX") for client in clients]
    expected = [count + len(jobs[index::mailboxes]) for index, count in enumerate(before)]

    load = Load(
        target.host, target.port("smtp"), jobs, connections=connections, per_connection=per_connection
    )
    meter = Meter(target.roots)
    meter.start()
    started = time.perf_counter()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(load.run())
    for error in load.errors:
        report.error(error)
    report.check(len(load.accepted) == messages, f"{len(load.accepted)} of {messages} mails were accepted")
    try:
        finished = started if load.errors else wait_until_visible(clients, expected, timeout, report)
        meter.stop()
        if not report.errors:
            last_accepted = max(job.accepted_at for job in load.accepted)
            report.add("accepted", messages / (last_accepted - started), "msg/s", better="higher")
            report.add("end to end", messages / (finished - started), "msg/s", better="higher")
            report.add_latencies("DATA reply", [job.reply_seconds for job in load.accepted])
            report.add_meter(meter, per=messages)
            report.add(
                "octets",
                sum(job.octets for job in jobs) / 1e6 / (finished - started),
                "MB/s",
                better="higher",
            )
            verify(clients, before, mails, sample, report)
        for client in clients:
            client.logout()
    except (ImapError, OSError) as error:
        report.error(f"IMAP: {error}")
    if b"PIPELINING" not in load.extensions:
        report.note("PIPELINING is not offered: one command at a time")
    return report


def main() -> int:
    """Measure mail in."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_target_options(parser, "smtp", "imap")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument(
        "--per-connection", type=int, default=20, help="messages before a connection is closed"
    )
    parser.add_argument("--mailboxes", type=int, default=20)
    parser.add_argument("--size", type=int, default=0, help="octets of every message; 0 (default) is the mix")
    parser.add_argument("--timeout", type=float, default=120, help="seconds until all must be visible")
    options = parser.parse_args()
    report = run(
        target_of(options),
        messages=options.messages,
        connections=options.connections,
        per_connection=options.per_connection,
        mailboxes=options.mailboxes,
        seed=options.seed,
        size=options.size,
        timeout=options.timeout,
    )
    return report.finish(options.json)


if __name__ == "__main__":
    sys.exit(main())
