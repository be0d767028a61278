"""What is public, what is private, what is ourselves."""

import socket

import pytest

from mailcore.outside import reach


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2a00:1450:4001:80e::200e",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_calls_internet_addresses_public(address):
    assert reach.is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001::1",
        "2001:0:53aa:64c:0:5efe:7f00:1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "2a00:1450::1%eth0",
        "fec0::1",
        "ff02::1",
        "",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
        "8.8.8.8 ",
    ],
)
def test_calls_all_others_not_public(address):
    assert not reach.is_public_address(address)


def test_lets_settings_decide_about_private_targets(settings):
    settings.HOSTMAIL_PRIVATE_TARGETS = "allow"
    assert reach.may_connect("127.0.0.1")
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    assert not reach.may_connect("127.0.0.1")
    assert reach.may_connect("8.8.8.8")


def test_knows_our_own_listener(settings):
    settings.HOSTMAIL_SMTP_PORT = 2525
    settings.HOSTMAIL_BIND = "127.0.0.1"
    settings.HOSTMAIL_OUTBOUND_ADDRESSES = ["198.51.100.7"]
    assert reach.is_ours("127.0.0.1", 2525)
    assert reach.is_ours("::ffff:127.0.0.1", 2525)
    assert reach.is_ours("0.0.0.0", 2525)
    assert reach.is_ours("198.51.100.7", 2525)
    assert not reach.is_ours("127.0.0.1", 2526)
    assert not reach.is_ours("127.0.0.2", 2525)


def test_knows_our_own_listener_on_all_addresses(settings):
    settings.HOSTMAIL_SMTP_PORT = 25
    settings.HOSTMAIL_BIND = "0.0.0.0"
    assert reach.is_ours("127.0.0.1", 25)
    assert reach.is_ours("127.0.0.9", 25)
    assert not reach.is_ours("192.0.2.1", 25)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9)) if _has_route() else None
        local = probe.getsockname()[0]
    assert reach.is_ours(local, 25)


def _has_route() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return False
        return True


class Line:
    """A transport as far as its two ends."""

    def __init__(self, peer, own) -> None:
        self.names = {"peername": peer, "sockname": own}

    def get_extra_info(self, name):
        return self.names[name]


V6 = ("::1", 4000, 0, 0)


@pytest.mark.parametrize(
    ("peer", "own", "may"),
    [
        (("127.0.0.1", 4000), ("127.0.0.1", 143), True),
        (("127.1.2.3", 4000), ("127.0.0.1", 143), True),
        (V6, ("::1", 143, 0, 0), True),
        (("::1%lo", 4000, 0, 1), V6, True),
        (("192.0.2.1", 4000), ("127.0.0.1", 143), False),
        (("127.0.0.1", 4000), ("192.0.2.1", 143), False),
        (("fe80::1%eth0", 4000, 0, 2), ("fe80::2%eth0", 143, 0, 2), False),
        (None, ("127.0.0.1", 143), False),
        (("127.0.0.1", 4000), None, False),
    ],
)
def test_lets_passwords_cross_in_clear_only_where_nobody_else_listens(settings, peer, own, may) -> None:
    settings.HOSTMAIL_PLAINTEXT_AUTH = "loopback"
    assert reach.may_login_in_clear(Line(peer, own)) is may
    settings.HOSTMAIL_PLAINTEXT_AUTH = "never"
    assert reach.may_login_in_clear(Line(peer, own)) is False
