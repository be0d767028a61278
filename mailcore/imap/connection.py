"""One IMAP client: its socket, back-pressure, and who runs what where. It decides nothing about mail.

No task and no thread while the client is idle. What it sends goes to the receiver; each whole command becomes
a generator (session.run), which is stepped either right here, when the registry says that it answers from
memory, or in a database thread, a bounded turn at a time. Answers are gathered and written together; while a
client does not read them, its generator rests and no more are made.

Long because reading, stepping, writing and ending share the state of one connection.
Made by the ports in server.py. RFC 2177 §3 (IDLE), RFC 3207 §6 (nothing from before the handshake counts).
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from mailcore import limits
from mailcore.errors import BadCharset, BadSyntax
from mailcore.imap.commands import REGISTRY, notify
from mailcore.imap.compression import Compression
from mailcore.imap.output import Output
from mailcore.imap.session import (
    RANG,
    Ask,
    Compress,
    File,
    Pause,
    Request,
    Session,
    StartTLS,
    State,
    Surroundings,
    Wait,
    Work,
    claim_recent,
)
from mailcore.imap.turns import ENDED, Running, turn
from mailcore.imap.wire import parser, receiver, responses
from mailcore.imap.wire.receiver import Continue, Received, Receiver, Refused
from mailcore.outside import doorbell, proxy, reach, tls

if TYPE_CHECKING:
    from mailcore.imap.server import Imap

log = logging.getLogger(__name__)


class Connection(Output, asyncio.Protocol):
    """One client. All of it runs on the event loop, except the turns of a command in a thread."""

    __slots__ = (
        "bell", "bell_topics", "commands", "counted", "imap", "in_hand", "is_busy", "is_closing", "is_eof",
        "is_leaving", "is_long", "is_reading", "is_rung", "is_waiting", "last_active", "looked_at", "on_loop",
        "opened_at", "peer", "receiver", "request", "running", "session", "stalled_at",
    )  # fmt: skip

    def __init__(self, imap: Imap, *, is_tls: bool) -> None:
        super().__init__()
        self.imap = imap
        self.peer = ""
        self.receiver = Receiver()
        self.session = Session(
            Surroundings("", is_tls, is_tls, not is_tls, settings.HOSTMAIL_MAX_MESSAGE, imap.admit),
            imap.snapshots,
        )
        # The command that runs, what it waits for, and whether somebody else is at it: a thread, the
        # clerk, a timer, a handshake.
        self.running: Running | None = None
        self.request: Request | None = None
        self.on_loop = False
        self.is_long = False
        self.is_busy = False
        self.in_hand = 0  # octets of a command being received, counted in imap.octets
        self.commands = 0
        self.counted = 0  # the mailbox it counts for, 0: it has none
        self.bell: doorbell.Handle | None = None
        self.bell_topics: list[str] = []
        self.is_rung = False
        self.is_waiting = False  # IDLE has begun to wait
        self.is_reading = True
        self.is_eof = False
        self.is_leaving = False  # BYE as soon as no command runs
        self.is_closing = False
        self.stalled_at = 0.0  # since when the client does not take what is written; 0: it does
        self.opened_at = self.last_active = self.looked_at = monotonic()

    # --- what the transport says --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(limits.IMAP_WRITE_BUFFER_OCTETS)
        self.peer = self.session.surroundings.peer = proxy.peer_of(transport)
        self.session.surroundings.endpoint = tls.endpoint_of(transport)
        if not self.imap.came(self):
            self.say_bye("Too many connections, please try again later", code=b"UNAVAILABLE")
            return
        if not self.session.surroundings.may_login:
            self.session.surroundings.may_login = reach.may_login_in_clear(transport)
        capabilities = responses.capability_code(self.session.capabilities())
        self.write(responses.ok("Hostmail is ready", code=capabilities))

    def data_received(self, data: bytes) -> None:
        self.last_active = monotonic()
        if self.compression is not None:
            self.compression.feed(data)
        else:
            self.receiver.feed(data)
        self.imap.maild.here(self._pump)

    def eof_received(self) -> bool:
        """A client that said all it has to say still hears the answers, where the transport allows that."""
        self.is_eof = True
        return self.running is not None and not self.session.surroundings.is_tls

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.is_closing = True
        self.imap.left(self)
        self._count(0)
        self._hang_bell()
        self.out.clear()
        self.receiver.take_rest()
        if not self.is_busy:
            self._forget()

    def _forget(self) -> None:
        """End what ran, once nobody else is at it, and let the next session have what this one claimed."""
        if self.running is not None:
            self.running.close()
            self.running = None
        view = self.session.view
        if view is not None and view.is_claiming:
            self.imap.maild.call(claim_recent, view).add_done_callback(_log_failure)
        self.session.view = None

    def pause_writing(self) -> None:
        self.stalled_at = monotonic()

    def resume_writing(self) -> None:
        self.stalled_at = 0.0
        self.imap.loop.call_soon(self._go_on)

    # --- saying ---------------------------------------------------------------------------------------

    def say_bye(self, words: str, *, code: bytes = b"") -> None:
        """End it now, whatever runs."""
        if self.is_busy and self.compression is not None:
            # A thread may have deflated what nobody will be told: this must not refer to it.
            self.compression.rest()
        self.say(responses.bye(words, code=code))
        self._close()

    def _close(self) -> None:
        self.flush()
        self.is_closing = True
        if self.transport is not None:
            self.transport.close()

    def has_said_all(self) -> bool:
        """Whether it is closing, and nothing waits to be written."""
        return self.is_closing and self.transport is not None and not self.transport.get_write_buffer_size()

    def leave_when_done(self) -> None:
        """Say BYE as soon as no command runs; IDLE is none that has anything to end."""
        if self.running is None or isinstance(self.request, Ask | Wait):
            self.say_bye("Server is shutting down", code=b"UNAVAILABLE")
        else:
            self.is_leaving = True

    def held_for_reader(self) -> int:
        """Octets in memory for a client that does not take them, about."""
        waiting = self.transport.get_write_buffer_size() if self.transport is not None else 0
        return waiting + (limits.IMAP_PAGE_OCTETS if self.running is not None else 0)

    # --- going on ---------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        self.imap.maild.here(self._pump)

    def _pump(self) -> None:
        """Run what can be run without waiting, then write the answers to it together."""
        left = limits.IMAP_TURN_COMMANDS
        self.imap.snapshots.new_turn()
        while not (self.is_busy or self.stalled_at or self.is_closing):
            if self.running is not None:
                if not self._go_on_running():
                    break
            elif self.is_leaving:
                break
            elif left <= 0 or self.out_octets >= limits.IMAP_ANSWER_OCTETS:
                # Others have their turn before this client's next command.
                self.imap.loop.call_soon(self._go_on)
                break
            else:
                event = self.receiver.command()
                if event is None:
                    if not self._inflate() and not self._tell_news():
                        break
                    left -= limits.IMAP_TURN_COMMANDS // 4
                    continue
                left -= 1
                self._begin(event)
        self.flush()
        if self.transport is not None and not self.is_closing:
            self._mind_the_client()

    def _inflate(self) -> bool:
        """Have the receiver see more of what came compressed, if there is more."""
        if self.compression is None:
            return False
        try:
            octets = self.compression.inflate()
        except BadSyntax as error:
            self.say_bye(error.public)
            return False
        if octets:
            self.receiver.feed(octets)
        return bool(octets)

    def _mind_the_client(self) -> None:
        """After a turn: close, or read no more for now, or count what is held."""
        assert self.transport is not None
        held = self.receiver.held + (self.compression.held if self.compression is not None else 0)
        if self.running is not None or self.stalled_at:
            if held > limits.IMAP_PIPELINED_OCTETS and self.is_reading:
                self.is_reading = False
                self.transport.pause_reading()
            return
        if self.is_leaving or (self.is_eof and not held):
            self._close()
            return
        if not self.is_reading:
            self.is_reading = True
            self.transport.resume_reading()
        self._count(held)
        if held > limits.IMAP_SMALL_OCTETS and self.imap.octets > limits.IMAP_OCTETS_IN_HAND:
            self.say_bye("Too much mail at once, please try again later", code=b"UNAVAILABLE")

    def _count(self, held: int) -> None:
        held = held if held > limits.IMAP_SMALL_OCTETS else 0
        self.imap.octets += held - self.in_hand
        self.in_hand = held

    # --- one command ----------------------------------------------------------------------------------

    def _begin(self, event: Received | Continue | Refused) -> None:
        if type(event) is not Received:
            self._not_a_command(cast("Continue | Refused", event))
            return
        session = self.session
        if session.login is None:
            self.commands += 1
            if self.commands > limits.IMAP_COMMANDS_BEFORE_LOGIN:
                self.say_bye("Too many commands before a login")
                return
        try:
            command = parser.parse(event, utf8=session.is_utf8, charsets=session.names_charsets)
        except (BadSyntax, BadCharset) as error:
            self.say(session.refuse_syntax(error, error.tag))
            self._end_of_command()
            return
        spec = REGISTRY[command.name]
        self.running = session.run(spec, command)
        self.on_loop = session.runs_on_loop(spec, command)
        self._step(None)

    def _not_a_command(self, event: Continue | Refused) -> None:
        if isinstance(event, Refused):
            self.say(event.line())
            self.session.failures += 1
            if event.close:
                self.say_bye("Please begin again")
                return
            self._end_of_command()
        elif self.imap.octets + event.octets <= limits.IMAP_OCTETS_IN_HAND or (
            event.octets <= limits.IMAP_SMALL_OCTETS
        ):
            self.say(responses.continue_())
        else:
            tag = event.text.partition(b" ")[0]
            self.say(responses.no("Too much mail at once, try again later", tag=tag, code=b"UNAVAILABLE"))
            if not self.receiver.drop():
                self.say_bye("Please begin again")

    def _end_of_command(self) -> None:
        """The tagged answer has been said."""
        session = self.session
        self.running, self.request, self.is_long, self.is_waiting = None, None, False, False
        if session.watch is not None and session.watch.is_listening:
            self._listen()
        else:
            self._hang_bell()
        mailbox_id = session.login.mailbox_id if session.login is not None else 0
        if mailbox_id != self.counted:
            self.imap.count(self, mailbox_id)
            self.receiver.limits = self.imap.after_login if mailbox_id else receiver.BEFORE_LOGIN
            self.commands, self.opened_at = 0, monotonic()
        if session.state is State.LOGOUT:
            self._close()
        elif session.failures >= limits.IMAP_ERRORS:
            self.say_bye("Too many errors")
        elif self.is_leaving:
            self.say_bye("Server is shutting down", code=b"UNAVAILABLE")

    def _go_on_running(self) -> bool:
        """Give the running command what it waits for; False when that is not there yet."""
        request = self.request
        if request is None:  # it gave way to others
            self._step(None)
            return True
        line = self.receiver.line()
        if line is None:
            if self._inflate():
                self.imap.loop.call_soon(self._go_on)
                return False
            if not (self.is_rung and isinstance(request, Wait)):
                return False
            self.is_rung = False
            self.looked_at = monotonic()
            self._step(RANG)
        elif isinstance(line, Refused):
            self._step(None, BadSyntax(line.text.decode()))
            if line.close:
                self.say_bye("Please begin again")
        else:
            self._step(line)
        return True

    def _step(self, value: object, error: BaseException | None = None) -> None:
        """Let the running command go on, here or in a thread."""
        assert self.running is not None
        self.request = None
        self.session.on_loop = self.on_loop
        if not self.on_loop:
            self.is_busy = True
            if self.is_long:
                self.imap.wait_for_turn(self)
            else:
                self.take_turn(value, error)
            return
        try:
            output = self.running.send(value) if error is None else self.running.throw(error)
            while type(output) is bytes:
                self.out.append(output)
                self.out_octets += len(output)
                if not output or self.out_octets >= limits.IMAP_ANSWER_OCTETS:
                    # Enough for one turn: others first.
                    self.flush()
                    self.is_busy = True
                    self.imap.loop.call_soon(self._given_way)
                    return
                output = next(self.running)
        except StopIteration:
            self._end_of_command()
        else:
            self._serve(cast(Request, output))

    def _given_way(self) -> None:
        self.is_busy = False
        if self.transport is None:
            self._forget()
        else:
            self._go_on()

    def take_turn(self, value: object = None, error: BaseException | None = None) -> None:
        """Let the running command go on in a thread."""
        assert self.running is not None
        if self.compression is not None:
            # What is said here is deflated before what the thread says.
            self.flush()
        self.imap.maild.call(turn, self.running, value, error, self.compression).add_done_callback(
            self._turned
        )

    def _turned(self, done: asyncio.Future[tuple[list[bytes], object]]) -> None:
        """A thread has done its turn."""
        if self.is_long:
            self.imap.end_turn()
        self.is_busy = False
        if self.transport is None:
            self._forget()
            return
        out, request = done.result()
        for octets in out:
            (self.say if self.compression is None else self.send)(octets)
        if request is ENDED:
            self._end_of_command()
        elif request is not None:
            self._serve(cast(Request, request))
        else:
            self.is_long = True
        self._go_on()

    def _serve(self, request: Request) -> None:
        """Begin what a command asks for."""
        self.request = request
        if self.is_leaving:
            self.leave_when_done()
        match request:
            case Ask(prompt=prompt):
                self.say(prompt)
            case Wait():
                self._listen()
                # The first look always happens.
                self.is_rung, self.is_waiting = self.is_rung or not self.is_waiting, True
            case Pause(seconds=seconds):
                self.is_busy = True
                self.imap.loop.call_later(seconds, self._brought, None)
            case StartTLS(goodbye=goodbye):
                self.is_busy = True
                self._start_tls(goodbye)
            case Compress(goodbye=goodbye):
                self.is_busy = True
                self.flush()
                self.write(goodbye)
                self.compression = Compression()
                # A client that did not wait for the answer has said what is no DEFLATE.
                self.compression.feed(self.receiver.take_rest())
                self.imap.loop.call_soon(self._brought, None)
            case File(unit=unit):
                self.is_busy = True
                # What is left to do needs no service.
                self.on_loop = True
                self.imap.maild.clerk.file(unit).add_done_callback(self._brought)
            case Work(function=function, arguments=arguments):
                self.is_busy = True
                self.imap.maild.call(function, *arguments).add_done_callback(self._brought)

    def _brought(self, future: asyncio.Future[Any] | None) -> None:
        """What a command asked for is there, or went wrong."""
        self.is_busy = False
        if self.transport is None:
            self._forget()
            if future is not None:
                future.exception()  # seen
            return
        error = future.exception() if future is not None else None
        value = future.result() if future is not None and error is None else None
        self.imap.maild.here(self._step_and_pump, value, error)

    def _step_and_pump(self, value: object, error: BaseException | None) -> None:
        self.imap.snapshots.new_turn()
        self._step(value, error)
        self._pump()

    # --- the bell, and TLS ------------------------------------------------------------------------------

    def ring(self) -> None:
        """Something may be new. Called from any thread."""
        if not self.is_rung:
            self.is_rung = True
            try:
                self.imap.loop.call_soon_threadsafe(self._woken)
            except RuntimeError:
                log.debug("a bell rang after the loop had ended")

    def _woken(self) -> None:
        if self.bell is not None and self.session.login is not None:
            # The ring may mean that the mailbox was suspended.
            self.imap.to_check.add(self.session.login)
            self._go_on()

    def _listen(self) -> None:
        """Listen to what this client is to hear of; first, then look."""
        topics = self.session.topics
        if topics != self.bell_topics:
            self._hang_bell()
            self.bell_topics, self.is_rung = topics, True
            self.bell = doorbell.listen_all(topics, self.ring)

    def _hang_bell(self) -> None:
        if self.bell is not None:
            self.bell.close()
            self.bell, self.bell_topics, self.is_rung = None, [], False

    def _tell_news(self) -> bool:
        """Tell what the client wants to hear of between commands, if something may be new (RFC 5465 §3.1)."""
        watch = self.session.watch
        if not self.is_rung or watch is None or self.session.login is None:
            return False
        self.is_rung = False
        self.looked_at = monotonic()
        self.running = notify.news(self.session)
        self.on_loop = self.session.may_poll_on_loop
        self._step(None)
        return True

    def _start_tls(self, goodbye: bytes) -> None:
        """The handshake, in a task. What came in the clear and was not run yet never is (RFC 3207 §6)."""
        assert self.transport is not None
        # From here on the client's octets are its handshake.
        self.transport.pause_reading()
        self.receiver.take_rest()
        self.flush()
        self.write(goodbye)
        handshake = self.imap.loop.create_task(self.imap.start_tls(self, self.transport))
        handshake.add_done_callback(self._handshaken)

    def _handshaken(self, handshake: asyncio.Task[asyncio.Transport | None]) -> None:
        transport = None if handshake.cancelled() or handshake.exception() else handshake.result()
        if transport is None or self.transport is None:
            self.is_busy = False
            if self.transport is None:
                self._forget()
            self.abort()
            return
        self.transport = transport
        transport.set_write_buffer_limits(limits.IMAP_WRITE_BUFFER_OCTETS)
        self.is_reading = True
        surroundings = self.session.surroundings
        surroundings.is_tls = surroundings.may_login = True
        surroundings.can_starttls = False
        surroundings.endpoint = tls.endpoint_of(transport)
        self._brought(None)


def _log_failure(future: asyncio.Future[None]) -> None:
    if not future.cancelled() and (error := future.exception()):
        log.error("what was recent could not be noted", exc_info=error)
