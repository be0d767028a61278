"""A conversation without a server: commands run by the session, what they ask for done on the spot."""

from mailcore.errors import BadCharset, BadSyntax, MailError
from mailcore.imap.commands import REGISTRY
from mailcore.imap.session import Ask, File, Pause, Session, StartTLS, Surroundings, Wait, Work
from mailcore.imap.wire import parser
from mailcore.imap.wire.receiver import Received
from mailcore.services import messages
from mailcore.services.doors import Login
from mailcore.snapshot import Snapshots
from tests.cast import Cast, Person


class Talk:
    """One client's session. say() runs a command and returns all that the client hears."""

    def __init__(self, person: Person | None = None, *, may_login: bool = True, is_tls: bool = False) -> None:
        surroundings = Surroundings("127.0.0.1", is_tls, may_login, not is_tls, 10_000_000)
        self.session = Session(surroundings, Snapshots())
        self.person = person
        self.paused: list[float] = []
        if person is not None:
            box = person.mailbox
            self.session.enter(Login(person.user.pk, box.pk, box.tenant_id, person.address, "password"))

    def say(self, line: bytes | str, *literals: bytes, lines: tuple[object, ...] = ()) -> str:
        """lines are what the client answers to continuations, or RANG."""
        line = line.encode() if isinstance(line, str) else line
        try:
            command = parser.parse(
                Received(b"a " + line, literals),
                utf8=self.session.is_utf8,
                charsets=self.session.names_charsets,
            )
        except (BadSyntax, BadCharset) as unparsed:
            return self.session.refuse_syntax(unparsed, unparsed.tag).decode()
        running = self.session.run(REGISTRY[command.name], command)
        waiting = list(lines)
        heard: list[bytes] = []
        value: object = None
        error: MailError | None = None
        while True:
            try:
                said = running.throw(error) if error else running.send(value)
            except StopIteration:
                return b"".join(heard).decode("utf-8", "replace")
            value = error = None
            match said:
                case bytes():
                    heard.append(said)
                case Ask(prompt=prompt):
                    heard.append(prompt)
                    value = waiting.pop(0)
                case Wait():
                    value = waiting.pop(0)
                case Work(function=function, arguments=arguments):
                    try:
                        value = function(*arguments)
                    except MailError as raised:
                        error = raised
                case File(unit=unit):
                    (done,) = messages.append_many([unit])
                    value, error = (None, done) if isinstance(done, MailError) else (done, None)
                case Pause(seconds=seconds):
                    self.paused.append(seconds)
                case StartTLS(goodbye=goodbye):
                    heard.append(goodbye)

    def append(self, raw: bytes = b"Subject: x\r\n\r\nHello\r\n", folder: str = "INBOX") -> str:
        return self.say(b"APPEND %b {%d}\r\n" % (folder.encode(), len(raw)), raw)


__all__ = ["Cast", "Talk"]
