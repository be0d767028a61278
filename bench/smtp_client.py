"""An SMTP client that sends prepared mails over many connections with as little work as possible. (RFC
5321, 2920)

A callback state machine on asyncio.Protocol: no streams, no task per connection. MAIL, RCPT and DATA go out
in one write where PIPELINING is offered, one by one where it is not. Any reply that is not the expected one
is an error.
"""

import asyncio
import base64
import ssl
import time
from collections import deque
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field

from bench.report import Login

try:
    import uvloop

    new_event_loop = uvloop.new_event_loop
except ImportError:  # slower, and the report shows it as client CPU
    new_event_loop = asyncio.new_event_loop


@dataclass(slots=True)
class Job:
    """One mail to send. envelope and content are the octets to write, made before the clock starts."""

    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes  # dot-stuffed, with the final dot
    octets: int
    reply_seconds: float = 0.0  # from the write of the content to its reply
    accepted_at: float = 0.0
    commands: list[bytes] = field(default_factory=list)


def insecure_tls() -> ssl.SSLContext:
    """Return a client context that takes any certificate: the servers here make their own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Load:
    """Sends all jobs over a number of connections; one connection carries at most per_connection mails."""

    def __init__(
        self,
        host: str,
        port: int,
        jobs: Iterable[Job],
        *,
        connections: int,
        per_connection: int,
        logins: list[Login] | None = None,
        tls: bool = False,
        starttls: bool = False,
    ) -> None:
        # With logins, a connection signs in as one of them and takes only the mails of that sender.
        self.host, self.port = host, port
        self.per_connection = per_connection
        self.connections = connections
        self.tls = insecure_tls() if tls or starttls else None
        self.starttls = starttls
        self.queues: list[tuple[Login | None, deque[Job]]] = []
        if logins:
            by_sender: dict[str, deque[Job]] = {login.address: deque() for login in logins}
            for job in jobs:
                by_sender[job.reverse_path].append(job)
            self.queues = [(login, by_sender[login.address]) for login in logins]
        else:
            self.queues = [(None, deque(jobs))]
        for _login, queue in self.queues:
            for job in queue:
                job.commands = [
                    b"MAIL FROM:<%s>" % job.reverse_path.encode(),
                    *(b"RCPT TO:<%s>" % recipient.encode() for recipient in job.recipients),
                    b"DATA",
                ]
        self.errors: list[str] = []
        self.accepted: list[Job] = []
        self.opened = 0
        self.live = 0
        self.next_queue = 0
        self.extensions: set[bytes] = set()
        self.tasks: set[asyncio.Future[None]] = set()
        self.done: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Send everything; return when every job was accepted or nothing more can be."""
        self.done = asyncio.get_running_loop().create_future()
        for _ in range(self.connections):
            self.open()
        if not self.live:
            return
        await self.done

    def open(self) -> None:
        """Open a connection if there is work for it."""
        for _ in self.queues:
            login, queue = self.queues[self.next_queue % len(self.queues)]
            self.next_queue += 1
            if queue:
                break
        else:
            if not self.live and self.done and not self.done.done():
                self.done.set_result(None)
            return
        if len(self.errors) >= 20:
            queue.clear()  # enough is known; one more connection that sends nothing
        self.live += 1
        # Its mails are set apart now: no connection is opened for mails that another one sends meanwhile.
        part = deque(queue.popleft() for _ in range(min(self.per_connection, len(queue))))
        self.keep(self._connect(login, part))

    def keep(self, work: Coroutine[None, None, None]) -> None:
        """Run work as a task that is not collected before its end."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _connect(self, login: Login | None, queue: deque[Job]) -> None:
        loop = asyncio.get_running_loop()
        try:
            self.opened += 1
            await loop.create_connection(
                lambda: _Connection(self, login, queue),
                self.host,
                self.port,
                ssl=None if self.starttls else self.tls,
            )
        except OSError as error:
            self.errors.append(f"cannot connect: {error}")
            self.ended()

    def ended(self) -> None:
        self.live -= 1
        self.open()


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load, login: Login | None, queue: deque[Job]) -> None:
        self.load, self.login, self.queue = load, login, queue
        self.buffer = b""
        self.state = "greeting"
        self.extensions: set[bytes] = set()
        self.job: Job | None = None
        self.awaited: deque[bytes] = deque()
        self.is_quitting = False
        self.is_upgrading = False
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_quitting:
            self.load.errors.append(f"connection lost in state {self.state}: {exc}")
            if self.job is not None:
                self.job = None
        self.load.ended()

    def data_received(self, data: bytes) -> None:
        lines = (self.buffer + data).split(b"\r\n")
        self.buffer = lines.pop()
        for line in lines:
            if line[3:4] == b"-":
                if self.state == "ehlo":
                    self.extensions.add(line[4:].split(b" ")[0].upper())
            elif not self.is_quitting or self.state == "quit":
                self.replied(line)

    def fail(self, expected: str, line: bytes) -> None:
        self.load.errors.append(f"expected {expected}, got {line.decode(errors='replace')!r}")
        self.is_quitting = True
        self.state = "failed"
        self.transport.abort()  # type: ignore[attr-defined]

    def replied(self, line: bytes) -> None:
        state = self.state
        if state == "content":
            if line[:1] != b"2":
                self.fail("250 for the content", line)
                return
            assert self.job
            now = time.perf_counter()
            self.job.reply_seconds = now - self.sent_at
            self.job.accepted_at = now
            self.load.accepted.append(self.job)
            self.job = None
            self.next_mail()
        elif state == "envelope":
            command = self.awaited.popleft()
            if self.awaited:
                if line[:1] != b"2":
                    self.fail(f"250 for {command.decode()}", line)
                    return
                if b"PIPELINING" not in self.extensions:
                    self.write(self.awaited[0] + b"\r\n")
            elif line[:3] != b"354":
                self.fail("354", line)
            else:
                assert self.job
                self.state = "content"
                self.sent_at = time.perf_counter()
                self.write(self.job.content)
        elif state == "greeting":
            if line[:3] != b"220":
                self.fail("220", line)
                return
            self.hello()
        elif state == "ehlo":
            if line[:3] != b"250":
                self.fail("250 for EHLO", line)
                return
            self.extensions.add(line[4:].split(b" ")[0].upper())
            if self.load.starttls and not self.is_upgrading:
                self.state = "starttls"
                self.write(b"STARTTLS\r\n")
            elif self.login:
                self.state = "auth"
                secret = f"\0{self.login.address}\0{self.login.password}".encode()
                self.write(b"AUTH PLAIN " + base64.b64encode(secret) + b"\r\n")
            else:
                self.load.extensions |= self.extensions
                self.next_mail()
        elif state == "starttls":
            if line[:3] != b"220":
                self.fail("220 for STARTTLS", line)
                return
            self.is_upgrading = True
            self.load.keep(self.upgrade())
        elif state == "auth":
            if line[:3] != b"235":
                self.fail("235 for AUTH", line)
                return
            self.load.extensions |= self.extensions
            self.next_mail()
        elif state == "quit":
            self.transport.close()

    async def upgrade(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self.transport = await loop.start_tls(self.transport, self, self.load.tls)  # type: ignore[assignment, arg-type]
        except (OSError, ssl.SSLError) as error:
            self.load.errors.append(f"STARTTLS: {error}")
            return
        self.extensions.clear()
        self.hello()

    def hello(self) -> None:
        self.state = "ehlo"
        self.write(b"EHLO bench.client.example\r\n")

    def next_mail(self) -> None:
        if not self.queue:
            self.is_quitting = True
            self.state = "quit"
            self.write(b"QUIT\r\n")
            return
        self.job = self.queue.popleft()
        self.awaited = deque(self.job.commands)
        self.state = "envelope"
        if b"PIPELINING" in self.extensions:
            self.write(b"\r\n".join(self.job.commands) + b"\r\n")
        else:
            self.write(self.job.commands[0] + b"\r\n")

    def write(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]
