import threading

import pytest

from bench.imap_client import Imap, ImapError, fetches, responses

from .toy import Toy


def test_keeps_literals_apart_from_the_text_around_them():
    data = b"* 1 FETCH (UID 7 BODY[] {9}\r\nA1 OK\r\n)\r FLAGS ())\r\n* 2 EXISTS\r\nA1 OK done\r\n"
    found = list(responses(data))
    assert found[0] == (b"* 1 FETCH (UID 7 BODY[] {9} FLAGS ())", [b"A1 OK\r\n)\r"])
    assert [text for text, _ in fetches(data)] == [found[0][0]]
    assert len(found) == 3


def test_finds_the_end_of_an_answer_however_it_is_cut():
    import socket

    answer = (
        b"* 1 FETCH (BODY[] {16}\r\nA000002 OK no.\r\n)\r\n* 2 EXISTS\r\nA000002 OK [X] "
        + b"y" * 300
        + b"\r\n"
    )
    for size in (1, 5, 64, len(answer)):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve(server=server, size=size):
                peer = server.accept()[0]
                peer.sendall(b"* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n")
                peer.recv(100)
                peer.sendall(b"A000001 OK\r\n")
                peer.recv(100)
                for at in range(0, len(answer), size):
                    peer.sendall(answer[at : at + size])
                peer.close()

            thread = threading.Thread(target=serve)
            thread.start()
            client = Imap("127.0.0.1", server.getsockname()[1])
            assert client.capabilities == {"IMAP4REV1", "IDLE"}
            assert client.command("NOOP") == b"A000001 OK\r\n"
            assert client.command("FETCH", "1", "BODY[]") == answer
            client.socket.close()
            thread.join()


def test_raises_on_anything_but_ok():
    with Toy() as target:
        client = Imap(target.host, target.ports["imap"])
        with pytest.raises(ImapError, match="NO wrong"):
            client.login("nobody", "x")
        with pytest.raises(ImapError, match="BAD"):
            client.command("FROBNICATE")
        client.logout()
