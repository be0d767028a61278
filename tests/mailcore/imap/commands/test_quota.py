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
