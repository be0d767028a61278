import base64
import quopri

from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import transfer


@given(st.binary(max_size=300))
def test_undoes_what_the_standard_library_does(raw: bytes) -> None:
    assert transfer.decode(base64.encodebytes(raw).replace(b"\n", b"\r\n"), "base64") == raw
    text = raw.replace(b"\r", b"").replace(b"\n", b"")
    assert transfer.decode(quopri.encodestring(text), "quoted-printable").rstrip(b"\r\n") == text.rstrip(
        b"\r\n"
    )
    assert transfer.decode(raw, "8bit") == raw


@given(st.binary(max_size=120), st.integers(0, 200))
def test_a_cut_piece_gives_its_whole_octets(raw: bytes, cut: int) -> None:
    piece = base64.b64encode(raw)[:cut]
    found = transfer.base64(piece)
    assert raw.startswith(found)
    assert len(found) >= len(piece.rstrip(b"=")) // 4 * 3


@given(st.binary(max_size=200))
def test_decodes_anything(raw: bytes) -> None:
    transfer.base64(raw)
    transfer.quoted_printable(raw)


def test_skips_what_is_no_base64() -> None:
    assert transfer.base64(b"YW\r\n-!Jj") == b"abc"
    assert transfer.base64(b"YQ==YQ==") == b"a"
