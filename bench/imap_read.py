"""IMAP reading: what clients do with one large folder, one figure per kind of command.

    python -m bench.imap_read --server DIR/server.json --messages 10000

The folder is loaded by APPEND first. Every answer is checked against what was loaded (counts, UIDs, search
results, octets of every body); one wrong answer makes the figures void. What the server does not offer is
left out, with a note. Times are those of one command, from the first octet out to the last octet in;
medians of --repeat, except where the name says "first ever".
"""

import argparse
import hashlib
import random
import re
import select as poller
import sys
import time
from collections.abc import Callable

from bench import mix
from bench.imap_client import Imap, ImapError, fetches, number_in
from bench.procs import Meter
from bench.report import Login, Report, Target, add_target_options, target_of

FOLDER, NEW_FOLDER, COPY_FOLDER, MOVE_FOLDER = "bench-read", "bench-new", "bench-copy", "bench-move"
MULTIAPPEND_COUNT = 200
PIPELINED_COUNT = 50
# After loading and a first SELECT, which moves new mail into place in a Maildir: while such a change is a
# second or two young, Dovecot reads the whole directory at each SELECT, which is not how folders are met.
SETTLE_SECONDS = 5
OVERVIEW = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
HEADERS = "(UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE MESSAGE-ID)])"


class Reading:
    """One run over one mailbox."""

    def __init__(
        self, target: Target, login: Login, messages: int, seed: int, repeat: int, seconds: float
    ) -> None:
        self.target, self.login = target, login
        self.repeat, self.seconds = repeat, seconds
        self.report = Report("imap_read", target.name)
        self.mails: list[mix.Mail] = list(mix.generate(messages, seed))
        # Every third message is unread, as SEARCH UNSEEN must find.
        self.unread = {number for number in range(messages) if number % 3 == 0}
        self.octets = sum(len(mail.raw) for mail in self.mails)
        self.count = messages
        self.imap = self.connect()

    def connect(self, folder: str = "") -> Imap:
        imap = Imap(self.target.host, self.target.port("imap"))
        try:
            imap.login(self.login.address, self.login.password)
        except ImapError:
            imap.socket.close()
            raise
        if folder:
            imap.select(folder)
        return imap

    # Logins

    def logins(self, cold: list[Login]) -> None:
        """Time the first login of each cold mailbox, then repeated logins of one."""
        report, target = self.report, self.target
        if cold:
            times = []
            for login in cold:
                imap = Imap(target.host, target.port("imap"))
                imap.login(login.address, login.password)
                times.append(imap.seconds)
                imap.logout()
            report.add_median("LOGIN, first of a mailbox (cold)", times)
        times = []
        for _ in range(20):
            imap = self.connect()
            times.append(imap.seconds)
            imap.logout()
        report.add_median("LOGIN, repeated", times)
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < self.seconds:
            imap = Imap(target.host, target.port("imap"))
            imap.command("LOGIN", self.login.address, self.login.password)
            imap.command("LOGOUT")
            imap.socket.close()
            done += 1
        rate = done / (time.perf_counter() - started)
        report.add("connect + LOGIN + LOGOUT, one after the other", rate, "/s", better="higher")

    # Loading

    def load(self, folder: str, mails: list[mix.Mail]) -> None:
        """Fill folder by APPEND, in the best way the server offers."""
        imap = self.imap
        imap.recreate(folder)
        pairs = [(b"" if mail.number in self.unread else rb"\Seen", mail.raw) for mail in mails]
        if "MULTIAPPEND" in imap.capabilities:
            for at in range(0, len(pairs), MULTIAPPEND_COUNT):
                imap.append(folder, pairs[at : at + MULTIAPPEND_COUNT])
        elif "LITERAL+" in imap.capabilities:
            for at in range(0, len(pairs), PIPELINED_COUNT):
                imap.append_pipelined(folder, pairs[at : at + PIPELINED_COUNT])
        else:
            for pair in pairs:
                imap.append(folder, [pair])

    def loading(self) -> None:
        imap, report = self.imap, self.report
        few = self.mails[: min(100, self.count)]
        imap.recreate(NEW_FOLDER)
        started = time.perf_counter()
        for mail in few:
            imap.append(NEW_FOLDER, [(b"", mail.raw)])
        report.add(
            "APPEND, one at a time", len(few) / (time.perf_counter() - started), "msg/s", better="higher"
        )
        started = time.perf_counter()
        self.load(FOLDER, self.mails)
        rate = self.count / (time.perf_counter() - started)
        if "MULTIAPPEND" in imap.capabilities:
            report.add(f"MULTIAPPEND of {MULTIAPPEND_COUNT}", rate, "msg/s", better="higher")
        else:
            report.note("MULTIAPPEND is not offered")
            if "LITERAL+" in imap.capabilities:
                report.add(f"APPEND, {PIPELINED_COUNT} sent ahead", rate, "msg/s", better="higher")
        found = imap.messages(FOLDER)
        report.check(found == self.count, f"{found} of {self.count} appended messages are there")

    # Reading

    def timed(
        self, name: str, action: Callable[[], bytes], check: Callable[[bytes], None], repeat: int = 0
    ) -> None:
        """Add the median time of action, a command on self.imap; check each answer off the clock."""
        times = []
        for _ in range(repeat or self.repeat):
            data = action()
            times.append(self.imap.seconds)
            check(data)
        self.report.add_median(name, times)

    def expect_fetches(self, name: str, wanted: int, *needed: bytes) -> Callable[[bytes], None]:
        def check(data: bytes) -> None:
            seen = 0
            for text, _literals in fetches(data):
                seen += 1
                if any(word not in text for word in needed):
                    self.report.error(f"{name}: {text[:200]!r} lacks something")
                    return
            self.report.check(seen == wanted, f"{name}: {seen} FETCH responses, {wanted} expected")

        return check

    def selecting(self) -> None:
        times = []
        for _ in range(self.repeat):
            self.imap.logout()
            self.imap = self.connect()
            exists = self.imap.select(FOLDER)
            times.append(self.imap.seconds)
            self.report.check(exists == self.count, f"SELECT says {exists} EXISTS")
        self.report.add_median("SELECT, new session", times)

        def check(data: bytes) -> None:
            self.report.check(
                number_in(rb"\* (\d+) EXISTS", data) == self.count, "SELECT again: wrong EXISTS"
            )

        self.timed("SELECT, again", lambda: self.imap.command("SELECT", FOLDER), check)

    def fetching(self) -> None:
        count, newest = self.count, min(50, self.count)
        fetch = lambda what, items: lambda: self.imap.command("FETCH", what, items)  # noqa: E731
        flags = self.expect_fetches("FLAGS", count, b"UID ", b"FLAGS (")
        self.timed("FETCH 1:* (UID FLAGS)", fetch("1:*", "(UID FLAGS)"), flags)

        self.imap.select(NEW_FOLDER)
        have = min(100, self.count)
        last50 = self.expect_fetches("newest 50", min(newest, have), b"ENVELOPE (", b"BODYSTRUCTURE (")
        window = f"{have - min(newest, have) + 1}:*"
        self.timed("newest 50, first ever", fetch(window, OVERVIEW), last50, repeat=1)
        self.imap.select(FOLDER)
        everything = self.expect_fetches(
            "ENVELOPE", count, b"ENVELOPE (", b"BODYSTRUCTURE (", b"INTERNALDATE"
        )
        self.timed(
            "FETCH 1:* ENVELOPE BODYSTRUCTURE, first ever", fetch("1:*", OVERVIEW), everything, repeat=1
        )
        self.timed("FETCH 1:* ENVELOPE BODYSTRUCTURE, cached", fetch("1:*", OVERVIEW), everything)
        times = []
        window = f"{count - newest + 1}:*"
        last50 = self.expect_fetches("newest 50", newest, b"ENVELOPE (", b"BODYSTRUCTURE (")
        for _ in range(self.repeat):
            imap = self.connect(FOLDER)
            data = imap.command("FETCH", window, OVERVIEW)
            times.append(imap.seconds)
            last50(data)
            imap.logout()
        self.report.add_median("newest 50, new session", times)
        self.timed("newest 50, warm session", fetch(window, OVERVIEW), last50)

        def check_headers(data: bytes) -> None:
            seen = 0
            for (_text, literals), mail in zip(fetches(data), self.mails, strict=False):
                seen += 1
                if (
                    not literals
                    or mail.message_id.encode() not in literals[0]
                    or b"\r\nSubject: " not in literals[0]
                ):
                    self.report.error(f"header fields of message {mail.number + 1} are wrong")
                    return
            self.report.check(seen == count, f"header fields of {seen} messages, {count} expected")

        self.timed("FETCH 1:* header fields", fetch("1:*", HEADERS), check_headers)

    def searching(self) -> None:
        mails = self.mails
        author = mails[0].author.partition("@")[0]
        topic = mails[0].subject.split()[0]
        wanted = {
            "UNSEEN": {number + 1 for number in self.unread},
            f"FROM {author}": {m.number + 1 for m in mails if author in m.author},
            f"SUBJECT {topic}": {m.number + 1 for m in mails if topic.lower() in m.subject.lower()},
            f"TEXT {mix.TEXT_NEEDLE}": {m.number + 1 for m in mails if m.has_text_needle},
            f"BODY {mix.BODY_NEEDLE}": {m.number + 1 for m in mails if m.has_body_needle},
            f"BODY {mix.ABSENT_NEEDLE}": set(),
        }
        for words, numbers in wanted.items():

            def check(data: bytes, words: str = words, numbers: set[int] = numbers) -> None:
                found: set[int] = set()
                for line in re.findall(rb"(?m)^\* SEARCH ?([\d ]*)\r$", data):
                    found.update(map(int, line.split()))
                self.report.check(
                    found == numbers, f"SEARCH {words} found {len(found)}, {len(numbers)} expected"
                )

            key = words.split()[0] + (" (nothing found)" if words.endswith(mix.ABSENT_NEEDLE) else "")
            self.timed(f"SEARCH {key}", lambda words=words: self.imap.command("SEARCH", words), check)

    def sorting(self) -> None:
        capabilities, imap = self.imap.capabilities, self.imap
        if "SORT" in capabilities:
            in_order = [
                mail.number + 1 for mail in sorted(self.mails, key=lambda mail: (mail.sent_at, mail.number))
            ]

            def check(data: bytes) -> None:
                found = [
                    int(word)
                    for line in re.findall(rb"(?m)^\* SORT ([\d ]*)\r$", data)
                    for word in line.split()
                ]
                self.report.check(found == in_order, "SORT DATE: wrong order")

            self.timed("SORT DATE", lambda: imap.command("SORT (DATE) UTF-8 ALL"), check)
        else:
            self.report.note("SORT is not offered")
        if "THREAD=REFERENCES" in capabilities:

            def check_threads(data: bytes) -> None:
                line = b"".join(re.findall(rb"(?m)^\* THREAD (.*)\r$", data))
                found = sorted(map(int, re.findall(rb"\d+", line)))
                self.report.check(found == list(range(1, self.count + 1)), "THREAD: not every message once")

            self.timed(
                "THREAD REFERENCES", lambda: imap.command("THREAD REFERENCES UTF-8 ALL"), check_threads
            )
        else:
            self.report.note("THREAD=REFERENCES is not offered")

    def storing(self) -> None:
        many = min(1000, self.count)
        imap, report = self.imap, self.report
        for what, wanted in ((f"1:{many}", many), (str(self.count), 1)):
            times = []
            for _ in range(self.repeat):
                for sign, is_set in (("+", True), ("-", False)):
                    data = imap.command("STORE", what, sign + "FLAGS", r"(\Flagged)")
                    times.append(imap.seconds)
                    told = [text for text, _ in fetches(data)]
                    right = len(told) == wanted and all((rb"\Flagged" in text) == is_set for text in told)
                    report.check(right, f"STORE {sign}FLAGS on {wanted}: {len(told)} FETCH responses")
            report.add_median(f"STORE FLAGS on {'one' if wanted == 1 else f'{wanted:,}'}", times)

    def copying(self) -> None:
        """COPY to a folder, then MOVE and EXPUNGE there."""
        imap, report = self.imap, self.report
        many, some = min(1000, self.count), min(500, self.count // 2)
        times = []
        for round_number in range(self.repeat):
            if round_number == 0:
                imap.recreate(COPY_FOLDER)
            imap.command("COPY", f"1:{many}", COPY_FOLDER)
            times.append(imap.seconds)
        report.add_median(f"COPY {many:,}", times)
        left = many * self.repeat
        report.check(
            imap.messages(COPY_FOLDER) == left, f"COPY: {imap.messages(COPY_FOLDER)} messages, not {left}"
        )
        imap.select(COPY_FOLDER)
        if "MOVE" in imap.capabilities:
            imap.recreate(MOVE_FOLDER)
            times = []
            for _ in range(self.repeat):
                data = imap.command("MOVE", f"1:{some}", MOVE_FOLDER)
                times.append(imap.seconds)
                left -= some
                told = len(re.findall(rb"(?m)^\* \d+ EXPUNGE\r$", data))
                report.check(told == some, f"MOVE told {told} EXPUNGE, not {some}")
            report.add_median(f"MOVE {some}", times)
            moved = imap.messages(MOVE_FOLDER)
            report.check(
                moved == some * self.repeat, f"MOVE: {moved} messages arrived, not {some * self.repeat}"
            )
        else:
            report.note("MOVE is not offered")
        times = []
        for _ in range(min(self.repeat, left // some)):
            imap.command("STORE", f"1:{some}", "+FLAGS.SILENT", r"(\Deleted)")
            data = imap.command("EXPUNGE")
            times.append(imap.seconds)
            left -= some
            told = len(re.findall(rb"(?m)^\* \d+ EXPUNGE\r$", data))
            report.check(told == some, f"EXPUNGE told {told}, not {some}")
        report.add_median(f"EXPUNGE {some}", times)
        imap.select(FOLDER)
        report.check(imap.messages(COPY_FOLDER) == left, "EXPUNGE: wrong number of messages left")

    def downloading(self) -> None:
        imap, report = self.imap, self.report
        times = []
        for _ in range(self.repeat):
            data = imap.command("FETCH", "1:*", "BODY.PEEK[]")
            times.append(imap.seconds)
            seen = 0
            for (_text, literals), mail in zip(fetches(data), self.mails, strict=False):
                seen += 1
                if not literals or literals[0] != mail.raw:
                    report.error(f"body of message {mail.number + 1} is not what was appended")
                    break
            report.check(seen == self.count, f"{seen} bodies of {self.count}")
            del data
        seconds = sorted(times)[len(times) // 2]
        report.add("download of all bodies", self.octets / 1e6 / seconds, "MB/s", better="higher")
        report.add("download of all bodies, messages", self.count / seconds, "msg/s", better="higher")
        uids = [number_in(rb"UID (\d+)", text) for text, _ in fetches(imap.command("FETCH", "1:*", "(UID)"))]
        rng = random.Random(7)
        times = []
        for number in rng.choices(range(self.count), k=min(300, self.count)):
            data = imap.command("UID FETCH", str(uids[number]), "(BODY.PEEK[])")
            times.append(imap.seconds)
            literals = next(iter(fetches(data)))[1]
            same = hashlib.sha256(literals[0]).digest() == hashlib.sha256(self.mails[number].raw).digest()
            report.check(same, f"random body {number + 1} is wrong")
        report.add_median("one random body, one at a time", times)

    def hammering(self) -> None:
        """Small commands from 8 connections at once, one and 50 deep."""
        uids = [
            number_in(rb"UID (\d+)", text) for text, _ in fetches(self.imap.command("FETCH", "1:*", "(UID)"))
        ]
        connections = [self.connect(FOLDER) for _ in range(8)]
        for name, is_fetch in (("NOOP", False), ("UID FETCH FLAGS", True)):
            for depth in (1, 50):
                meter = Meter(self.target.roots)
                meter.start()
                rate = self._hammer(connections, uids if is_fetch else [], depth)
                meter.stop()
                what = f"{name}, 8 connections, depth {depth}"
                self.report.add(what, rate, "/s", better="higher")
                if meter.own > 0.8 * meter.seconds:
                    share = 100 * meter.own / meter.seconds
                    self.report.note(
                        f"{what}: the client took {share:.0f}% of a core, the server may be faster"
                    )
        for connection in connections:
            connection.logout()

    def _hammer(self, connections: list[Imap], uids: list[int], depth: int) -> float:
        # All batches are written before the clock starts; each one ends with its own last tag.
        batches = []
        for number in range(200):
            tags = [b"B%d.%d" % (number, index) for index in range(depth)]
            if uids:
                lines = [
                    tag + b" UID FETCH %d (FLAGS)\r\n" % uids[(number * depth + index * 37) % len(uids)]
                    for index, tag in enumerate(tags)
                ]
            else:
                lines = [tag + b" NOOP\r\n" for tag in tags]
            batches.append((b"".join(lines), b"\r\n" + tags[-1] + b" "))
        epoll = poller.epoll()
        sockets = {imap.socket.fileno(): imap.socket for imap in connections}
        current = {number: index * 7 for index, number in enumerate(sockets)}  # the batch each one is at
        pending = dict.fromkeys(sockets, b"\r\n")  # its answers so far
        for number in sockets:
            epoll.register(number, poller.EPOLLIN)
        done = wrong = 0
        started = time.perf_counter()
        stop_at = started + self.seconds
        for number, sock in sockets.items():
            sock.sendall(batches[current[number]][0])
        running = len(sockets)
        while running:
            for number, _event in epoll.poll(30) or self._stalled():
                chunk = sockets[number].recv(65536)
                if not chunk:
                    raise ImapError("connection closed while it was asked small commands")
                data = pending[number] + chunk
                if not data.endswith(b"\r\n") or batches[current[number]][1] not in data[-1024:]:
                    pending[number] = data
                    continue
                told = data.count(b" FETCH (") if uids else depth
                if data.count(b" OK ") != depth or told != depth:
                    wrong += 1
                done += depth
                if time.perf_counter() >= stop_at:
                    running -= 1
                    epoll.unregister(number)
                    continue
                current[number] = (current[number] + 1) % len(batches)
                pending[number] = b"\r\n"
                sockets[number].sendall(batches[current[number]][0])
        seconds = time.perf_counter() - started
        epoll.close()
        self.report.check(
            not wrong, f"{wrong} batches of small commands were not answered by OK and data each"
        )
        return done / seconds

    def _stalled(self) -> list[tuple[int, int]]:
        raise ImapError("no answer to small commands for 30 s")


def run(
    target: Target,
    *,
    messages: int,
    mailboxes: int,
    seed: int,
    repeat: int,
    seconds: float,
    settle: float = SETTLE_SECONDS,
) -> Report:
    """Read with the first login of target, log in cold with the others; return the report."""
    reading = None
    meter = Meter(target.roots)
    try:
        # Before our own first login: what is cold must be cold.
        reading = Reading(target, target.logins[0], messages, seed, repeat, seconds)
        meter.start()
        reading.logins(target.logins[1:mailboxes])
        reading.loading()
        exists = reading.imap.select(FOLDER)
        reading.report.add("SELECT, first ever", reading.imap.seconds * 1000, "ms")
        reading.report.check(exists == messages, f"the first SELECT says {exists} EXISTS")
        time.sleep(settle)
        reading.selecting()
        for step in (reading.fetching, reading.searching, reading.sorting, reading.storing, reading.copying):
            step()
        reading.downloading()
        reading.hammering()
        meter.stop()
        reading.report.add_meter(meter)
        for folder in (FOLDER, NEW_FOLDER, COPY_FOLDER, MOVE_FOLDER):
            reading.imap.select("INBOX")
            try:
                reading.imap.command("DELETE", folder)
            except ImapError as error:
                reading.report.note(f"DELETE {folder}: {error}")
        reading.imap.logout()
        return reading.report
    except (ImapError, OSError) as error:
        report = reading.report if reading else Report("imap_read", target.name)
        report.error(f"{type(error).__name__}: {error}")
        return report
    finally:
        if reading:
            reading.imap.socket.close()


def main() -> int:
    """Measure IMAP reading."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_target_options(parser, "imap")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument(
        "--mailboxes", type=int, default=20, help="logins to use: one is read, the rest log in cold"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement of a rate")
    options = parser.parse_args()
    report = run(
        target_of(options),
        messages=options.messages,
        mailboxes=options.mailboxes,
        seed=options.seed,
        repeat=options.repeat,
        seconds=options.seconds,
    )
    return report.finish(options.json)


if __name__ == "__main__":
    sys.exit(main())
