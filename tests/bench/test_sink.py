import asyncio

from bench.sink import Sink, _SinkConnection


class Transport:
    def __init__(self):
        self.out = b""

    def write(self, data):
        self.out += data

    def close(self):
        pass


TALK = (
    b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
    b"Subject: x\r\nMessage-ID: <1@x>\r\n\r\n..\r\nMessage-ID: <no>\r\n"
    b".\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nQUIT\r\n"
)


async def test_finds_the_end_of_mail_however_it_is_cut():
    for size in (1, 2, 3, 7, 50, len(TALK)):
        sink, transport = Sink(), Transport()
        connection = _SinkConnection(sink)
        connection.connection_made(transport)
        for at in range(0, len(TALK), size):
            connection.data_received(TALK[at : at + size])
        assert sink.seen == {b"<1@x>": 1, b"<none>": 1}
        assert transport.out.count(b"250 2.0.0 taken") == 2
        assert transport.out.endswith(b"221 2.0.0 bye\r\n")
        await asyncio.sleep(0)
