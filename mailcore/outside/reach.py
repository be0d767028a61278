"""Which network addresses may be reached: what is public, what is private, what is ourselves.

Everything that connects to an address somebody else told us (MX, MTA-STS, webhooks, import) asks here, and
every face that takes passwords asks whether a connection stays on this machine.
"""

import socket
from asyncio import BaseTransport
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings

from mailcore.outside import proxy

# IANA IPv4 special-purpose registry (RFC 6890), multicast and reserved space: not on the internet.
_SPECIAL4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
# Global unicast is 2000::/3 (RFC 4291 §2.4); inside it these are not: protocol assignments with Teredo,
# documentation (RFC 3849, RFC 9637).
_GLOBAL6 = IPv6Network("2000::/3")
_SPECIAL6 = [IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20")]
# IPv6 addresses that carry an IPv4 address in 32 of their bits, and how far these stand from the right.
_CARRIERS = [
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped (RFC 4291 §2.5.5.2)
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64 (RFC 6052)
    (IPv6Network("2002::/16"), 80),  # 6to4 (RFC 3056)
]


def is_public_address(address: str) -> bool:
    """Whether an IP address is one that the whole internet can reach, also when it hides in an IPv6 one."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _SPECIAL4)
    for network, shift in _CARRIERS:
        if ip in network:
            return is_public_address(str(IPv4Address(int(ip) >> shift & 0xFFFFFFFF)))
    return ip.scope_id is None and ip in _GLOBAL6 and not any(ip in network for network in _SPECIAL6)


def may_connect(address: str) -> bool:
    """Whether HOSTMAIL_PRIVATE_TARGETS lets us connect to an address that others told us."""
    return settings.HOSTMAIL_PRIVATE_TARGETS == "allow" or is_public_address(address)


def may_relay(address: str) -> bool:
    """Whether a customer may have mail handed to an address: to nothing on our own machine or network.

    HOSTMAIL_PRIVATE_TARGETS=allow lets it be any.
    """
    if settings.HOSTMAIL_PRIVATE_TARGETS == "allow":
        return True
    return is_public_address(address) and not is_local(ip_address(address))


def is_ours(address: str, port: int) -> bool:
    """Whether that is our own MX listener: mail sent there would come back to us."""
    if port != settings.HOSTMAIL_SMTP_PORT:
        return False
    ip, bound = _plain(ip_address(address)), _plain(ip_address(settings.HOSTMAIL_BIND))
    if ip == bound or address in map(str, settings.HOSTMAIL_OUTBOUND_ADDRESSES):
        return True
    # Connecting to 0.0.0.0 reaches this machine.
    return ip.is_unspecified or (bound.is_unspecified and is_local(ip))


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return (isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip


def is_local(ip: IPv4Address | IPv6Address) -> bool:
    """Whether the address belongs to this machine: only then a socket can be bound to it."""
    family = socket.AF_INET if isinstance(ip, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return False
    return True


def is_address(text: str) -> bool:
    """Whether text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def may_login_in_clear(transport: BaseTransport) -> bool:
    """Whether a password may cross this connection without TLS, by HOSTMAIL_PLAINTEXT_AUTH.

    That takes a loopback peer of a loopback listener: with either end elsewhere others may listen. Behind a
    proxy on this machine that introduces nobody (proxy.py) both are loopback for everybody, so there the
    setting has to say `never`.
    """
    if settings.HOSTMAIL_PLAINTEXT_AUTH != "loopback" or proxy.client_of(transport) is not None:
        return False
    ends = [transport.get_extra_info(name) for name in ("peername", "sockname")]
    # What follows % is an interface.
    return all(end and ip_address(str(end[0]).partition("%")[0]).is_loopback for end in ends)
