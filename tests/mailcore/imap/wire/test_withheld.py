import pytest

from mailcore.imap.wire import parser, withheld
from mailcore.imap.wire.receiver import Received

# One use at least of each word that can be withheld, but for those that only ENABLE knows.
USES = {
    "ACL": ["GETACL x", "SETACL x a lr", "DELETEACL x a", "LISTRIGHTS x a", "MYRIGHTS x",
            'LIST "" * RETURN (MYRIGHTS)'],
    "BINARY": ["FETCH 1 BINARY[1]", "UID FETCH 1 BINARY.SIZE[1]", "FETCH 1 (UID BINARY.PEEK[1])"],
    "COMPRESS=DEFLATE": ["COMPRESS DEFLATE"],
    "CONDSTORE": ["SELECT x (CONDSTORE)", "FETCH 1 MODSEQ", "FETCH 1 FLAGS (CHANGEDSINCE 1)",
                  "STORE 1 (UNCHANGEDSINCE 1) FLAGS ()", "STATUS x (HIGHESTMODSEQ)", "SEARCH MODSEQ 3",
                  "UID SEARCH OR SEEN NOT MODSEQ 3", 'LIST "" * RETURN (STATUS (HIGHESTMODSEQ))',
                  "SELECT x (QRESYNC (1 2))", "SORT (DATE) UTF-8 MODSEQ 3",
                  "NOTIFY SET (SELECTED (MessageNew (MODSEQ) MessageExpunge))"],
    "IDLE": ["IDLE"],
    "LIST-EXTENDED": ['LIST "" (x y)', 'LIST (SUBSCRIBED) "" *', 'LIST "" * RETURN (CHILDREN)'],
    "LIST-STATUS": ['LIST "" * RETURN (STATUS (MESSAGES))'],
    "METADATA": ['GETMETADATA "" /private/x', 'SETMETADATA "" (/private/x "y")',
                 'LIST "" * RETURN (METADATA (/private/x))'],
    "MOVE": ["MOVE 1 x", "UID MOVE 1 x"],
    "MULTISEARCH": ["ESEARCH ALL"],
    "NAMESPACE": ["NAMESPACE"],
    "NOTIFY": ["NOTIFY NONE"],
    "PREVIEW": ["FETCH 1 PREVIEW", "NOTIFY SET (SELECTED (MessageNew (PREVIEW) MessageExpunge))"],
    "QRESYNC": ["SELECT x (QRESYNC (1 2))"],
    "QUOTA": ['GETQUOTA ""', "GETQUOTAROOT x", 'SETQUOTA "" (STORAGE 1)'],
    "SORT": ["SORT (DATE) UTF-8 ALL", "UID SORT (DATE) UTF-8 ALL"],
    "THREAD": ["THREAD REFERENCES UTF-8 ALL", "UID THREAD REFERENCES UTF-8 ALL"],
    "UNAUTHENTICATE": ["UNAUTHENTICATE"],
    "UNSELECT": ["UNSELECT"],
}  # fmt: skip
WITH_LITERALS = {
    "BINARY": ("APPEND x ~{1}\r\n", 1),
    "CATENATE": ('APPEND x CATENATE (URL "/x/;UID=1")', 0),
    "MULTIAPPEND": ("APPEND x {1}\r\n {1}\r\n", 2),
    "REPLACE": ("UID REPLACE 1 x {1}\r\n", 1),
}
HARMLESS = [
    "NOOP", "SELECT x", "FETCH 1 (UID FLAGS BODY[])", "STORE 1 +FLAGS (\\Seen)", "STATUS x (MESSAGES)",
    'LIST "" *', "SEARCH OR SEEN NOT FROM x", "UID FETCH 1 FLAGS", "COPY 1 x",
]  # fmt: skip


def command(line: str, literals: int = 0):
    return parser.parse(Received(b"a " + line.encode(), tuple([b"x"] * literals)))


@pytest.mark.parametrize("word", USES)
def test_knows_every_use(word):
    for line in USES[word]:
        assert withheld.refuses(frozenset({word}), command(line)), line
    for line in HARMLESS:
        assert not withheld.refuses(withheld.whole(withheld.WORDS), command(line)), line


def test_knows_uses_in_messages():
    for word, (line, literals) in WITH_LITERALS.items():
        assert withheld.refuses(frozenset({word}), command(line, literals)), word
    for word in withheld.WORDS:
        assert not withheld.refuses(frozenset({word}), command("APPEND x {1}\r\n", 1))


def test_each_word_is_tried():
    only_enabled = {"IMAP4REV2", "UIDONLY", "UTF8=ACCEPT"}
    assert USES.keys() | WITH_LITERALS.keys() | only_enabled == withheld.WORDS.keys()


def test_takes_along_what_cannot_be_without_it():
    assert withheld.whole({"CONDSTORE"}) == {"CONDSTORE", "QRESYNC"}
    assert withheld.whole({"IDLE"}) == {"IDLE", "IMAP4REV2"}
    assert "THREAD=REFERENCES" in withheld.whole({"THREAD"})


def test_reads_words_and_clients():
    assert withheld.read(" idle, Move ") == {"IDLE", "MOVE"}
    clients = withheld.read_clients("Odd Mail: IDLE; x: MOVE,IDLE;")
    assert clients == (("odd mail", frozenset({"IDLE"})), ("x", frozenset({"IDLE", "MOVE"})))
    assert withheld.from_client(clients, "Odd Mail 3.1") == {"IDLE"}
    assert withheld.from_client(clients, "Not Odd Mail") == frozenset()


@pytest.mark.parametrize("text", ["IMAP4rev1", "LITERAL+", "FROB"])
def test_withholds_only_what_is_refused_whole(text):
    with pytest.raises(ValueError, match="cannot be withheld"):
        withheld.read(text)


@pytest.mark.parametrize("text", ["IDLE", ": IDLE", "x:", "x: FROB"])
def test_refuses_what_names_no_client(text):
    with pytest.raises(ValueError, match=r"it is written|cannot be"):
        withheld.read_clients(text)
