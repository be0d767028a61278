from tests.mailcore.imap.commands.talking import Talk


def test_capability_depends_on_state_and_connection(cast):
    stranger = Talk()
    said = stranger.say("CAPABILITY")
    assert said.startswith("* CAPABILITY IMAP4rev1 ")
    assert " STARTTLS " in said
    assert " AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256\r\n" in said
    assert "LOGINDISABLED" not in said
    in_clear = Talk(may_login=False).say("CAPABILITY")
    assert "LOGINDISABLED" in in_clear
    assert "AUTH=" not in in_clear
    assert "STARTTLS" not in Talk(is_tls=True).say("CAPABILITY")
    logged_in = Talk(cast.alice).say("CAPABILITY")
    assert "AUTH=" not in logged_in
    for name in ("IDLE", "UIDPLUS", "MOVE", "SPECIAL-USE", "QUOTA", "UNSELECT", "NAMESPACE", "CHILDREN"):
        assert f" {name} " in logged_in


def test_noop_brings_news(cast, selected):
    Talk(cast.alice).append()
    assert selected.say("NOOP") == "* 6 EXISTS\r\n* 6 RECENT\r\na OK NOOP completed\r\n"
    assert selected.say("CHECK") == "a OK CHECK completed\r\n"


def test_logout_says_bye_first(alice):
    assert alice.say("LOGOUT") == "* BYE Goodbye\r\na OK LOGOUT completed\r\n"
    assert alice.say("NOOP").startswith("a BAD ")


def test_id_tells_who_we_are(alice):
    assert alice.say('ID ("name" "x" "version" NIL)').startswith('* ID ("name" "Hostmail"')
    assert Talk().say("ID NIL").endswith("a OK ID completed\r\n")
