r"""Plays golden conversations: tests/transcripts/{imap,pop3,smtp}/*.txt against a running maild.

    # What this shows.
    @ mail alice 2                  set-up and checks, see the methods do_* below
    S1: +OK ... ready               client 1 hears (its first line connects it); "..." is any text
    C1: USER $alice                 client 1 says, with CR LF; lines that follow each other go out together
    C1> QUIT\n                      exactly these octets
    S1: +OK $count messages         a new $name takes what stands there, a known one must stand there
    S1: ...                         alone: any lines, until the next S1 fits
    S1!: * ... EXPUNGE              must not be among the lines up to the next S1

Escapes: \r \n \0 \t \xNN \\ \$ \. (dots that are no "..."), in both directions. Known from the start: $alice
and $bob (one tenant, one domain), $charlie (another tenant), their $password, $plain (SASL PLAIN of Alice),
$login_name and $login_password (the same for LOGIN), $domain, $host and $empty. Each is played twice: as it
stands, and one octet at a time.
"""

import base64
import contextlib
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from mailcore import limits
from mailcore.imap.wire import withheld
from mailcore.models import Message, User
from mailcore.services import mailboxes, messages, tenants, ways
from tests import cast
from tests.maild import LiveMaild

FOLDER = Path(__file__).parent / "transcripts"
SECONDS = 10
_LINE = re.compile(r"(?:(?P<side>[CS])(?P<client>\d?)(?P<mark>[:>]|!:) ?|(?P<at>@) ?)(?P<text>.*)")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))")
_PLAIN_ESCAPES = {"r": "\r", "n": "\n", "0": "\0", "t": "\t"}
_PIECE = re.compile(
    r"(?P<any>\.\.\.)|\$(?P<name>[a-z_]\w*)|(?P<escape>\\x[0-9a-fA-F]{2}|\\.)|(?P<text>[^.$\\]+|.)", re.DOTALL
)


def transcripts() -> list[Path]:
    return sorted(FOLDER.glob("*/*.txt"))


@dataclass(frozen=True)
class Step:
    """One line of a transcript."""

    number: int
    kind: str  # "C", "C>", "S", "S!", "@"
    client: str
    text: str


def read(path: Path) -> list[Step]:
    steps = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        assert match, f"{path.name}:{number}: no transcript line: {line!r}"
        kind = match["at"] or match["side"] + match["mark"].replace(":", "")
        steps.append(Step(number, kind, match["client"] or "1", match["text"]))
    return steps


def _escaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _PLAIN_ESCAPES.get(match[2], match[2])


def octets_of(text: str, values: dict[str, bytes]) -> bytes:
    """What a C line sends: variables and escapes put in. \\xNN is one octet; other text is UTF-8."""
    out = []
    for piece in _PIECE.finditer(text):
        if piece["name"]:
            out.append(values[piece["name"]])
        elif piece["escape"]:
            out.append(_ESCAPE.sub(_escaped, piece["escape"]).encode("latin-1"))
        else:
            out.append(piece[0].encode())
    return b"".join(out)


def pattern_of(text: str, values: dict[str, bytes]) -> re.Pattern[bytes]:
    """What an S line expects."""
    out, named = [], set()
    for piece in _PIECE.finditer(text):
        name = piece["name"]
        if piece["any"]:
            out.append(b".*")
        elif name and name in values:
            out.append(re.escape(values[name]))
        elif name and name in named:
            out.append(b"(?P=%b)" % name.encode())
        elif name:
            named.add(name)
            out.append(rb"(?P<%b>[^\s\])}]+)" % name.encode())
        else:
            out.append(re.escape(octets_of(piece[0], values)))
    return re.compile(b"".join(out), re.DOTALL)


class Client:
    """One socket of a play."""

    def __init__(self, port: int) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.is_closed = False

    def line(self) -> bytes | None:
        """The next line without CR LF; None at the end."""
        while b"\r\n" not in self.buffer:
            try:
                chunk = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                chunk = b""
            if not chunk:
                self.is_closed = True
                return None
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def pending(self) -> bytes:
        """What has come and nobody has read."""
        self.socket.settimeout(0)
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ConnectionError):
            while chunk := self.socket.recv(65536):
                self.buffer += chunk
        self.socket.settimeout(SECONDS)
        return self.buffer


class Play:
    """One play of one transcript."""

    def __init__(self, path: Path, maild: LiveMaild, monkeypatch, *, octet_by_octet: bool) -> None:
        self.path = path
        self.maild = maild
        self.monkeypatch = monkeypatch
        self.octet_by_octet = octet_by_octet
        self.protocol = path.parent.name
        self.clients: dict[str, Client] = {}
        self.saying: dict[str, bytes] = {}
        self.heard: list[str] = []
        self.skipping: dict[str, bool] = {}
        self.never: dict[str, list[re.Pattern[bytes]]] = {}
        domain = maild.domain()
        self.people = {
            "alice": maild.person("alice", domain),
            "bob": maild.person("bob", domain),
            "charlie": maild.person("charlie"),
        }
        address, password = self.people["alice"].address.encode(), cast.PASSWORD.encode()
        self.values = {name: person.address.encode() for name, person in self.people.items()} | {
            "password": password,
            "plain": base64.b64encode(b"\0" + address + b"\0" + password),
            "login_name": base64.b64encode(address),
            "login_password": base64.b64encode(password),
            "domain": domain.name.encode(),
            "host": settings.HOSTMAIL_HOSTNAME.encode(),
            "empty": b"",
        }

    def run(self) -> None:
        step = None
        try:
            for step in read(self.path):
                if self.saying and (step.kind not in ("C", "C>") or step.client not in self.saying):
                    self._send()
                if step.kind in ("C", "C>"):
                    end = b"\r\n" if step.kind == "C" else b""
                    said = octets_of(step.text, self.values) + end
                    self.saying[step.client] = self.saying.get(step.client, b"") + said
                elif step.kind == "S":
                    self._hear(step.client, step.text)
                elif step.kind == "S!":
                    self.never.setdefault(step.client, []).append(pattern_of(step.text, self.values))
                else:
                    word, _, rest = step.text.partition(" ")
                    getattr(self, f"do_{word}")(rest)
            self._send()
            for number, client in self.clients.items():
                assert not client.pending(), f"S{number} said more: {client.pending()[:500]!r}"
                assert not self.never.get(number), f"S{number}!: has no S{number}: line after it"
        except (AssertionError, OSError, KeyError) as error:
            where = f"{self.path.parent.name}/{self.path.name}:{step.number if step else 0}"
            how = "octet by octet" if self.octet_by_octet else "whole"
            heard = "\n".join(self.heard[-15:])
            raise AssertionError(
                f"{where} ({how}): {error!r}\n{step and step.text}\nHeard last:\n{heard}"
            ) from error
        finally:
            for client in self.clients.values():
                client.socket.close()

    def client(self, number: str) -> Client:
        if number not in self.clients:
            self.clients[number] = Client(self.maild.ports[self.protocol])
        return self.clients[number]

    def _send(self) -> None:
        saying, self.saying = self.saying, {}
        for number, octets in saying.items():
            client = self.client(number)
            self.heard.append(f"C{number}: {octets[:200]!r}")
            if not self.octet_by_octet or len(octets) > 20_000:
                client.socket.sendall(octets)
                continue
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it hung up in the middle
                for at in range(len(octets)):
                    client.socket.sendall(octets[at : at + 1])
                    self.maild.turn()

    def _hear(self, number: str, text: str) -> None:
        if text == "...":
            self.skipping[number] = True
            return
        client, expected = self.client(number), pattern_of(text, self.values)
        skipping, never = self.skipping.pop(number, False), self.never.pop(number, [])
        while True:
            line = client.line()
            self.heard.append(f"S{number}: {line!r}")
            assert line is not None, f"S{number} hung up"
            match = expected.fullmatch(line)
            if match:
                self.values.update(match.groupdict())
                return
            for pattern in never:
                assert not pattern.fullmatch(line), f"S{number} must not say {line!r}"
            assert skipping, f"S{number} said {line!r}"

    # --- set-up and checks: "@ word rest" -----------------------------------------------------------------

    def do_mail(self, rest: str) -> None:
        """alice 3: three small mails. alice: text: this mail. alice 2 Sent: in that folder."""
        who, colon, raw = rest.partition(": ")
        name, *words = who.split(" ")
        if colon:
            self.maild.file(self.people[name], octets_of(raw, self.values))
            return
        folder = words[1].lower() if len(words) > 1 else "inbox"
        self.maild.file(
            self.people[name],
            *(
                b"From: Ann <ann@example.org>\r\nSubject: Mail %d\r\nMessage-ID: <%d@example.org>\r\n"
                b"\r\nBody %d\r\n" % (number, number, number)
                for number in range(1, int(words[0]) + 1)
            ),
            folder=folder,
        )

    def do_let(self, rest: str) -> None:
        """name = text, or text * count."""
        name, _, text = rest.partition(" = ")
        text, star, count = text.rpartition(" * ") if re.search(r" \* \d+\Z", text) else (text, "", "1")
        self.values[name] = octets_of(text, self.values) * int(count)

    def do_limit(self, rest: str) -> None:
        """NAME number: of limits.py, or a setting HOSTMAIL_..."""
        name, _, number = rest.partition(" ")
        value = int(number) if re.fullmatch(r"-?\d+", number) else number
        self.monkeypatch.setattr(settings if name.startswith("HOSTMAIL_") else limits, name, value)

    def do_withhold(self, rest: str) -> None:
        """alice IDLE: her programs are not offered that. Odd Mail: IDLE: nor are programs of that name."""
        if ":" in rest:
            self.monkeypatch.setattr(settings, "HOSTMAIL_IMAP_WITHOUT", withheld.read_clients(rest))
        else:
            name, _, words = rest.partition(" ")
            ways.change(self.people[name].mailbox, imap_without=words, actor=None)

    def do_suspend(self, name: str) -> None:
        mailboxes.suspend(self.people[name].mailbox, actor=None)

    def do_suspend_tenant(self, name: str) -> None:
        tenants.suspend(self.people[name].tenant, "test", actor=None)

    def do_staff(self, name: str) -> None:
        """Let somebody run the service."""
        User.objects.filter(pk=self.people[name].user.pk).update(is_staff=True)

    def do_fill(self, name: str) -> None:
        """Leave no room in a mailbox."""
        mailboxes.set_quota(self.people[name].mailbox, 1, actor=None)

    def do_person(self, name: str) -> None:
        """One more mailbox in Alice's domain: $name is its address."""
        self.people[name] = self.maild.person(name, self.people["alice"].domain)
        self.values[name] = self.people[name].address.encode()

    def do_alias(self, rest: str) -> None:
        """name target...: an alias in Alice's domain."""
        from mailcore.services import addresses

        name, *targets = octets_of(rest, self.values).decode().split(" ")
        domain = self.people["alice"].domain
        addresses.add_alias(domain.tenant, f"{name}@{domain.name}", targets, actor=None)

    def do_tls(self, number: str) -> None:
        """Shake hands now."""
        client = self.client(number)
        assert not client.pending(), f"said before the handshake: {client.buffer!r}"
        client.socket = ssl._create_unverified_context().wrap_socket(
            client.socket, server_hostname="localhost"
        )

    def do_closed(self, number: str) -> None:
        """The server has hung up, and said no more."""
        line = self.client(number).line()
        assert line is None, f"S{number} said {line!r}"

    def do_close(self, number: str) -> None:
        """The client hangs up."""
        self.clients.pop(number).socket.close()

    def do_shut(self, number: str) -> None:
        """The client has said all it will say."""
        self.client(number).socket.shutdown(socket.SHUT_WR)

    def do_whole(self, rest: str) -> None:
        """The rest is another thing octet by octet; rest says why."""
        if self.octet_by_octet:
            raise Elsewhere

    def do_holds(self, rest: str) -> None:
        """alice 2 [Sent]: so many messages are there."""
        name, count, *folder = rest.split(" ")
        found = self._messages(name, folder[0] if folder else "INBOX")
        assert len(found) == int(count), f"{name} has {len(found)} messages"

    def do_kept(self, rest: str) -> None:
        """alice 1: text: what was kept of the first message ends so."""
        who, _, text = rest.partition(": ")
        name, number = who.split(" ")
        raw = messages.raw_of(self._messages(name, "INBOX")[int(number) - 1]).raw
        assert raw.endswith(octets_of(text, self.values)), raw

    def _messages(self, name: str, folder: str) -> list[int]:
        mailbox = self.people[name].mailbox
        pk = mailbox.folders.get(name=folder).pk
        return list(Message.objects.filter(folder_id=pk).order_by("uid").values_list("content_id", flat=True))


class Elsewhere(Exception):
    """The rest of a transcript is for the other play."""


def play(path: Path, maild: LiveMaild, monkeypatch) -> None:
    """Play one transcript both ways."""
    for octet_by_octet in (False, True):
        with monkeypatch.context() as patches, contextlib.suppress(Elsewhere):
            Play(path, maild, patches, octet_by_octet=octet_by_octet).run()
