"""What load balancers say of their clients, and what none says."""

import struct

import pytest

from mailcore.outside import proxy


def v2(command: int = 0x21, family: int = 0x11, rest: bytes = bytes([192, 0, 2, 1, 127, 0, 0, 1]) + bytes(4)):
    return proxy.SIGNATURE + bytes([command, family]) + struct.pack("!H", len(rest)), rest


@pytest.mark.parametrize(
    ("line", "client"),
    [
        (b"PROXY TCP4 192.0.2.1 127.0.0.1 5000 25\r\n", "192.0.2.1"),
        (b"PROXY TCP6 2001:DB8::1 ::1 5000 25\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    ],
)
def test_reads_version_1(line, client):
    assert proxy.client_of_v1(line) == client


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 192.0.2.1 127.0.0.1 5000 25\n", b"PROXY TCP4 192.0.2.1\r\n", b"EHLO mx.example.org\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 5000 25\r\n", b"PROXY TCP4 192.0.2.999 127.0.0.1 5000 25\r\n",
        b"PROXY UDP4 192.0.2.1 127.0.0.1 5000 25\r\n", b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n", b"",
    ],
)  # fmt: skip
def test_refuses_what_is_no_version_1(line):
    with pytest.raises(proxy.BadIntroduction):
        proxy.client_of_v1(line)


def test_reads_version_2():
    six = bytes.fromhex("20010db8000000000000000000000001") + bytes(16) + bytes(4) + b"more"
    for head, rest, client in [
        (*v2(), "192.0.2.1"), (*v2(family=0x21, rest=six), "2001:db8::1"), (*v2(command=0x20), None),
        (*v2(command=0x20, family=0, rest=b""), None),
    ]:  # fmt: skip
        assert proxy.octets_after_v2(head) == len(rest)
        assert proxy.client_of_v2(head, rest) == client


@pytest.mark.parametrize(
    ("head", "rest"),
    [v2(command=0x22), v2(family=0x31), v2(family=0), v2(rest=bytes(11)), v2(family=0x21, rest=bytes(12))],
)
def test_refuses_a_version_2_without_a_client(head, rest):
    with pytest.raises(proxy.BadIntroduction):
        proxy.client_of_v2(head, rest)


@pytest.mark.parametrize("head", [v2(command=0x11)[0], v2()[0][:14] + b"\xff\xff", b"x" + v2()[0][1:]])
def test_refuses_what_is_no_head_of_version_2(head):
    with pytest.raises(proxy.BadIntroduction):
        proxy.octets_after_v2(head)
