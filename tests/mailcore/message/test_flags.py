from mailcore.message import flags


def test_bits_and_names_are_inverse() -> None:
    for bits in range(32):
        assert sum(flags.bit(name) for name in flags.names(bits)) == bits


def test_reads_names_in_any_case_and_nothing_else() -> None:
    assert flags.bit("\\SEEN") == flags.SEEN
    assert flags.bit("\\Recent") == 0
    assert flags.bit("$Junk") == 0
    assert flags.names(flags.ALL) == ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]
