"""What a record says, judged from answers given as values; the whole of it is in test_domains.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.errors import LookupFailed, NoRecords, NoRoute, NoSuchName
from mailcore.outside.lookups import Answer
from mailcore.services import dns_records
from mailcore.services.dns_records import Record, judge_record

KEYS = ("ownership", "mx", "spf", "dkim:s1", "dmarc", "tlsrpt", "srv:imaps")
VALUES = {
    "ownership": "hostmail-verification=abc", "mx": "10 localhost", "spf": "v=spf1 a:localhost ~all",
    "dkim:s1": "v=DKIM1; k=rsa; p=QUJD", "dmarc": "v=DMARC1; p=none",
    "tlsrpt": "v=TLSRPTv1; rua=mailto:r@x.test", "srv:imaps": "0 1 2993 localhost",
}  # fmt: skip


def record(key: str) -> Record:
    return Record(key, "purpose", "host.x.test", "host", "TXT", VALUES[key], 3600, True, "why")


def judge(key: str, *texts: str) -> dns_records.Finding:
    return judge_record(record(key), Answer("host.x.test", "TXT", texts, 60, "host.x.test"))


@pytest.mark.parametrize("key", KEYS)
def test_keeps_no_and_no_answer_apart(key):
    for failure in (NoSuchName(), NoRecords()):
        assert judge_record(record(key), failure).state == "missing"
    for failure in (LookupFailed(), NoRoute()):
        assert judge_record(record(key), failure).state == "later"


@pytest.mark.parametrize("key", KEYS)
def test_what_we_ask_for_is_fine_once_it_is_there(key):
    found = judge(key, VALUES[key])
    assert (found.state, found.fix) == ("ok", "")
    assert found.explanation


@pytest.mark.parametrize("key", KEYS)
@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_never_stumbles_over_what_stands_there(key, texts):
    found = judge(key, *texts)
    assert found.state in ("ok", "missing", "differs", "several", "later")
    assert found.state == "ok" or (found.fix and found.explanation)


def test_keeps_only_so_much_of_what_it_saw():
    found = judge("mx", *[f"{number} {'x' * 2000}" for number in range(50)])
    assert len(found.seen) == 10
    assert max(map(len, found.seen)) == 1000


@given(
    st.lists(st.sampled_from(["mx", "a", "include:x.test", "ip4:10.0.0.0/8", "-all", "~all", "redirect=y"]))
)
def test_a_merged_spf_record_allows_us_and_keeps_what_was_there(terms):
    merged = dns_records.spf_value(" ".join(["v=spf1", *terms]))
    assert judge("spf", merged).state == "ok"
    assert [term for term in merged.split()[1:] if term in terms] == terms
    assert dns_records.spf_value(merged) == merged


@pytest.mark.parametrize(
    ("existing", "wanted"),
    [
        ("", "v=DMARC1; p=none; rua=mailto:r@x.test"),
        ("v=DMARC1; p=reject;", "v=DMARC1; p=reject; rua=mailto:r@x.test"),
        (
            "v=DMARC1; rua=mailto:a@b.test ; p=reject; ruf=mailto:c@d.test",
            "v=DMARC1; rua=mailto:a@b.test,mailto:r@x.test; p=reject; ruf=mailto:c@d.test",
        ),
        ("v=DMARC1; p=none; rua=mailto:a@b.test", "v=DMARC1; p=none; rua=mailto:a@b.test,mailto:r@x.test"),
        ("v=DMARC1; p=none; rua=mailto:R@x.test", "v=DMARC1; p=none; rua=mailto:R@x.test"),
    ],
)
def test_has_dmarc_reports_come_here_besides_where_they_go(existing, wanted):
    value = dns_records.dmarc_value(existing, "r@x.test")
    assert value == wanted
    assert dns_records.dmarc_value(value, "r@x.test") == value


def test_sees_where_tls_reports_go():
    assert judge("tlsrpt", "v=TLSRPTv1; rua=mailto:other@x.test,mailto:R@x.test").state == "ok"
    assert judge("tlsrpt", "v=TLSRPTv1; rua=mailto:other@x.test").state == "differs"
    assert judge("tlsrpt", VALUES["tlsrpt"], VALUES["tlsrpt"]).state == "several"
