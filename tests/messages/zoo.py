"""Hostile mails, made rather than kept: each would be slow, deep or fatal to a careless parser."""

from __future__ import annotations

from collections.abc import Callable

_ZOO: dict[str, Callable[[], bytes]] = {}


def _beast(make: Callable[[], bytes]) -> Callable[[], bytes]:
    _ZOO[make.__name__] = make
    return make


def names() -> list[str]:
    return sorted(_ZOO)


def make(name: str) -> bytes:
    return _ZOO[name]()


@_beast
def empty() -> bytes:
    return b""


@_beast
def only_line_ends() -> bytes:
    return b"\r\n" * 500_000


@_beast
def only_lone_cr() -> bytes:
    return b"From: a@example.org\rTo: b@example.org\r\rbody\r" * 20_000


@_beast
def nul_everywhere() -> bytes:
    return (
        b"Sub\0ject: a\0b\r\nSubject: c\0d\r\nFrom: a\0 <x\0@y\0>\r\nMessage-ID: <a\0@b>\r\n\r\n\0text\0\r\n"
        * 5_000
    )


@_beast
def ten_thousand_levels() -> bytes:
    levels = 10_000
    head = b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n"
    inside = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(levels)
    )
    return head + inside + b"".join(b"--b%d--\r\n" % n for n in range(levels, -1, -1))


@_beast
def ten_thousand_levels_of_one_boundary() -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 10_000


@_beast
def ten_thousand_messages_in_messages() -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * 10_000


@_beast
def digests_in_digests() -> bytes:
    return b"".join(
        b"Content-Type: multipart/digest; boundary=b%d\r\n\r\n--b%d\r\n\r\n" % (n, n) for n in range(5_000)
    )


@_beast
def hundred_thousand_parts() -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + b"--b\r\n\r\nx\r\n" * 100_000 + b"--b--\r\n"


@_beast
def parts_without_empty_lines() -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nA: x\n" * 100_000


@_beast
def multiparts_without_delimiters() -> bytes:
    part = b"--b\r\nContent-Type: multipart/mixed; boundary=i%d\r\n\r\n" + b"\n--i-\n" * 1_000
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(part % n for n in range(900))


@_beast
def fifty_levels_of_text() -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    return b"".join(head % (n, n) for n in range(50)) + b"\r\n" + b"x\n--b" * 1_000_000


@_beast
def near_misses() -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 300_000 + b"--b--\r\n"


@_beast
def near_misses_of_fifty_boundaries() -> bytes:
    out = [b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"]
    out += [
        b"--%s\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n" % (b"b" * n, b"b" * (n + 1))
        for n in range(1, 60)
    ]
    return b"".join(out) + (b"--" + b"b" * 70 + b"\r\n") * 20_000


@_beast
def dashes() -> bytes:
    return b"Content-Type: multipart/mixed; boundary=-\r\n\r\n" + b"\n---" * 300_000


@_beast
def padded_delimiters() -> bytes:
    line = b"--b" + b" \t" * 5_000 + b"x\r\n"
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + line * 100


@_beast
def hundred_thousand_fields() -> bytes:
    return b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"Subject: last\r\n\r\nbody\r\n"


@_beast
def hundred_thousand_subjects() -> bytes:
    return b"Subject: again\r\nTo: a@example.org\r\nReferences: <a@b>\r\n" * 33_000 + b"\r\nbody\r\n"


@_beast
def lines_that_are_no_fields() -> bytes:
    return b"no field at all\r\n" * 60_000 + b"a" * 300_000 + b"\r\n\r\nbody\r\n"


@_beast
def ten_megabyte_line() -> bytes:
    return b"Subject: " + b"x" * 10_000_000 + b"\r\n\r\nbody\r\n"


@_beast
def ten_megabytes_of_folds() -> bytes:
    return b"Subject: x\r\n" + b" y\r\n" * 2_000_000 + b"\r\nbody\r\n"


@_beast
def hundred_thousand_addresses() -> bytes:
    return b"To: " + b",\r\n ".join(b"a%d@example.org" % n for n in range(100_000)) + b"\r\n\r\nbody\r\n"


@_beast
def groups_in_groups() -> bytes:
    return b"To: " + b"g:" * 60_000 + b";" * 60_000 + b"\r\n\r\nbody\r\n"


@_beast
def open_comments() -> bytes:
    return b"From: " + b"(" * 120_000 + b" a@b\r\nDate: " + b"(" * 100_000 + b"\r\n\r\nbody\r\n"


@_beast
def open_quotes() -> bytes:
    return b"From: " + b'"\\' * 100_000 + b"\r\nTo: " + b'" ' * 20_000 + b"\r\n\r\nbody\r\n"


@_beast
def angle_brackets() -> bytes:
    return (
        b"From: "
        + b"<" * 100_000
        + b"a@b"
        + b">" * 100_000
        + b"\r\nReferences: "
        + b"<" * 30_000
        + b"\r\n\r\n"
    )


@_beast
def at_signs() -> bytes:
    return b"From: " + b"@" * 100_000 + b"\r\nTo: <" + b"@a," * 30_000 + b":b@c>\r\n\r\n"


@_beast
def encoded_words() -> bytes:
    return b"Subject: " + b" =?utf-8?q?=C3=A9?=" * 12_000 + b"\r\n\r\nbody\r\n"


@_beast
def broken_encoded_words() -> bytes:
    return b"Subject: " + b"=?utf-8?q?" * 20_000 + b"\r\nFrom: " + b"=?a?b?" * 8_000 + b"\r\n\r\nbody\r\n"


@_beast
def parameter_pieces() -> bytes:
    pieces = b"".join(b";\r\n filename*%d*=%%41" % n for n in range(9_000))
    return (
        b"Content-Disposition: attachment"
        + pieces
        + b"\r\nContent-Type: text/plain"
        + b"; a" * 9_000
        + b"\r\n\r\n"
    )


@_beast
def blanks_in_parameters() -> bytes:
    return b"Content-Type: text/plain;" + b" " * 100_000 + b"a" + b" " * 100_000 + b"\r\n\r\nbody\r\n"


@_beast
def open_parameter_quotes() -> bytes:
    return b"Content-Type: multipart/mixed" + b'; boundary="\\"' * 15_000 + b"\r\n\r\nbody\r\n"


@_beast
def subject_marks() -> bytes:
    return b"Subject: " + b"[fwd:" * 30_000 + b"x" + b"]" * 30_000 + b"\r\n\r\nbody\r\n"


@_beast
def subject_blobs() -> bytes:
    return b"Subject: " + b"[a]" * 60_000 + b"\r\n\r\nbody\r\n"


@_beast
def html_tags() -> bytes:
    return b"Content-Type: text/html\r\n\r\n" + b"<style " * 300_000 + b"<p>text"


@_beast
def html_references() -> bytes:
    return b"Content-Type: text/html\r\n\r\n&#" + b"1" * 100_000 + b";" + b"&#x" * 100_000 + b"&" * 100_000


@_beast
def base64_of_nothing() -> bytes:
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 1_000_000


@_beast
def all_octets() -> bytes:
    octets = bytes(range(256))
    return (
        b"Subject: "
        + octets
        + b"\r\nFrom: "
        + octets
        + b"\r\nContent-Type: "
        + octets
        + b"\r\n\r\n"
        + octets * 100
    )


@_beast
def dangerous_charsets() -> bytes:
    out = [b"Content-Type: multipart/mixed; boundary=b\r\n"]
    for name in (
        b"rot13",
        b"zlib",
        b"bz2",
        b"hex",
        b"idna",
        b"punycode",
        b"unicode_escape",
        b"raw_unicode_escape",
    ):
        out.append(b"Subject: =?%s?q?=78=9C=00?=\r\n" % name)
    out.append(b"\r\n")
    for name in (
        b"rot13",
        b"zlib",
        b"idna",
        b"unicode_escape",
        b"undefined",
        b"mbcs",
        b"utf-7",
        b"utf-16",
        b"x" * 5_000,
    ):
        out.append(b"--b\r\nContent-Type: text/plain; charset=%s\r\n\r\n+2AA- \\u0041 x\x9c\xd8\r\n" % name)
    return b"".join(out)
