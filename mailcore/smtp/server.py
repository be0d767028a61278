"""The SMTP listeners of maild: 25 for other hosts, 587 and 465 for our own senders."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from django.conf import settings

from mailcore.services import reports
from mailcore.smtp.mx import MX
from mailcore.smtp.protocol import Sessions

if TYPE_CHECKING:
    from mailcore.server import Listener, Maild, Port


class Ports:
    """Open ports with their sessions."""

    def __init__(self, maild: Maild, sessions: Sessions, servers: list[Port]) -> None:
        self.maild = maild
        self.sessions = sessions
        self.servers = servers

    async def stop(self) -> None:
        for server in self.servers:
            server.close()
        self.sessions.close_all()
        await self.maild.call(reports.counts.flush)


async def start(maild: Maild) -> list[Listener]:
    """Open the ports that maild is to serve."""
    loop = asyncio.get_running_loop()
    listeners: list[Listener] = []
    if "mx" in maild.only:
        mx = Sessions(settings.HOSTMAIL_HOSTNAME, maild.tls)
        port = await maild.listen(lambda: MX(maild, mx, loop), settings.HOSTMAIL_SMTP_PORT)
        listeners.append(Ports(maild, mx, [port]))
    if "submission" in maild.only:
        from mailcore.smtp.submission import SubmissionProtocol

        senders = Sessions(settings.HOSTMAIL_HOSTNAME, maild.tls)
        starttls = await maild.listen(
            lambda: SubmissionProtocol(maild, senders, over_tls=False, loop=loop),
            settings.HOSTMAIL_SUBMISSION_PORT,
        )
        implicit = await maild.listen(
            lambda: SubmissionProtocol(maild, senders, over_tls=True, loop=loop),
            settings.HOSTMAIL_SUBMISSIONS_PORT,
            tls=True,
        )
        listeners.append(Ports(maild, senders, [starttls, implicit]))
    return listeners
