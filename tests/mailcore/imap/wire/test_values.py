"""The values tell numberings apart and keep passwords out of logs."""

from mailcore.imap.wire.values import Authenticate, Copy, Fetch, Login, Search, Store


def test_knows_whether_it_speaks_of_uids():
    assert Fetch(b"a", "UID FETCH", (), ()).uid
    assert not Fetch(b"a", "FETCH", (), ()).uid
    assert Store(b"a", "UID STORE", (), "", (), silent=False).uid
    assert Copy(b"a", "UID MOVE", (), "x").uid
    assert not Copy(b"a", "COPY", (), "x").uid
    assert not Search(b"a", "SEARCH", None).uid


def test_hides_secrets():
    assert "hunter2" not in repr(Login(b"a", "LOGIN", b"joe", b"hunter2"))
    assert "hunter2" not in repr(Authenticate(b"a", "AUTHENTICATE", "PLAIN", b"\0joe\0hunter2"))
