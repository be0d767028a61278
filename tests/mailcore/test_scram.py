import base64

import pytest

from mailcore import scram
from mailcore.errors import BadSyntax, LoginFailed

# RFC 7677 §3: user "user", password "pencil".
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
NONCE = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_goes_as_the_rfc_has_it():
    first = scram.client_first(CLIENT_FIRST)
    assert (first.flag, first.name) == ("n", "user")
    challenge = scram.server_first(first, NONCE, SALT, 4096)
    assert challenge == SERVER_FIRST
    final = scram.client_final(CLIENT_FINAL, first, challenge, b"")
    signature = scram.keys("pencil", SALT, 4096).signature(final.message, final.proof)
    assert scram.server_final(signature) == SERVER_FINAL
    assert scram.keys("pencils", SALT, 4096).signature(final.message, final.proof) is None


@pytest.mark.parametrize(
    ("octets", "flag", "name"),
    [
        (b"y,,n=a,r=x", "y", "a"),
        (b"p=tls-server-end-point,,n=a,r=x", "p", "a"),
        (b"n,a=b=2Cc,n=B=2Cc,r=x,f=more", "n", "B,c"),
        ("n,,n=ü@x=3Dy,r=x".encode(), "n", "ü@x=y"),
    ],
)
def test_takes_the_first_message_apart(octets, flag, name):
    first = scram.client_first(octets)
    assert (first.flag, first.name) == (flag, name)
    assert first.gs2 + first.bare == octets


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"n,,", b"n,,n=,r=x", b"n,,n=a", b"n,,n=a,r=", b"n,,n=a,r=\x7f", b"n,,r=x,n=a", b"x,,n=a,r=x",
        b"p=,,n=a,r=x",
        b"n,n=a,r=x", b"n,,n=a=2,r=x", b"n,,n=a=2c,r=x", b"n,,m=ext,n=a,r=x", b"n,,n=\xff,r=x",
        b"n,,n=a\0,r=x", b"n,,n=a,r=x,", b"n,,n=a,r=" + b"x" * 257,
    ],
)  # fmt: skip
def test_refuses_what_is_no_first_message(octets):
    with pytest.raises(BadSyntax):
        scram.client_first(octets)


def test_nobody_acts_for_somebody_else():
    with pytest.raises(LoginFailed):
        scram.client_first(b"n,a=boss,n=a,r=x")


@pytest.mark.parametrize(
    ("flag", "is_plus", "has_endpoint", "goes"),
    [
        (b"n", False, False, True),
        (b"n", False, True, True),
        (b"y", False, False, True),
        # The client can bind and was not told that we can: somebody stands between.
        (b"y", False, True, False),
        (b"y", True, True, False),
        (b"n", True, True, False),
        (b"p=tls-server-end-point", True, True, True),
        (b"p=tls-server-end-point", False, True, False),
        (b"p=tls-server-end-point", True, False, False),
        (b"p=tls-unique", True, True, False),
    ],
)
def test_both_must_mean_the_same_binding(flag, is_plus, has_endpoint, goes):
    first = scram.client_first(flag + b",,n=a,r=x")
    if goes:
        scram.check_binding(first, is_plus=is_plus, has_endpoint=has_endpoint)
    else:
        with pytest.raises(LoginFailed):
            scram.check_binding(first, is_plus=is_plus, has_endpoint=has_endpoint)


def bound(channel: bytes, endpoint: bytes) -> scram.Final:
    first = scram.client_first(b"p=tls-server-end-point,,n=a,r=x")
    binding = base64.b64encode(b"p=tls-server-end-point,," + channel)
    proof = base64.b64encode(bytes(32))
    return scram.client_final(b"c=%b,r=xy,p=%b" % (binding, proof), first, b"r=xy,s=,i=1", endpoint)


def test_a_channel_to_somebody_else_is_none():
    assert bound(b"cert", b"cert").proof == bytes(32)
    for channel in (b"other", b"", b"cert "):
        with pytest.raises(LoginFailed):
            bound(channel, b"cert")


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (CLIENT_FINAL.replace(b"c=biws", b"c=eSws"), LoginFailed),  # "y,," where "n,," was said
        (CLIENT_FINAL.replace(b"k0,p", b"k1,p"), LoginFailed),
        (CLIENT_FINAL.replace(b"%hv", b"%hV"), LoginFailed),
        (CLIENT_FINAL.replace(b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", b"AAAA"), LoginFailed),
        (CLIENT_FINAL.replace(b"biws", b"biw"), BadSyntax),
        (CLIENT_FINAL.replace(b",p=", b",q="), BadSyntax),
        (CLIENT_FINAL + b",x=y", BadSyntax),
        (b"", BadSyntax),
    ],
)
def test_refuses_another_last_message(octets, error):
    with pytest.raises(error):
        scram.client_final(octets, scram.client_first(CLIENT_FIRST), SERVER_FIRST, b"")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # RFC 4013 §3.
        ("I\u00adX", "IX"), ("user", "user"), ("USER", "USER"), ("\u00aa", "a"), ("\u2168", "IX"),
        ("a\u00a0b", "a b"), ("", ""), ("pä\u0308ss", "pä\u0308ss"), ("\u0627\u0628", "\u0627\u0628"),
    ],
)  # fmt: skip
def test_prepares_passwords(text, expected):
    assert scram.saslprep(text) == expected


@pytest.mark.parametrize("text", ["\u0007", "\u06271", "a\0", "\u0627a\u0627", "\ue000", "a\r\n", "\ufffd"])
def test_refuses_passwords_that_cannot_be_prepared(text):
    with pytest.raises(BadSyntax):
        scram.saslprep(text)
