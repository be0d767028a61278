"""A conversation that asks a mail host about a recipient and sends nothing. Used by outbound/probing."""

from __future__ import annotations

from mailcore.outside.remote_smtp import Conversation
from mailcore.outside.smtp_replies import Reply, Surprise, as_recipient_reply, as_refusal
from mailcore.outside.smtp_wire import checked_path


class Probing(Conversation):
    """A Conversation with would_take() in place of transmit()."""

    def would_take(self, reverse_path: str, recipient: str) -> Reply:
        """What the open host says to MAIL and RCPT; RSET follows, and never DATA. Does not raise for it."""
        sender, path = checked_path(reverse_path, empty=True), checked_path(recipient)
        smtputf8 = not (sender + path).isascii()
        if refusal := self._refusal(0, smtputf8=smtputf8):
            return refusal
        try:
            reply, _lines = self._ask(
                "mail", self._mail_command(sender, 1000, smtputf8=smtputf8, body8bit=False)
            )
            if reply.is_ok:
                said, _lines = self._ask("rcpt", f"RCPT TO:<{path}>")
                reply = as_recipient_reply(said)
            else:
                reply = as_refusal(reply)
            self._ask("mail", "RSET")
        except Surprise as surprise:
            self._drop()
            return Reply(surprise.code, surprise.status, surprise.text, "rcpt")
        return reply
