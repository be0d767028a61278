from mailcore.services import mailboxes


def test_one_root_for_the_mailbox(alice, cast):
    mailboxes.set_quota(cast.alice.mailbox, 10 * 1024 * 1024, actor=None)
    alice.append(b"x" * 3000)
    quota = '* QUOTA "" (STORAGE 3 10240)\r\n'
    assert alice.say("GETQUOTAROOT inbox") == (
        f'* QUOTAROOT "INBOX" ""\r\n{quota}a OK GETQUOTAROOT completed\r\n'
    )
    assert alice.say('GETQUOTA ""') == f"{quota}a OK GETQUOTA completed\r\n"
    assert alice.say("GETQUOTA other").startswith("a NO [NONEXISTENT] ")
    assert alice.say("GETQUOTAROOT Nowhere").startswith("a NO [NONEXISTENT] ")


def test_is_not_the_clients_to_set(alice):
    assert alice.say('SETQUOTA "" (STORAGE 1)').startswith("a NO [NOPERM] ")


def test_tells_how_many_messages_where_that_is_limited(alice, cast):
    alice.append()
    mailboxes.set_message_limit(cast.alice.mailbox, 2, actor=None)
    assert "(STORAGE 1 " in alice.say('GETQUOTA ""')
    assert " MESSAGE 1 2)" in alice.say('GETQUOTA ""')


def test_takes_no_more_messages_than_there_may_be(alice, cast):
    mailboxes.set_message_limit(cast.alice.mailbox, 2, actor=None)
    alice.append()
    raw = b"Subject: x\r\n\r\n"
    said = alice.say(b"APPEND INBOX {%d}\r\n {%d}\r\n" % (len(raw), len(raw)), raw, raw)
    assert said == "a NO [OVERQUOTA] The mailbox is full\r\n"
    assert "a OK" in alice.append()
    alice.say("SELECT INBOX")
    assert alice.say("COPY 1 Sent") == "a NO [OVERQUOTA] The mailbox is full\r\n"
    # What moves inside the mailbox takes no more room.
    assert "a OK MOVE" in alice.say("MOVE 1 Sent")
    mailboxes.set_message_limit(cast.alice.mailbox, None, actor=None)
    assert "a OK" in alice.say("COPY 1 Sent")
