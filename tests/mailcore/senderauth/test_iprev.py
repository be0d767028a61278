"""The name of a peer that leads back to it."""

from __future__ import annotations

import pytest

from mailcore import limits
from mailcore.senderauth import iprev
from mailcore.senderauth.iprev import IPRev
from tests.mailcore.senderauth.asking import Zone, run

PTR = "7.2.0.192.in-addr.arpa"


@pytest.mark.parametrize(
    ("zone", "found"),
    [
        ({PTR: {"PTR": ["MX.example.org."]}, "mx.example.org": {"A": ["192.0.2.7"]}},
         IPRev("pass", "mx.example.org")),
        ({PTR: {"PTR": ["o.test", "mx.example.org"]}, "mx.example.org": {"A": ["192.0.2.1", "192.0.2.7"]}},
         IPRev("pass", "mx.example.org")),
        ({PTR: {"PTR": ["mx.example.org"]}, "mx.example.org": {"A": ["192.0.2.8"]}},
         IPRev("fail", "mx.example.org")),
        ({PTR: {"PTR": ["mx.example.org"]}}, IPRev("permerror", "mx.example.org")),
        ({PTR: {"PTR": ["mx.example.org"]}, "mx.example.org": {"A": None}},
         IPRev("temperror", "mx.example.org")),
        ({PTR: {"PTR": None}}, IPRev("temperror")),
        ({}, IPRev("permerror")),
    ],
)  # fmt: skip
def test_judges_by_ptr_and_forward(zone: Zone, found: IPRev) -> None:
    assert run(iprev.check("192.0.2.7"), zone) == found
    assert run(iprev.check("::ffff:192.0.2.7"), zone) == found


def test_reads_ipv6_in_any_form() -> None:
    name = "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"
    zone = {name: {"PTR": ["mx.example.org"]}, "mx.example.org": {"AAAA": ["2001:0db8:0:0::1"]}}
    assert run(iprev.check("2001:db8::1"), zone) == IPRev("pass", "mx.example.org")


def test_looks_at_a_few_names_only() -> None:
    names = [f"h{n}.test" for n in range(limits.DNS_POINTERS + 1)]
    zone = {PTR: {"PTR": names}, names[-1]: {"A": ["192.0.2.7"]}}
    assert run(iprev.check("192.0.2.7"), zone).result == "permerror"
