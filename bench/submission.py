"""Submission: signed-in senders hand over mail for an outside domain; the clock stops when the sink has all
of it.

    python -m bench.submission --server DIR/server.json --messages 1000

The sink (bench/sink.py) runs in this program, at the port the server was told to relay to. The figures are
void unless the sink saw each Message-ID exactly once.
"""

import argparse
import asyncio
import sys
import time

from bench import mix
from bench.procs import Meter
from bench.report import Report, Target, add_target_options, target_of
from bench.sink import Sink
from bench.smtp_client import Job, Load, new_event_loop


async def _measure(
    target: Target, load: Load, sink: Sink, expected: set[bytes], meter: Meter, timeout: float, report: Report
) -> None:
    loop = asyncio.get_running_loop()
    everything = loop.create_future()
    missing = set(expected)

    def arrived(message_id: bytes) -> None:
        missing.discard(message_id)
        if not missing and not everything.done():
            everything.set_result(None)

    sink.watch = arrived
    await sink.start(target.host, target.sink_port)
    meter.start()
    started = time.perf_counter()
    await load.run()
    for error in load.errors:
        report.error(error)
    report.check(
        len(load.accepted) == len(expected), f"{len(load.accepted)} of {len(expected)} mails were accepted"
    )
    if not report.errors:
        try:
            await asyncio.wait_for(everything, timeout)
        except TimeoutError:
            report.error(
                f"{len(missing)} of {len(expected)} mails had not reached the sink after {timeout:g} s"
            )
    finished = time.perf_counter()
    meter.stop()
    await asyncio.sleep(0.5)  # a mail sent twice is found out here
    await sink.stop()
    if report.errors:
        return
    twice = [message_id for message_id in expected if sink.seen[message_id] > 1]
    report.check(not twice, f"{len(twice)} mails reached the sink more than once")
    strange = len(sink.seen.keys() - expected)
    if strange:
        report.note(f"{strange} mails of some earlier run reached the sink too")
    last_accepted = max(job.accepted_at for job in load.accepted)
    report.add("submitted", len(expected) / (last_accepted - started), "msg/s", better="higher")
    report.add("relayed, end to end", len(expected) / (finished - started), "msg/s", better="higher")
    report.add_latencies("DATA reply", [job.reply_seconds for job in load.accepted])
    report.add_meter(meter, per=len(expected))
    report.add("messages per relay connection", len(expected) / sink.connections, "", better="higher")


def run(
    target: Target,
    *,
    messages: int,
    connections: int,
    per_connection: int,
    mailboxes: int,
    seed: int,
    size: int = 0,
    starttls: bool = False,
    tls: bool = False,
    timeout: float = 120,
) -> Report:
    """Load the server once and return the report."""
    report = Report("submission", target.name)
    logins = target.logins[: min(mailboxes, len(target.logins))]
    jobs, expected = [], set()
    for number in range(messages):
        sender = logins[number % len(logins)].address
        recipient = f"person{number}@{target.outside_domain}"
        mail = mix.make(seed, number, author=sender, to=recipient, size=size)
        jobs.append(Job(sender, (recipient,), mail.stuffed(), len(mail.raw)))
        expected.add(mail.message_id.encode())
    load = Load(
        target.host,
        target.port("submissions" if tls else "submission"),
        jobs,
        connections=connections,
        per_connection=per_connection,
        logins=logins,
        tls=tls,
        starttls=starttls,
    )
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_measure(target, load, Sink(), expected, Meter(target.roots), timeout, report))
    return report


def main() -> int:
    """Measure submission and relaying."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_target_options(parser, "submission", "submissions")
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument(
        "--per-connection", type=int, default=20, help="messages before a connection is closed"
    )
    parser.add_argument("--mailboxes", type=int, default=20, help="senders")
    parser.add_argument("--size", type=int, default=0, help="octets of every message; 0 (default) is the mix")
    parser.add_argument("--tls", action="store_true", help="implicit TLS, at the submissions port")
    parser.add_argument("--starttls", action="store_true")
    parser.add_argument("--sink-port", type=int, help="where the server relays mail of the outside domain to")
    parser.add_argument("--outside-domain")
    parser.add_argument("--timeout", type=float, default=120, help="seconds after the last submission")
    options = parser.parse_args()
    target = target_of(options)
    target.sink_port = options.sink_port or target.sink_port
    target.outside_domain = options.outside_domain or target.outside_domain
    report = run(
        target,
        messages=options.messages,
        connections=options.connections,
        per_connection=options.per_connection,
        mailboxes=options.mailboxes,
        seed=options.seed,
        size=options.size,
        starttls=options.starttls,
        tls=options.tls,
        timeout=options.timeout,
    )
    return report.finish(options.json)


if __name__ == "__main__":
    sys.exit(main())
