"""A conversation that goes as far as the envelope and then takes it back: would this host have our mail?"""

from __future__ import annotations

from mailcore.outside.remote_smtp import Conversation
from mailcore.outside.smtp_replies import Reply, Surprise
from mailcore.outside.smtp_wire import checked_path


class Rehearsal(Conversation):
    """A Conversation with rehearse() in place of transmit(): nothing is sent."""

    def rehearse(self, reverse_path: str, recipient: str) -> Reply:
        """The host's reply to RCPT, or what came before that ended it; never raises for what it says or does.

        The reply of RSET (RFC 5321 §4.1.1.5), which takes the envelope back, stands in replies.
        """
        commands = (
            ("mail", f"MAIL FROM:<{checked_path(reverse_path, empty=True)}>"),
            ("rcpt", f"RCPT TO:<{checked_path(recipient)}>"),
        )
        reply: Reply | None = None
        phase = "mail"
        try:
            for phase, command in commands:
                reply, _ = self._ask(phase, command)
                if not reply.is_ok:
                    break
            decisive, phase = reply, "mail"
            self._ask(phase, "RSET")
        except Surprise as surprise:
            self._drop()
            lost = Reply(surprise.code, surprise.status, surprise.text, phase)
            return lost if surprise.code else self._keep(lost)
        assert decisive is not None
        return decisive
