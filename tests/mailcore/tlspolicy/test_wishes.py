"""REQUIRETLS and TLS-Required, as senders say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.tlspolicy.wishes import take, wish


@pytest.mark.parametrize(
    ("arg", "rest", "found"),
    [
        ("FROM:<a@b> REQUIRETLS", "FROM:<a@b>", True),
        ("FROM:<a@b> SIZE=9 requiretls BODY=8BITMIME", "FROM:<a@b> SIZE=9 BODY=8BITMIME", True),
        ("FROM:<> REQUIRETLS", "FROM:<>", True),
        ("FROM:<a@b>", "FROM:<a@b>", False),
        ('FROM:<" REQUIRETLS "@b>', 'FROM:<" REQUIRETLS "@b>', False),
        ("FROM:<a@b> REQUIRETLS=yes", "FROM:<a@b> REQUIRETLS=yes", False),
        ("FROM:<a@b> REQUIRETLS REQUIRETLS", "FROM:<a@b> REQUIRETLS REQUIRETLS", False),
        ("FROM:a@b REQUIRETLS", "FROM:a@b REQUIRETLS", False),
    ],
)
def test_takes_the_parameter(arg, rest, found):
    assert take(arg) == (rest, found)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"Subject: x\r\nTLS-Required: No\r\n", "no"),
        (b"tls-required:\r\n nO \r\n", "no"),
        (b"TLS-Required: Yes\r\n", ""),
        (b"TLS-Required: No\r\nTLS-Required: No\r\n", ""),
        (b"X-TLS-Required: No\r\n", ""),
        (b"Subject: TLS-Required: No\r\n", ""),
        (b"", ""),
    ],
)
def test_reads_the_field_and_prefers_the_parameter(header, wanted):
    assert wish(header, requires=False) == wanted
    assert wish(header, requires=True) == "yes"


@given(st.text(max_size=60), st.binary(max_size=60))
def test_is_total(arg, header):
    take(arg)
    wish(header, requires=False)
