"""Idle clients: what a connection in IDLE costs in memory, and how soon it hears of new mail.

    python -m bench.idle --server DIR/server.json --connections 1000 [--tls]

Memory is the growth of the proportional set size (PSS) of the server's process tree, divided by the
connections, a settling time after the last one went into IDLE, and again after the deliveries. Latency is
from the final dot of a mail given to SMTP to EXISTS at every connection that idles on its mailbox. Void
unless each connection hears of each mail of its mailbox.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from typing import ClassVar

from bench import mix
from bench.imap_client import quoted
from bench.procs import Meter, pss_kib, raise_file_limit
from bench.report import Login, Report, Target, add_target_options, target_of
from bench.smtp_client import Job, Load, insecure_tls, new_event_loop

OPENING_AT_ONCE = 20
HEAR_SECONDS = 60


class Idler(asyncio.Protocol):
    """One connection: log in, select INBOX, idle, and call heard(now) for every EXISTS from then on."""

    open_transports: ClassVar[set[asyncio.Transport]] = set()
    __slots__ = ("buffer", "heard", "login", "lost", "ready", "step", "transport")

    def __init__(self, login: Login, ready: asyncio.Future[None], lost: Callable[[str], None]) -> None:
        self.login, self.ready, self.lost = login, ready, lost
        self.heard: Callable[[float], None] | None = None
        self.buffer = b""
        self.step = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.open_transports.add(transport)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        lines = (self.buffer + data).split(b"\r\n")
        self.buffer = lines.pop()
        for line in lines:
            if self.step == 4:
                if line.endswith(b" EXISTS") and self.heard:
                    self.heard(now)
            elif self.step == 0:
                self.send(b"a LOGIN " + quoted(self.login.address) + b" " + quoted(self.login.password))
            elif line.startswith(b"a OK") and self.step == 1:
                self.send(b"b SELECT INBOX")
            elif line.startswith(b"b OK") and self.step == 2:
                self.send(b"c IDLE")
            elif line.startswith(b"+") and self.step == 3:
                self.step = 4
                if not self.ready.done():
                    self.ready.set_result(None)
            elif not line.startswith(b"* ") or line.startswith(b"* BYE"):
                self.failed(line.decode(errors="replace"))

    def send(self, line: bytes) -> None:
        self.step += 1
        self.transport.write(line + b"\r\n")  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        self.failed(f"connection lost: {exc}")

    def failed(self, why: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(why))
        self.lost(why)


async def _open_all(
    target: Target, logins: list[Login], connections: int, tls: bool, lost: Callable[[str], None]
) -> list[list[Idler]]:
    """Return the idlers of each login."""
    loop = asyncio.get_running_loop()
    context = insecure_tls() if tls else None
    port = target.port("imaps" if tls else "imap")
    idlers: list[list[Idler]] = [[] for _ in logins]
    numbers = iter(range(connections))

    async def opener() -> None:
        for number in numbers:
            index = number % len(logins)
            ready = loop.create_future()
            _transport, idler = await loop.create_connection(
                lambda index=index, ready=ready: Idler(logins[index], ready, lost),
                target.host,
                port,
                ssl=context,
                local_addr=_source(target.host, number),
            )
            await asyncio.wait_for(ready, 60)
            idlers[index].append(idler)

    await asyncio.gather(*(opener() for _ in range(OPENING_AT_ONCE)))
    return idlers


def _source(host: str, number: int) -> tuple[str, int] | None:
    """Where a connection comes from: a thousand from one address is what servers take for an attack."""
    return (f"127.0.0.{2 + number // 100 % 250}", 0) if host.startswith("127.") else None


async def _deliver(
    target: Target, idlers: list[Idler], address: str, number: int, seed: int
) -> tuple[float, list[float]]:
    """Give one mail to SMTP; return when its content was written, and when each idler heard."""
    loop = asyncio.get_running_loop()
    mail = mix.make(seed, number, to=address, size=mix.SMALL)
    job = Job(mail.author, (address,), mail.stuffed(), len(mail.raw))
    load = Load(target.host, target.port("smtp"), [job], connections=1, per_connection=1)
    heard: dict[int, float] = {}
    everybody = loop.create_future()

    def listener(index: int) -> Callable[[float], None]:
        def hear(now: float) -> None:
            heard.setdefault(index, now)
            if len(heard) == len(idlers) and not everybody.done():
                everybody.set_result(None)

        return hear

    for index, idler in enumerate(idlers):
        idler.heard = listener(index)
    await load.run()
    if load.errors:
        raise ConnectionError(load.errors[0])
    try:
        await asyncio.wait_for(everybody, HEAR_SECONDS)
    except TimeoutError:
        raise ConnectionError(f"only {len(heard)} of {len(idlers)} idle clients heard of a mail") from None
    for idler in idlers:
        idler.heard = None
    return job.accepted_at - job.reply_seconds, list(heard.values())


async def _measure(
    target: Target,
    *,
    connections: int,
    tls: bool,
    mailboxes: int,
    deliveries: int,
    settle: float,
    seed: int,
    report: Report,
) -> None:
    logins = target.logins[: min(mailboxes, len(target.logins))]
    is_open = True

    def lost(why: str) -> None:
        if is_open:
            report.error(why)

    # What a first login costs once, hashing above all, is not the connections'.
    for first_ones in await _open_all(target, logins, len(logins), tls, lambda why: None):
        for idler in first_ones:
            idler.transport.close()
    await asyncio.sleep(settle)
    before = pss_kib(target.roots)
    started = time.perf_counter()
    idlers = await _open_all(target, logins, connections, tls, lost)
    report.add("opened", connections / (time.perf_counter() - started), "/s", better="higher")
    await asyncio.sleep(settle)
    if target.roots:
        report.add("memory of the server before", before / 1024, "MiB")
        report.add("memory per idle connection", (pss_kib(target.roots) - before) / connections, "KiB")
        meter = Meter(target.roots)
        meter.start()
        await asyncio.sleep(min(settle, 5))
        meter.stop()
        report.add("server CPU while all are idle", 100 * (meter.server or 0) / meter.seconds, "% of a core")
    first, every = [], []
    for number in range(deliveries):
        index = number % len(logins)
        if not idlers[index]:
            continue
        written, heard = await _deliver(target, idlers[index], logins[index].address, number, seed)
        first.append(min(heard) - written)
        every += [moment - written for moment in heard]
        await asyncio.sleep(0.1)
    report.add_latencies("final dot to first EXISTS", first, (0.5, 0.99))
    report.add_latencies("final dot to EXISTS, all that idle there", every, (0.5, 0.99))
    if target.roots:
        await asyncio.sleep(settle)
        report.add("memory per idle connection, after", (pss_kib(target.roots) - before) / connections, "KiB")
    is_open = False


async def _closing(work: Coroutine[None, None, None]) -> None:
    """Do the work, then close whatever it left open."""
    try:
        await work
    finally:
        for transport in Idler.open_transports:
            transport.abort()
        Idler.open_transports.clear()
        await asyncio.sleep(0.2)


def run(
    target: Target, *, connections: int, tls: bool, mailboxes: int, deliveries: int, settle: float, seed: int
) -> Report:
    """Hold the connections once and return the report."""
    raise_file_limit()
    report = Report("idle, TLS" if tls else "idle", target.name)
    if not target.roots:
        report.note("no --pid: memory is not measured")
    work = _measure(
        target,
        connections=connections,
        tls=tls,
        mailboxes=mailboxes,
        deliveries=deliveries,
        settle=settle,
        seed=seed,
        report=report,
    )
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            runner.run(_closing(work))
        except (OSError, TimeoutError) as error:
            report.error(f"{type(error).__name__}: {error}")
    return report


def main() -> int:
    """Measure idle connections."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_target_options(parser, "smtp", "imap", "imaps")
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--tls", action="store_true", help="implicit TLS, at the imaps port")
    parser.add_argument("--mailboxes", type=int, default=20)
    parser.add_argument("--deliveries", type=int, default=20)
    parser.add_argument(
        "--settle", type=float, default=8, help="seconds; Dovecot hibernates 5 s after the last command"
    )
    options = parser.parse_args()
    report = run(
        target_of(options),
        connections=options.connections,
        tls=options.tls,
        mailboxes=options.mailboxes,
        deliveries=options.deliveries,
        settle=options.settle,
        seed=options.seed,
    )
    return report.finish(options.json)


if __name__ == "__main__":
    sys.exit(main())
