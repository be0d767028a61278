"""SPF, judged by the public suite of RFC 7208 (vectors/spf, with its licence) and by cases of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mailcore import limits
from mailcore.senderauth import spf
from mailcore.senderauth.questions import Question
from tests.mailcore.senderauth.asking import Zone, run

SUITE = Path(__file__).parent / "vectors" / "spf" / "rfc7208-tests.yml"


def _text(kind: str, value: Any) -> str:
    if kind == "MX":
        return f"{value[0]} {str(value[1]).rstrip('.').lower()}"
    if isinstance(value, list):
        return "".join(value)
    return str(value).rstrip(".").lower() if kind in ("PTR", "CNAME") else str(value)


def _zone(data: dict[str, list[Any]]) -> Zone:
    zone: dict[str, dict[str, list[str] | None]] = {}
    for name, records in data.items():
        types = zone.setdefault(str(name).rstrip(".").lower(), {})
        fails = "TIMEOUT" in records
        found = [item for each in records if isinstance(each, dict) for item in each.items()]
        if not any(kind == "TXT" for kind, _ in found):
            found += [("TXT", value) for kind, value in found if kind == "SPF"]
        for kind, value in found:
            if kind == "SPF" or value == "NONE":
                continue
            if value == "TIMEOUT":
                types[kind] = None
            else:
                kept = types.setdefault(kind, [])
                assert kept is not None
                kept.append(_text(kind, value))
        if fails:
            for kind in ("TXT", "A", "AAAA", "MX", "PTR"):
                types.setdefault(kind, None)
    return zone


def _cases() -> list[Any]:
    cases = []
    for scenario in yaml.safe_load_all(SUITE.read_text(encoding="utf-8")):
        zone = _zone(scenario["zonedata"])
        default = scenario.get("explanation") or "DEFAULT"
        cases += [pytest.param(zone, case, default, id=name) for name, case in scenario["tests"].items()]
    return cases


@pytest.mark.parametrize(("zone", "case", "default"), _cases())
def test_agrees_with_the_public_suite(zone: Zone, case: dict[str, Any], default: str) -> None:
    verdict = run(spf.check(case["host"], case["mailfrom"], case["helo"], receiver="receiver"), zone)
    wanted = case["result"]
    assert verdict.result in ([wanted] if isinstance(wanted, str) else wanted)
    if "explanation" in case and case["explanation"] != "DEFAULT":
        assert verdict.explanation == case["explanation"]
    elif "explanation" in case:
        assert verdict.explanation == ""


def test_suite_is_whole() -> None:
    assert len(_cases()) == 203


def judge(record: str, peer: str = "192.0.2.1", **more: dict[str, list[str] | None]) -> spf.SPF:
    zone = {"example.org": {"TXT": [record]}, **{k.replace("_", "."): v for k, v in more.items()}}
    return run(spf.check(peer, "alice@example.org", "mx.example.org"), zone)


def test_never_refuses_for_good_when_dns_cannot_tell() -> None:
    assert judge("v=spf1 a:down.example -all", down_example={"A": None}).result == "temperror"


def test_counts_terms_of_includes_together() -> None:
    many = " ".join(f"include:i{n}.example" for n in range(limits.SPF_TERMS))
    zones = {f"i{n}_example": {"TXT": ["v=spf1 -all"]} for n in range(limits.SPF_TERMS)}
    zones["x_example"] = {"A": ["192.0.2.1"]}
    assert judge(f"v=spf1 {many} +all", **zones).result == "pass"
    assert judge(f"v=spf1 {many} a:x.example", **zones).result == "permerror"


def test_ends_include_loops() -> None:
    asked: list[Question] = []
    zone = {"example.org": {"TXT": ["v=spf1 include:example.org -all"]}}
    assert run(spf.check("192.0.2.1", "a@example.org", "h.example"), zone, asked).result == "permerror"
    assert len(asked) == limits.SPF_TERMS + 1


def test_takes_a_mapped_address_for_ipv4() -> None:
    assert judge("v=spf1 ip4:192.0.2.0/24 -all", peer="::ffff:192.0.2.1").result == "pass"


def test_judges_helo_for_the_null_path() -> None:
    zone = {"mx.example.org": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]}}
    verdict = run(spf.check("192.0.2.1", "", "mx.example.org"), zone)
    assert (verdict.result, verdict.scope, verdict.domain) == ("pass", "helo", "mx.example.org")


@pytest.mark.parametrize("helo", ["", "localhost", "[192.0.2.1]", "a..b.example", "x" * 64 + ".example"])
def test_says_none_of_what_is_no_domain(helo: str) -> None:
    assert run(spf.check("192.0.2.1", "", helo), {}).result == "none"


def test_keeps_a_strangers_line_ends_out_of_explanations() -> None:
    zone = {
        "example.org": {"TXT": ["v=spf1 -all exp=why.example.org"]},
        "why.example.org": {"TXT": ["no\r\nX-Forged: yes"]},
    }
    verdict = run(spf.check("192.0.2.1", "a@example.org", "h.example"), zone)
    assert (verdict.result, verdict.explanation) == ("fail", "")


def test_cuts_what_macros_make_too_long_from_the_left() -> None:
    asked: list[Question] = []
    zone = {"example.org": {"TXT": ["v=spf1 exists:" + "%{d}." * 3000 + "cut.example -all"]}}
    assert run(spf.check("192.0.2.1", "a@example.org", "h.example"), zone, asked).result == "fail"
    name = asked[-1].name
    assert name.endswith("example.org.cut.example")
    assert len(name) <= limits.DOMAIN_OCTETS


def test_reads_macro_numbers_of_any_length() -> None:
    zone = {
        "example.org": {"TXT": ["v=spf1 exists:%{d" + "0" * 5000 + "1}.one.example -all"]},
        "org.one.example": {"A": ["127.0.0.2"]},
    }
    assert run(spf.check("192.0.2.1", "a@example.org", "h.example"), zone).result == "pass"
