"""What remote mail hosts say: lines to a Reply, and what counts as success, refusal and surprise. (pure)

RFC 5321 §4.2 (replies), RFC 2034 and RFC 3463 (enhanced codes). Text is cleaned: no line ends, no control
characters, bounded; it goes into rows, pages and bounces. Used by remote_smtp.
"""

import re
from dataclasses import dataclass, replace

from mailcore import limits


@dataclass(frozen=True, slots=True)
class Reply:
    """What the host said, or what happened instead (code 0; text is then ours).

    status is the enhanced code (RFC 3463), the host's or a general one of the same class. is_uncertain: the
    message was sent and its last reply never came, so the host may have it.
    """

    code: int
    status: str
    text: str
    phase: str
    milliseconds: int = 0
    is_uncertain: bool = False

    @property
    def is_ok(self) -> bool:
        return self.status.startswith("2")

    @property
    def is_permanent(self) -> bool:
        return self.status.startswith("5")

    @property
    def is_temporary(self) -> bool:
        return self.status.startswith("4")

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}" if self.code else f"{self.status} {self.text}"


@dataclass(frozen=True, slots=True)
class RecipientReply:
    """The end of one recipient's try: relayed if the reply is ok."""

    recipient: str
    reply: Reply


class Surprise(Exception):
    """The host did not answer as SMTP has it; the connection is of no more use."""

    def __init__(self, text: str, status: str = "4.4.2", code: int = 0) -> None:
        super().__init__(text)
        self.text, self.status, self.code = text, status, code


_LINE = re.compile(r"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?=\s|$)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]+")


def parse(lines: list[str], phase: str, milliseconds: int) -> Reply:
    """Make one reply of its lines; all must carry the same code. Raises Surprise for garbage."""
    texts, codes, status = [], set(), ""
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise Surprise(f"not an SMTP reply: {_clean(line)[:100]!r}", "4.5.0")
        codes.add(int(match[1]))
        text = match[3] or ""
        if (found := _STATUS.match(text)) and found[1][0] == match[1][0]:
            status, text = found[1], text[found.end() :]
        texts.append(_clean(text))
    if len(codes) != 1:
        raise Surprise(f"a reply with several codes: {sorted(codes)}", "4.5.0")
    code = codes.pop()
    # 3xx means "go on": where it is not expected, it is a surprise that may pass.
    general = {2: "2.0.0", 4: "4.0.0", 5: "5.0.0"}.get(code // 100, "4.5.0")
    text = " / ".join(filter(None, texts))[: limits.REMOTE_REPLY_TEXT]
    return Reply(code, status or general, text, phase, milliseconds)


def _clean(text: str) -> str:
    return " ".join(_CONTROLS.sub(" ", text).split())


def as_refusal(reply: Reply) -> Reply:
    """Return a reply that ends a try: a success at the wrong place is a surprise, so temporary."""
    return replace(reply, status="4.5.0") if reply.is_ok else reply


def as_recipient_reply(reply: Reply) -> Reply:
    """Read a reply to RCPT as it was meant."""
    # RFC 5321 §4.5.3.1.10: 552 for "too many recipients" is an old way to say 452; a full mailbox says 5.2.2.
    if reply.code == 552 and reply.status in ("5.0.0", "5.5.3"):
        return replace(reply, status="4.5.3")
    return reply
