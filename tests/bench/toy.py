"""A mail server of a few hundred lines for testing the load programs: right by default, wrong where a test
asks for it.

SMTP at one port files into mailboxes, submission at another relays to a sink, IMAP reads. Everything lives
in memory, in one thread with an event loop of its own.
"""

import asyncio
import base64
import re
import threading
from email import message_from_bytes, policy

from bench.report import Login, Target

LITERAL = re.compile(rb"\{(\d+)\+?\}$")
PREFIX = b"Return-Path: <sender@toy.example>\r\nReceived: from toy\r\n"


class Item:
    def __init__(self, uid: int, raw: bytes, flags: set[bytes]) -> None:
        self.uid, self.raw, self.flags = uid, raw, flags


class Toy:
    """faults: lose, double, change (of mail in); forget (searches), reject (recipients), deaf (IDLE)."""

    def __init__(
        self, faults: set[str] = frozenset(), pipelining: bool = True, capabilities: str = ""
    ) -> None:
        self.faults, self.pipelining = set(faults), pipelining
        self.capabilities = capabilities or "IMAP4rev1 LITERAL+ IDLE MOVE UIDPLUS"
        self.folders: dict[tuple[str, str], list[Item]] = {}
        self.uid = 0
        self.received = 0
        self.idlers: list[Imap] = []
        self.sink_port = 0
        self.logins = [Login(f"u{number}@toy.example", f"secret{number}") for number in range(4)]
        for login in self.logins:
            self.folders[login.address, "INBOX"] = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.servers: list[asyncio.Server] = []
        self.transports: set[asyncio.Transport] = set()
        self.tasks: set[asyncio.Task] = set()

    def __enter__(self) -> Target:
        self.thread.start()
        ports = {}
        for name, factory in (
            ("smtp", lambda: Smtp(self, False)),
            ("submission", lambda: Smtp(self, True)),
            ("imap", lambda: Imap(self)),
        ):
            made = asyncio.run_coroutine_threadsafe(
                self.loop.create_server(factory, "127.0.0.1", 0), self.loop
            )
            self.servers.append(made.result(5))
            ports[name] = self.servers[-1].sockets[0].getsockname()[1]
        return Target("toy", ports=ports, logins=list(self.logins))

    def __exit__(self, *_) -> None:
        asyncio.run_coroutine_threadsafe(self.close(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    async def close(self) -> None:
        for server in self.servers:
            server.close()
        for transport in self.transports:
            transport.abort()
        await asyncio.sleep(0.01)

    def file(self, address: str, folder: str, raw: bytes, flags: set[bytes] = frozenset()) -> None:
        self.uid += 1
        self.folders[address, folder].append(Item(self.uid, raw, set(flags)))
        for idler in self.idlers:
            if idler.address == address and folder == "INBOX" and "deaf" not in self.faults:
                idler.transport.write(b"* %d EXISTS\r\n" % len(self.folders[address, folder]))

    def take(self, recipients: list[str], raw: bytes) -> None:
        self.received += 1
        if self.received == 5:
            if "lose" in self.faults:
                return
            if "double" in self.faults:
                self.file(recipients[0], "INBOX", raw)
            if "change" in self.faults:
                raw = raw.replace(b"e", b"E")
        for recipient in recipients:
            self.file(recipient, "INBOX", PREFIX + raw)

    def relay(self, reverse_path: str, recipients: list[str], raw: bytes) -> None:
        self.received += 1
        if self.received == 5 and "lose" in self.faults:
            return
        times = 2 if self.received == 5 and "double" in self.faults else 1
        for _ in range(times):
            task = asyncio.ensure_future(self._send(reverse_path, recipients, raw))
            self.tasks.add(task)  # the loop itself does not keep it from being collected
            task.add_done_callback(self.tasks.discard)

    async def _send(self, reverse_path: str, recipients: list[str], raw: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.sink_port)
        await reader.readline()
        for line in (
            b"HELO toy",
            b"MAIL FROM:<%s>" % reverse_path.encode(),
            b"RCPT TO:<%s>" % recipients[0].encode(),
            b"DATA",
        ):
            writer.write(line + b"\r\n")
            while (await reader.readline())[3:4] == b"-":
                pass
        stuffed = raw.replace(b"\r\n.", b"\r\n..")
        writer.write(stuffed + b".\r\nQUIT\r\n")
        await reader.readline()
        writer.close()
        await writer.wait_closed()


class Smtp(asyncio.Protocol):
    def __init__(self, toy: Toy, is_submission: bool) -> None:
        self.toy, self.is_submission = toy, is_submission
        self.buffer = b""
        self.in_data = False
        self.recipients: list[str] = []
        self.reverse_path = ""
        self.may_send = not is_submission

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.toy.transports.add(transport)
        transport.write(b"220 toy ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            if self.in_data:
                end = (b"\r\n" + self.buffer).find(b"\r\n.\r\n")
                if end < 0:
                    return
                raw, self.buffer = self.buffer[:end], self.buffer[end + 3 :]
                raw = (b"\r\n" + raw).replace(b"\r\n..", b"\r\n.")[2:]
                self.in_data = False
                if self.is_submission:
                    self.toy.relay(self.reverse_path, self.recipients, raw)
                else:
                    self.toy.take(self.recipients, raw)
                self.say(b"250 ok")
                continue
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                return
            self.buffer = rest
            self.command(line)

    def command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self.say(
                b"250-toy\r\n" + (b"250-PIPELINING\r\n" if self.toy.pipelining else b"") + b"250 AUTH PLAIN"
            )
        elif verb == b"AUTH":
            _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
            self.may_send = Login(user, password) in self.toy.logins
            self.say(b"235 ok" if self.may_send else b"535 no")
        elif verb == b"MAIL":
            if self.buffer and not self.toy.pipelining:
                self.transport.abort()
            self.reverse_path, self.recipients = line.decode()[11:].strip("<>"), []
            self.say(b"250 ok" if self.may_send else b"530 no")
        elif verb == b"RCPT":
            self.recipients.append(line.decode()[9:].strip("<>"))
            self.say(b"550 no" if "reject" in self.toy.faults else b"250 ok")
        elif verb == b"DATA":
            self.in_data = True
            self.say(b"354 go on")
        elif verb == b"QUIT":
            self.say(b"221 bye")
            self.transport.close()
        else:
            self.say(b"502 what?")

    def say(self, line: bytes) -> None:
        self.transport.write(line + b"\r\n")


class Imap(asyncio.Protocol):
    """Understands what the load programs say, and hardly more."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.buffer = b""
        self.address = ""
        self.folder = ""
        self.idle_tag = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.toy.transports.add(transport)
        transport.write(b"* OK toy\r\n")

    def connection_lost(self, exc) -> None:
        if self in self.toy.idlers:
            self.toy.idlers.remove(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self.buffer:
            pieces, at = [], 0
            while True:
                end = self.buffer.find(b"\r\n", at)
                if end < 0:
                    return
                text = self.buffer[at:end]
                at = end + 2
                found = LITERAL.search(text)
                if not found:
                    pieces.append(text)
                    break
                size = int(found[1])
                if len(self.buffer) < at + size:
                    if not text.endswith(b"+}") and len(self.buffer) == at:
                        self.say(b"+ go on")
                    return
                pieces += [text, self.buffer[at : at + size]]
                at += size
            self.buffer = self.buffer[at:]
            self.command(pieces)

    def say(self, *lines: bytes) -> None:
        self.transport.write(b"".join(line + b"\r\n" for line in lines))

    @property
    def items(self) -> list[Item]:
        return self.toy.folders[self.address, self.folder]

    def command(self, pieces: list[bytes]) -> None:
        words = [word.strip(b'"') for word in pieces[0].split(b" ")]
        tag, verb = words[0], words[1].upper() if len(words) > 1 else b""
        if verb == b"UID":
            verb = b"UID_" + words.pop(2).upper()
        handler = getattr(self, "do_" + verb.decode().lower(), None)
        if handler is None:
            self.say(tag + b" BAD what?")
        elif (problem := handler(tag, words[2:], pieces)) is not False:
            self.say(tag + b" " + (problem or b"OK done"))

    def chosen(self, what: bytes) -> list[int]:
        first, _, last = what.partition(b":")
        total = len(self.items)
        number = lambda text: total if text == b"*" else int(text)  # noqa: E731
        return list(range(number(first) - 1, number(last or first)))

    def do_capability(self, tag, words, pieces):
        self.say(b"* CAPABILITY " + self.toy.capabilities.encode())

    def do_login(self, tag, words, pieces):
        if Login(words[0].decode(), words[1].decode()) not in self.toy.logins:
            return b"NO wrong"
        self.address = words[0].decode()
        return None

    def do_logout(self, tag, words, pieces):
        self.say(b"* BYE", tag + b" OK")
        self.transport.close()
        return False

    def do_noop(self, tag, words, pieces):
        return None

    def do_select(self, tag, words, pieces):
        self.folder = words[0].decode()
        self.say(b"* %d EXISTS" % len(self.items))

    def do_status(self, tag, words, pieces):
        count = len(self.toy.folders[self.address, words[0].decode()])
        self.say(b'* STATUS "%s" (MESSAGES %d)' % (words[0], count))

    def do_create(self, tag, words, pieces):
        self.toy.folders[self.address, words[0].decode()] = []

    def do_delete(self, tag, words, pieces):
        if self.toy.folders.pop((self.address, words[0].decode()), None) is None:
            return b"NO such folder"
        return None

    def do_append(self, tag, words, pieces):
        for text, raw in zip(pieces[::2], pieces[1::2], strict=False):
            flags = {b"\\Seen"} if b"\\Seen" in text else set()
            self.toy.file(self.address, words[0].decode(), raw, flags)

    def do_idle(self, tag, words, pieces):
        self.toy.idlers.append(self)
        self.say(b"+ idling")
        return False

    def do_fetch(self, tag, words, pieces):
        wanted = b" ".join(words[1:])
        for index in self.chosen(words[0]):
            self.tell(index, wanted)

    def do_uid_fetch(self, tag, words, pieces):
        for index, item in enumerate(self.items):
            if item.uid == int(words[0]):
                self.tell(index, b" ".join(words[1:]))

    def tell(self, index: int, wanted: bytes) -> None:
        item = self.items[index]
        out = b"* %d FETCH (UID %d FLAGS (%s)" % (index + 1, item.uid, b" ".join(item.flags))
        if b"ENVELOPE" in wanted:
            out += b' INTERNALDATE "x" RFC822.SIZE %d ENVELOPE (NIL) BODYSTRUCTURE (NIL)' % len(item.raw)
        if b"HEADER.FIELDS" in wanted:
            head = item.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            out += b" BODY[HEADER] {%d}\r\n%s" % (len(head), head)
        elif b"BODY.PEEK[]" in wanted:
            out += b" BODY[] {%d}\r\n%s" % (len(item.raw), item.raw)
        self.say(out + b")")

    def do_search(self, tag, words, pieces):
        key, needle = words[0], words[-1].decode().lower()
        found = []
        for index, item in enumerate(self.items):
            mail = message_from_bytes(item.raw, policy=policy.default)
            text = " ".join(
                part.get_content()
                for part in mail.walk()
                if part.get_content_type() in ("text/plain", "text/html")
            )
            where = {
                b"FROM": str(mail["from"]),
                b"SUBJECT": str(mail["subject"]),
                b"TEXT": text,
                b"BODY": text,
            }
            hit = b"\\Seen" not in item.flags if key == b"UNSEEN" else needle in where[key].lower()
            if hit:
                found.append(b"%d" % (index + 1))
        if "forget" in self.toy.faults:
            found = found[1:]
        self.say(b"* SEARCH " + b" ".join(found))

    def do_store(self, tag, words, pieces):
        flag = words[2].strip(b"()")
        for index in self.chosen(words[0]):
            item = self.items[index]
            (item.flags.add if words[1][:1] == b"+" else item.flags.discard)(flag)
            if b"SILENT" not in words[1]:
                self.tell(index, b"")

    def do_copy(self, tag, words, pieces):
        for index in self.chosen(words[0]):
            item = self.items[index]
            self.toy.file(self.address, words[1].decode(), item.raw, item.flags)

    def do_move(self, tag, words, pieces):
        numbers = self.chosen(words[0])
        self.do_copy(tag, words, pieces)
        for index in reversed(numbers):
            del self.items[index]
            self.say(b"* %d EXPUNGE" % (index + 1))

    def do_expunge(self, tag, words, pieces):
        for index in reversed(range(len(self.items))):
            if b"\\Deleted" in self.items[index].flags:
                del self.items[index]
                self.say(b"* %d EXPUNGE" % (index + 1))
