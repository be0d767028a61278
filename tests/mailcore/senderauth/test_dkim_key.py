"""Public keys in DNS."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from mailcore.senderauth import dkim
from mailcore.senderauth.dkim_key import holds, public_key
from mailcore.senderauth.dkim_tags import Broken

KEY = dkim.load_key(dkim.generate_key("ed25519"))
RECORD = dkim.public_record(KEY)


def test_takes_the_first_record_that_has_a_key() -> None:
    found = public_key(["v=spf1 -all", RECORD, "v=DKIM1; p="])
    assert (found.is_testing, found.is_strict) == (False, False)
    assert holds(found.key, dkim.signature(KEY, b"text"), b"text")
    assert not holds(found.key, dkim.signature(KEY, b"text"), b"tex")


def test_reads_its_flags() -> None:
    found = public_key([f"{RECORD}; t=y:s; h=sha1:sha256; s=email"])
    assert (found.is_testing, found.is_strict) == (True, True)


def test_checks_rsa() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    found = public_key([dkim.public_record(private)])
    assert holds(found.key, private.sign(b"text", padding.PKCS1v15(), SHA256()), b"text")
    assert not holds(found.key, b"short", b"text")


@pytest.mark.parametrize(
    "record",
    [
        "",
        "v=DKIM1; p=",
        "v=DKIM2; " + RECORD[9:],
        "k=ed25519; v=DKIM1; p=AAAA",
        RECORD + "; h=sha1",
        RECORD + "; s=tlsrpt",
        RECORD.replace("ed25519", "rsa"),
        RECORD.replace("ed25519", "dsa"),
        "v=DKIM1; p=!!!!",
        "v=DKIM1; p=" + base64.b64encode(b"no key").decode(),
        "v=DKIM1; n=\u00e4; p=AAAA",
    ],
)
def test_refuses_what_is_no_key_of_ours(record: str) -> None:
    with pytest.raises(Broken):
        public_key([record])
