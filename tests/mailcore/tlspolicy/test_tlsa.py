"""TLSA records: which can be used, and which chains they name."""

import datetime as dt
import hashlib

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mailcore.tlspolicy.tlsa import TLSA, objection, parse

NOW = dt.datetime.now(dt.UTC)
HOST = "mx.example.org"


def der(pem):
    return x509.load_pem_x509_certificate(pem.bytes()).public_bytes(Encoding.DER)


def data(octets, selector, matching):
    if selector:
        key = x509.load_der_x509_certificate(octets).public_key()
        octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [octets, hashlib.sha256(octets).digest(), hashlib.sha512(octets).digest()][matching]


def naming(octets, usage, selector=1, matching=1):
    return TLSA(usage, selector, matching, data(octets, selector, matching))


@pytest.fixture(scope="module")
def chain():
    """A host's certificate, the authority that signed it, and that one's own authority."""
    root = trustme.CA()
    middle = root.create_child_ca()
    issued = middle.issue_cert(HOST)
    return [der(issued.cert_chain_pems[0]), der(middle.cert_pem), der(root.cert_pem)]


@pytest.fixture(scope="module")
def stranger():
    authority = trustme.CA()
    return [der(authority.issue_cert(HOST).cert_chain_pems[0]), der(authority.cert_pem)]


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_takes_the_certificate_that_a_record_names(chain, stranger, selector, matching):
    record = naming(chain[0], 3, selector, matching)
    assert objection(chain, [record], [HOST], NOW) == ""
    assert objection(stranger, [record], [HOST], NOW) == "no TLSA record names the host's certificate"


def test_asks_neither_names_nor_dates_of_a_certificate_named_itself(chain):
    record = naming(chain[0], 3)
    assert objection(chain, [record], ["other.test"], NOW + dt.timedelta(days=400_000)) == ""


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize(("selector", "matching"), [(0, 0), (0, 1), (1, 1), (1, 2), (1, 0)])
def test_takes_what_a_named_authority_has_signed(chain, place, selector, matching):
    record = naming(chain[place], 2, selector, matching)
    assert objection(chain, [record], ["example.org", HOST], NOW) == ""


def test_asks_names_and_dates_of_what_an_authority_has_signed(chain):
    record = naming(chain[1], 2)
    assert "has not signed for other.test" in objection(chain, [record], ["other.test"], NOW)
    assert "has not signed" in objection(chain, [record], [HOST], NOW + dt.timedelta(days=400_000))


def test_wants_the_authority_itself_in_the_chain_unless_the_record_holds_it(chain):
    assert objection(chain[:2], [naming(chain[2], 2)], [HOST], NOW)
    assert objection(chain[:2], [naming(chain[2], 2, 0, 0)], [HOST], NOW) == ""


def test_believes_no_authority_that_is_only_shown(chain, stranger):
    # The named authority stands in the chain, and has not signed.
    assert objection([stranger[0], stranger[1], chain[1]], [naming(chain[1], 2)], [HOST], NOW)


def test_one_record_that_fits_is_enough(chain, stranger):
    records = [naming(stranger[0], 3), naming(chain[0], 1), naming(chain[0], 3)]
    assert objection(chain, records, [HOST], NOW) == ""


def test_counts_only_records_that_can_be_used(chain):
    assert objection(chain, [naming(chain[0], 1), naming(chain[0], 0)], [HOST], NOW)
    assert objection(chain, [], [HOST], NOW)


@pytest.mark.parametrize("broken", [[], [b""], [b"\x30\x03abc"]])
def test_objects_to_what_is_no_chain(broken):
    assert objection(broken, [TLSA(3, 1, 1, b"a" * 32)], [HOST], NOW)


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("3 1 1 " + "ab" * 32, True),
        ("2 0 2 " + "AB" * 64, True),
        ("3 0 0 30", True),
        ("3 1 1 " + "ab" * 31, False),
        ("3 1 2 " + "ab" * 32, False),
        ("1 1 1 " + "ab" * 32, False),
        ("0 1 1 " + "ab" * 32, False),
        ("3 2 1 " + "ab" * 32, False),
        ("3 1 3 " + "ab" * 32, False),
        ("255 255 255 ab", False),
    ],
)
def test_says_which_records_can_be_used(text, usable):
    record = parse(text)
    assert record is not None
    assert record.is_usable is usable
    assert str(record) == text.lower()


@pytest.mark.parametrize("text", ["", "3 1 1", "3 1 1 xy", "3 1 1 abc", "256 1 1 ab", "-3 1 1 ab", "3 1 ab"])
def test_reads_no_record_where_there_is_none(text):
    assert parse(text) is None


@given(st.text(max_size=40))
def test_is_total(text):
    parse(text)
