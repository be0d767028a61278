import pytest

from mailcore.imap.wire import objectids


def test_what_is_encoded_is_found_again():
    assert objectids.encode(objectids.EMAIL, 7, 12) == "M7-12"
    assert objectids.decode("M7-12", objectids.EMAIL, 7) == 12


def test_what_is_from_another_mailbox_keeps_its_id():
    there = 7 << objectids.SERIAL_BITS | 12
    assert objectids.encode(objectids.THREAD, 9, there) == objectids.encode(objectids.THREAD, 7, 12)
    assert objectids.decode("T7-12", objectids.THREAD, 9) == there
    assert objectids.decode("T9-12", objectids.THREAD, 9) == 12


@pytest.mark.parametrize(
    "text",
    [
        "",
        "T7-12",
        "m7-12",
        "M7",
        "M7-",
        "M-7",
        "M0-1",
        "M7-0",
        "M07-1",
        "M7-12x",
        "M8388608-1",
        "M7-1099511627776",
    ],
)
def test_what_is_no_id_of_an_email_is_none(text):
    assert objectids.decode(text, objectids.EMAIL, 7) is None
