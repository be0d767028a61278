"""Signing, judged by dkimpy and by the public vectors (see vectors/LICENSE-MIT.txt)."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from types import SimpleNamespace

import dkim as dkimpy
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from dkim import canonicalization as judge
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore import limits
from mailcore.errors import BadHeader
from mailcore.senderauth import dkim

VECTORS = Path(__file__).parent / "vectors"
RSA = dkim.load_key(dkim.generate_key("rsa"))
ED25519 = dkim.load_key(dkim.generate_key("ed25519"))
MAIL = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: Hi\r\n\r\nHello  there \r\n\r\n"


class _Ed25519PublicKey:
    """What dkimpy wants of PyNaCl, so that its own parsing and canonicalisation can judge Ed25519 too."""

    def __init__(self, key: bytes, encoder: object) -> None:
        self.key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(key))

    def verify(self, message: bytes, signature: bytes) -> None:
        self.key.verify(signature, message)


dkimpy.nacl = SimpleNamespace(  # type: ignore[attr-defined]
    signing=SimpleNamespace(VerifyKey=_Ed25519PublicKey),
    encoding=SimpleNamespace(Base64Encoder=None),
    exceptions=SimpleNamespace(BadSignatureError=InvalidSignature, ValueError=ValueError),
)


def accepts(raw: bytes, records: dict[str, str], index: int = 0) -> bool:
    def txt(name: bytes, timeout: int = 5) -> bytes | None:
        record = records.get(name.decode().rstrip("."))
        return record.encode() if record else None

    try:
        return bool(dkimpy.DKIM(raw).verify(index, dnsfunc=txt))
    except dkimpy.DKIMException:
        return False


def signed(raw: bytes, key: dkim.PrivateKey) -> bytes:
    return dkim.sign(raw, domain="example.org", keys=[("s1", key)], timestamp=1_700_000_000) + raw


def record_of(key: dkim.PrivateKey) -> dict[str, str]:
    return {"s1._domainkey.example.org": dkim.public_record(key)}


def tags(field: bytes) -> dict[str, str]:
    value = re.sub(rb"\s+", b"", field.partition(b":")[2]).decode()
    return dict(tag.split("=", 1) for tag in value.split(";"))


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
def test_signs_what_dkimpy_accepts(key: dkim.PrivateKey) -> None:
    assert accepts(signed(MAIL, key), record_of(key))


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"Hello", b"Hallo"),
        lambda raw: raw + b"appended\r\n",
        lambda raw: raw.replace(b"Subject: Hi", b"Subject: Ho"),
        lambda raw: b"From: forged@example.com\r\n" + raw,
        lambda raw: b"Subject: forged\r\n" + raw,
        lambda raw: b"To: forged@example.com\r\n" + raw,
        lambda raw: raw.replace(b"\r\n\r\n", b"\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n", 1),
        lambda raw: b"Reply-To: forged@example.com\r\n" + raw,
        lambda raw: b"Content-Type: text/html\r\n" + raw,
    ],
)
def test_covers_every_change_a_reader_would_see(key: dkim.PrivateKey, change) -> None:
    raw = signed(MAIL, key)
    assert change(raw) != raw
    assert not accepts(change(raw), record_of(key))


def test_survives_what_relaxed_forgives() -> None:
    raw = signed(MAIL, RSA)
    refolded = raw.replace(b"Subject: Hi", b"SUBJECT:\r\n\t Hi  ").replace(
        b"  there \r\n", b" there\r\n\r\n\r\n"
    )
    assert refolded != raw
    assert accepts(refolded, record_of(RSA))


# dkimpy strips \x0b and \x0c from the ends of a field, which RFC 6376 does not: none of them in fields here.
_value = st.text(alphabet="ab \t=:;.<>@é\x00", max_size=200).map(lambda s: s.encode().strip(b" \t") or b"x")
_text = st.text(alphabet="ab \t=:;.<>@é\x0b\x00", max_size=200).map(lambda s: s.encode())
_name = st.sampled_from(
    [b"From", b"TO", b"Subject", b"List-Unsubscribe", b"X-Other", b"received", b"References"]
)
_field = st.builds(
    lambda name, values: name + b":" + b"\r\n ".join(values) + b"\r\n",
    _name,
    st.lists(_value, min_size=1, max_size=3),
)
_body = st.lists(st.one_of(_text, st.just(b"")), max_size=8).map(lambda lines: b"\r\n".join(lines) + b"\r\n")


@settings(max_examples=150, deadline=None)
@given(fields=st.lists(_field, max_size=8), body=_body, rsa=st.booleans())
def test_signs_any_message_as_dkimpy_reads_it(fields: list[bytes], body: bytes, rsa: bool) -> None:
    key = RSA if rsa else ED25519
    raw = b"From: a@example.org\r\n" + b"".join(fields) + b"\r\n" + body
    assert accepts(signed(raw, key), record_of(key))


@settings(max_examples=300, deadline=None)
@given(_body)
def test_canonicalises_bodies_as_dkimpy_does(body: bytes) -> None:
    assert dkim.relaxed_body(body) == judge.Relaxed.canonicalize_body(body)


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b"\r\n\r\n\r\n", b""),
        (b" \t\r\n \r\n", b""),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),  # RFC 6376 §3.4.5
        (b"no line end", b"no line end\r\n"),
        (b"no line end \t", b"no line end\r\n"),
        (b"a\r\n\r\nb\r\n\r\n", b"a\r\n\r\nb\r\n"),
    ],
)
def test_canonicalises_bodies(body: bytes, canonical: bytes) -> None:
    assert dkim.relaxed_body(body) == canonical


def test_canonicalises_fields_as_the_rfc_example() -> None:
    assert dkim.relaxed_field(b"A", b" X") == b"a:X"
    assert dkim.relaxed_field(b"B ", b" Y\t\r\n\tZ  ") == b"b:Y Z"


def test_says_what_it_signed() -> None:
    raw = MAIL.replace(b"From:", b"To: c@example.net\r\nFrom:") + b"x"
    field = dkim.sign(raw, domain="example.org", keys=[("s1", RSA)], timestamp=1_700_000_000)
    found = tags(field)
    assert (found["v"], found["a"], found["c"]) == ("1", "rsa-sha256", "relaxed/relaxed")
    assert (found["d"], found["s"], found["t"]) == ("example.org", "s1", "1700000000")
    assert "l" not in found
    names = found["h"].split(":")
    assert names.count("to") == 3
    assert names.count("from") == 2
    for once in ("reply-to", "cc", "date", "message-id"):
        assert names.count(once) == 1
    assert "list-unsubscribe" not in names


def test_folds_its_field() -> None:
    for key in (RSA, ED25519):
        field = dkim.sign(MAIL, domain="d" * 60 + ".example.org", keys=[("s1", key)], timestamp=1)
        assert field.endswith(b"\r\n")
        lines = field[:-2].split(b"\r\n")
        assert all(len(line) <= 78 for line in lines)
        assert all(line.startswith(b" ") and line.strip() for line in lines[1:])


def test_accepts_a_message_without_body_or_header() -> None:
    for raw in (b"From: a@example.org\r\n", b"From: a@example.org\r\n\r\n"):
        assert accepts(signed(raw, ED25519), record_of(ED25519))
    assert dkim.sign(b"", domain="example.org", keys=[("s1", ED25519)], timestamp=0)
    assert dkim.sign(b"\r\nbody\r\n", domain="example.org", keys=[("s1", ED25519)], timestamp=0)


def test_refuses_to_sign_endless_fields() -> None:
    raw = b"To: a@example.org\r\n" * (limits.DKIM_FIELDS + 1) + b"\r\n"
    with pytest.raises(BadHeader):
        dkim.sign(raw, domain="example.org", keys=[("s1", ED25519)], timestamp=0)


@pytest.mark.parametrize(
    "body",
    [b" " * 2_000_000, b" \t" * 1_000_000, b"\r\n" * 1_000_000, b"a \r\n" * 500_000, b"\r" * 2_000_000],
    ids=["spaces", "mixed", "empty lines", "trailing", "bare CR"],
)
def test_takes_linear_time(body: bytes) -> None:
    start = time.process_time()
    dkim.relaxed_body(body)
    dkim.relaxed_field(b"X", body)
    assert time.process_time() - start < 20


def test_makes_keys_that_load_again() -> None:
    rsa, ed = dkim.load_key(dkim.generate_key("rsa")), dkim.load_key(dkim.generate_key("ed25519"))
    assert dkim.public_record(rsa).startswith("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0B")
    assert re.fullmatch(r"v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=", dkim.public_record(ed))
    assert rsa.key_size == 2048  # type: ignore[union-attr]


def test_refuses_other_keys() -> None:
    from cryptography.hazmat.primitives import serialization as ser
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption()
    )
    with pytest.raises(ValueError, match="neither"):
        dkim.load_key(pem.decode())


def vector(name: str) -> tuple[dict[str, str], bytes]:
    records, _, mail = (VECTORS / name).read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    pairs = (line.split(" ", 1) for line in records.decode().splitlines())
    return dict(pairs), mail.replace(b"\n", b"\r\n")


def test_hashes_the_published_body_as_published() -> None:
    for name in ("001.txt", "002.txt"):
        _, mail = vector(name)
        body = mail.partition(b"\r\n\r\n")[2]
        digest = dkimpy.hashlib.sha256(dkim.relaxed_body(body)).digest()
        assert base64.b64encode(digest) == b"2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="


def test_signs_over_the_published_mails_without_breaking_their_signatures() -> None:
    for name, count in (("001.txt", 2), ("002.txt", 1)):
        records, mail = vector(name)
        ours = signed(mail, ED25519)
        assert accepts(ours, record_of(ED25519))
        for index in range(1, count + 1):
            assert accepts(ours, records, index), (name, index)


def test_signs_with_the_key_of_rfc_8463() -> None:
    """The appendix gives the private key; its public half is the vector's record."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(
        base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    )
    records, mail = vector("001.txt")
    assert dkim.public_record(key).endswith(
        records["brisbane._domainkey.football.example.com"].split("p=")[1]
    )
    assert accepts(signed(mail, key), record_of(key))
