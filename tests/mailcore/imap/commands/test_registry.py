"""The registry and what is advertised agree with the parser."""

from mailcore.imap import commands
from mailcore.imap.session import State
from mailcore.imap.wire import parser


def test_every_command_that_is_parsed_has_a_row():
    assert set(commands.REGISTRY) == set(parser.COMMANDS)


def test_commands_with_sequence_numbers_hold_expunges_back():
    """RFC 9051 §7.5.1 names FETCH, STORE and SEARCH; their UID forms and all others may tell."""
    assert {name for name, spec in commands.REGISTRY.items() if spec.uses_seqs} == {
        "FETCH",
        "STORE",
        "SEARCH",
    }


def test_only_harmless_commands_are_open_to_strangers():
    assert {name for name, spec in commands.REGISTRY.items() if spec.states & State.NOT_AUTHENTICATED} == {
        "CAPABILITY",
        "NOOP",
        "LOGOUT",
        "ID",
        "STARTTLS",
        "LOGIN",
        "AUTHENTICATE",
    }
