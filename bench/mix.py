"""The mail that the load programs send: deterministic by seed, each one different, 70% 4 KB, 25% 30 KB, 5%
500 KB.

Message n of a seed is always the same octets. Small mails are plain text, the middle ones
multipart/alternative in quoted-printable with an HTML part, the large ones multipart/mixed with base64
attachments. Text and attachments compress about 1.6:1 under zstd -3, as real mail does, and no two share
text, so neither compression nor deduplication can make a server look better than it is. Words that searches
look for are planted: which mail holds which is known from the Mail value.
"""

import argparse
import base64
import binascii
import email.utils
import random
from collections.abc import Iterator
from dataclasses import dataclass

SMALL, MIDDLE, LARGE = 4096, 30 * 1024, 500 * 1024
# One block of 20 holds the mix exactly, so that any run of a multiple of 20 has the same number of octets
# per class.
BLOCK = [SMALL] * 14 + [MIDDLE] * 5 + [LARGE]

NEEDLE_EVERY = 100
# No syllable below holds q, x or z, so these occur exactly where they are planted; always inside a longer
# word, because IMAP's TEXT and BODY look for substrings (RFC 3501 §6.4.4).
BODY_NEEDLE = "zyxquor"
TEXT_NEEDLE = "vaxqizu"
ABSENT_NEEDLE = "qozzixu"

TOPICS = [
    *("invoice", "meeting", "contract", "holiday", "delivery", "budget", "report", "release", "offer"),
    *("reminder", "survey", "workshop", "ticket", "schedule", "payment", "review", "agenda", "proposal"),
    *("order", "minutes", "booking", "update", "welcome", "renewal"),
]
PEOPLE = [
    (first, last)
    for last in ("Ashdown", "Birkett", "Corrigan", "Delacroix", "Eklund", "Farrow", "Grimaldi", "Hoekstra")
    for first in ("Ada", "Bela", "Carol", "Dmitri", "Emma", "Farid")
]
FIRST_DATE = 1_767_600_000  # Monday 5 January 2026
DATE_STEP, DATE_SPREAD = 97, 90_000  # seconds; mail comes about in the order it was written, not quite


@dataclass(frozen=True, slots=True)
class Mail:
    """One prepared mail and what a search must find in it."""

    number: int
    raw: bytes  # CRLF line ends, ends with CRLF
    message_id: str  # with its angle brackets
    author: str  # addr-spec
    subject: str  # decoded
    sent_at: int  # epoch seconds of the Date field
    has_body_needle: bool
    has_text_needle: bool

    def stuffed(self) -> bytes:
        """Return the octets to write after 354, with dots doubled and the final dot. (RFC 5321 §4.5.2)"""
        body = self.raw.replace(b"\r\n.", b"\r\n..")
        return (b"." if body.startswith(b".") else b"") + body + b".\r\n"


def _words() -> list[str]:
    rng = random.Random("words")
    onset = "b br c ch d dr f fl g gr h j k l m n p pl r s sh sk st t th tr v w".split()  # noqa: SIM905
    nucleus = "a e i o u ai ea ee io ou".split()  # noqa: SIM905
    coda = ["", "", "n", "r", "s", "t", "l", "nd", "st", "ck", "m", "ng"]
    found: dict[str, None] = {}
    while len(found) < 6000:
        syllables = rng.choices((1, 2, 3), (3, 5, 2))[0]
        found[
            "".join(rng.choice(onset) + rng.choice(nucleus) + rng.choice(coda) for _ in range(syllables))
        ] = None
    return list(found)


WORDS = _words()
# Zipf-like: a few words make half of all text, as in languages that people write.
_CUMULATIVE: list[float] = []
for _rank in range(len(WORDS)):
    _CUMULATIVE.append((_CUMULATIVE[-1] if _CUMULATIVE else 0.0) + 1 / (_rank + 12) ** 0.85)
_CODE_LETTERS = "abcdefghijklmnoprstuvwyABCDEFGHIJKLMNOPRSTUVWY0123456789"


def _text(rng: random.Random, octets: int, codes: int) -> list[str]:
    """Return lines of about octets in all (with CRLF); one word in `codes` is an unguessable reference."""
    words = rng.choices(WORDS, cum_weights=_CUMULATIVE, k=octets // 5 + 20)
    for index in range(rng.randrange(codes), len(words), codes):
        words[index] = "".join(rng.choices(_CODE_LETTERS, k=10))
    for index in range(7, len(words), 13):
        words[index] = words[index].capitalize()
        words[index - 1] += "."
    lines, total, at = [], 0, 0
    while total < octets:
        line = " ".join(words[at : at + 11])
        at += 11
        if not line:
            break
        lines.append(line)
        total += len(line) + 2
    return lines


def _attachment(rng: random.Random, octets: int) -> bytes:
    """Return base64 lines, four fifths of them noise and the rest repeated structure, as in documents."""
    count = octets // 78
    noise = rng.randbytes(count * 57)
    structure = [rng.randbytes(57) for _ in range(8)]
    encode = binascii.b2a_base64
    lines = []
    for index in range(count):
        chunk = structure[index // 5 % 8] if index % 11 < 2 else noise[index * 57 : index * 57 + 57]
        lines.append(encode(chunk, newline=False))
    return b"\r\n".join(lines) + b"\r\n"


def _encoded_subject(subject: str) -> str:
    return "=?UTF-8?B?" + base64.b64encode(subject.encode()).decode() + "?="


def size_of(seed: int, number: int) -> int:
    """Return the size class of mail number."""
    block, place = divmod(number, len(BLOCK))
    order = BLOCK[:]
    random.Random(f"{seed}/block/{block}").shuffle(order)
    return order[place]


def make(seed: int, number: int, *, author: str = "", to: str = "team@bench.example", size: int = 0) -> Mail:
    """Build mail number of a seed; author replaces the invented sender, size the mix."""
    size = size or size_of(seed, number)
    rng = random.Random(f"{seed}/{number}")
    first, last = rng.choice(PEOPLE)
    author = author or f"{first}.{last}@{rng.choice(('north', 'south', 'east'))}.example".lower()
    topic = rng.choice(TOPICS)
    subject = f"{topic.capitalize()} {' '.join(rng.choices(WORDS, k=3))} {number}"
    is_encoded = number % 5 == 3
    if is_encoded:
        subject += " für später"
    message_id = f"<{rng.getrandbits(64):016x}.{seed}.{number}@{author.partition('@')[2]}>"
    sent_at = FIRST_DATE + number * DATE_STEP + rng.randrange(DATE_SPREAD)
    date = email.utils.formatdate(sent_at).replace("-0000", "+0000")
    fields = [
        f"Received: from out.mail.example (o.mail.example [192.0.2.{rng.randrange(1, 255)}])",
        f"\tby relay.mail.example with ESMTPS id {rng.getrandbits(60):015x}",
        f"\tfor <{to}>; {date}",
        f"Date: {date}",
        f"From: {first} {last} <{author}>",
        f"To: {to}",
    ]
    if number % 3 == 0:
        fields.append(f"Cc: {PEOPLE[number % len(PEOPLE)][0]} <{rng.choice(WORDS)}@east.example>")
    fields += [
        f"Subject: {_encoded_subject(subject) if is_encoded else subject}",
        f"Message-ID: {message_id}",
    ]
    if number % 5 < 2:
        fields.append(f"In-Reply-To: <thread.{seed}.{number // 7}@mail.example>")
        fields.append(f"References: <thread.{seed}.{number // 7}@mail.example>")
    fields += ["User-Agent: bench/1.0", f"X-Bench: {seed}.{number}", "MIME-Version: 1.0"]

    has_body_needle = rng.randrange(NEEDLE_EVERY) == 0
    has_text_needle = rng.randrange(NEEDLE_EVERY) == 0
    planted = []
    if has_body_needle:
        planted.append(f"pre{BODY_NEEDLE}ing the rest")
    if has_text_needle:
        planted.append(f"un{TEXT_NEEDLE}able to say")
    boundary = f"=_{rng.getrandbits(80):020x}"

    if size < MIDDLE:
        fields.append("Content-Type: text/plain; charset=us-ascii")
        head = "\r\n".join(fields) + "\r\n\r\n"
        lines = _text(rng, size - len(head) - 30 - sum(map(len, planted)), 5)
        lines[len(lines) // 2 : len(lines) // 2] = planted
        raw = (head + "\r\n".join(lines) + "\r\n").encode()
    elif size < LARGE:
        fields.append(f'Content-Type: multipart/alternative; boundary="{boundary}"')
        head = "\r\n".join(fields) + "\r\n\r\n"
        room = size - len(head) - 600
        plain = _text(rng, room * 40 // 100, 3)
        plain[len(plain) // 2 : len(plain) // 2] = planted
        plain[0] = "Grüße aus Göteborg, café déjà vu. " + plain[0]
        quoted = binascii.b2a_qp("\n".join(plain).encode()).replace(b"\n", b"\r\n")
        html = _text(rng, room - len(quoted) - room // 60, 3)
        body = [
            b"This is a multi-part message in MIME format.\r\n",
            f'--{boundary}\r\nContent-Type: text/plain; charset="utf-8"\r\n'.encode(),
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            quoted,
            f'\r\n--{boundary}\r\nContent-Type: text/html; charset="utf-8"\r\n'.encode(),
            b"Content-Transfer-Encoding: 7bit\r\n\r\n<html><body>\r\n<p>",
            "\r\n".join(html).replace(". ", ".</p> <p>").encode(),
            f"</p>\r\n</body></html>\r\n--{boundary}--\r\n".encode(),
        ]
        raw = head.encode() + b"".join(body)
    else:
        fields.append(f'Content-Type: multipart/mixed; boundary="{boundary}"')
        head = "\r\n".join(fields) + "\r\n\r\n"
        room = size - len(head) - 900
        plain = _text(rng, 3000, 4)
        plain[len(plain) // 2 : len(plain) // 2] = planted
        body = [
            f"--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n".encode(),
            "\r\n".join(plain).encode() + b"\r\n",
        ]
        room -= sum(map(len, body))
        for index, share in enumerate((room * 3 // 5, room * 2 // 5)):
            name = f"{topic}-{number}-{index}.pdf"
            body.append(
                f'--{boundary}\r\nContent-Type: application/pdf; name="{name}"\r\n'
                f'Content-Disposition: attachment; filename="{name}"\r\n'
                "Content-Transfer-Encoding: base64\r\n\r\n".encode()
            )
            body.append(_attachment(rng, share))
        body.append(f"--{boundary}--\r\n".encode())
        raw = head.encode() + b"".join(body)
    return Mail(number, raw, message_id, author, subject, sent_at, has_body_needle, has_text_needle)


def generate(count: int, seed: int, *, first: int = 0, size: int = 0) -> Iterator[Mail]:
    """Yield count mails of a seed, from number first on."""
    return (make(seed, number, size=size) for number in range(first, first + count))


def _describe(name: str, pairs: list[tuple[int, int]]) -> None:
    octets, packed = map(sum, zip(*pairs, strict=True))
    print(f"{name}: {len(pairs):>6} mails, {octets / len(pairs):>9.0f} octets each, {octets / packed:.2f}:1")


def main() -> None:
    """Describe the mix: octets and compression of each size class."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, metavar="NUMBER", help="print this mail instead")
    options = parser.parse_args()
    if options.show is not None:
        print(make(options.seed, options.show).raw.decode(), end="")
        return
    import zstandard

    classes: dict[int, list[tuple[int, int]]] = {SMALL: [], MIDDLE: [], LARGE: []}
    compressor = zstandard.ZstdCompressor(level=3)
    for number in range(options.count):
        raw = make(options.seed, number).raw
        classes[size_of(options.seed, number)].append((len(raw), len(compressor.compress(raw))))
    everything = []
    for size, pairs in classes.items():
        everything += pairs
        if pairs:
            _describe(f"{size:>7}", pairs)
    _describe("    all", everything)


if __name__ == "__main__":
    main()
