"""RET, ENVID, NOTIFY and ORCPT, as clients write them."""

import pytest

from mailcore.errors import BadParameter
from mailcore.smtp import dsn


@pytest.mark.parametrize(
    ("arg", "rest", "found"),
    [
        ("FROM:<a@b>", "FROM:<a@b>", {}),
        ("FROM:<a@b> SIZE=3", "FROM:<a@b> SIZE=3", {}),
        ("FROM:<a@b> ret=full SIZE=3 ENVID=QQ+2B1", "FROM:<a@b> SIZE=3", {"RET": "FULL", "ENVID": "QQ+2B1"}),
        ("from:<> RET=HDRS", "from:<>", {"RET": "HDRS"}),
        ('FROM:<"a> RET=FULL"@b> BODY=8BITMIME', 'FROM:<"a> RET=FULL"@b> BODY=8BITMIME', {}),
    ],
)
def test_takes_what_belongs_to_mail_out_of_it(arg, rest, found):
    assert dsn.take(arg, dsn.MAIL) == (rest, found)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("NOTIFY=never", {"NOTIFY": "NEVER"}),
        ("NOTIFY=Success,DELAY,FAILURE", {"NOTIFY": "SUCCESS,DELAY,FAILURE"}),
        ("ORCPT=rfc822;Bob+2BX@b", {"ORCPT": "rfc822;Bob+2BX@b"}),
    ],
)
def test_takes_what_belongs_to_rcpt_out_of_it(words, found):
    assert dsn.take(f"TO:<a@b> {words}", dsn.RCPT) == ("TO:<a@b>", found)


@pytest.mark.parametrize(
    "words",
    [
        "NOTIFY=NEVER,SUCCESS", "NOTIFY=", "NOTIFY", "NOTIFY=SUCCESS,SUCCESS", "NOTIFY=ALWAYS",
        "NOTIFY=NEVER NOTIFY=NEVER", "ORCPT=bob@b", "ORCPT=rfc822;", "ORCPT=rfc822;a+zz", "ORCPT=r f;a",
        "ORCPT=rfc822;" + "a" * 500,
    ],
)  # fmt: skip
def test_refuses_what_is_no_value_for_rcpt(words):
    with pytest.raises(BadParameter) as refused:
        dsn.take(f"TO:<a@b> {words}", dsn.RCPT)
    assert refused.value.smtp_reply().startswith("501 5.5.4 ")


@pytest.mark.parametrize("words", ["RET=SOME", "ENVID=a=b", "ENVID=" + "a" * 101, "RET=FULL RET=HDRS"])
def test_refuses_what_is_no_value_for_mail(words):
    with pytest.raises(BadParameter):
        dsn.take(f"FROM:<a@b> {words}", dsn.MAIL)
