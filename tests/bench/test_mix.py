import email
import email.policy

import zstandard

from bench import mix


def test_gives_the_same_octets_for_the_same_seed():
    assert mix.make(3, 17).raw == mix.make(3, 17).raw
    assert mix.make(3, 17).raw != mix.make(4, 17).raw


def test_holds_the_mix_exactly_in_every_twenty():
    sizes = [mix.size_of(9, number) for number in range(40)]
    for block in (sizes[:20], sizes[20:]):
        assert (block.count(mix.SMALL), block.count(mix.MIDDLE), block.count(mix.LARGE)) == (14, 5, 1)


def test_makes_mail_of_its_size_that_compresses_like_real_mail():
    for size in (mix.SMALL, mix.MIDDLE, mix.LARGE):
        mails = [mix.make(5, number, size=size).raw for number in range(12)]
        octets = sum(map(len, mails))
        packed = sum(len(zstandard.ZstdCompressor(level=3).compress(raw)) for raw in mails)
        assert abs(octets / 12 / size - 1) < 0.03
        assert 1.5 < octets / packed < 1.8


def test_shares_no_text_between_mails():
    first, second = (mix.make(5, number, size=mix.SMALL).raw.partition(b"\r\n\r\n")[2] for number in (0, 1))
    lines = set(first.split(b"\r\n")) & set(second.split(b"\r\n"))
    assert lines <= {b""}


def test_keeps_to_the_rules_of_internet_mail():
    for number in range(20):
        mail = mix.make(6, number)
        assert mail.raw.endswith(b"\r\n")
        assert b"\n" not in mail.raw.replace(b"\r\n", b"")
        assert b"\r" not in mail.raw.replace(b"\r\n", b"")
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
        parsed = email.message_from_bytes(mail.raw, policy=email.policy.default)
        assert parsed["message-id"] == mail.message_id
        assert parsed["subject"] == mail.subject
        assert parsed["from"].addresses[0].addr_spec == mail.author
        assert parsed["date"].datetime.timestamp() == mail.sent_at
        assert not [defect for part in parsed.walk() for defect in part.defects]


def test_plants_its_needles_where_it_says():
    seen = {"body": 0, "text": 0}
    for number in range(200):
        mail = mix.make(7, number)
        parsed = email.message_from_bytes(mail.raw, policy=email.policy.default)
        text = "".join(p.get_content() for p in parsed.walk() if p.get_content_maintype() == "text")
        assert (mix.BODY_NEEDLE in text) == mail.has_body_needle
        assert (mix.TEXT_NEEDLE in text) == mail.has_text_needle
        assert mix.ABSENT_NEEDLE not in text
        seen["body"] += mail.has_body_needle
        seen["text"] += mail.has_text_needle
    assert seen["body"]
    assert seen["text"]


def test_doubles_dots_for_smtp():
    mail = mix.Mail(0, b".a: b\r\n\r\n.\r\nc.\r\n", "", "", "", 0, False, False)
    assert mail.stuffed() == b"..a: b\r\n\r\n..\r\nc.\r\n.\r\n"
