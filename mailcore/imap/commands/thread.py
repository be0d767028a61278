"""THREAD and UID THREAD (RFC 5256 §3): a SEARCH, and which of the mails found answers which.

The algorithms are message/threads.py's. Ids are read from headers, a page at a time, and none is kept.
"""

from __future__ import annotations

from mailcore import limits
from mailcore.imap import pages
from mailcore.imap.commands.search import asks_modseq, find
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.values import Thread
from mailcore.message import threads
from mailcore.message.subject import casemap, is_reply

_COLUMNS = ("m.uid", "m.internal_date", "c.sent_at", "c.base_subject")
_WITH_HEADER = (*_COLUMNS, "c.subject", "c.header")


def thread(session: Session, command: Thread) -> Handler:
    """A message that went since it was found is in no thread: the client is about to hear of it."""
    view = session.selected
    if asks_modseq(command.key):
        yield from session.tell_modseqs()
    found = yield from find(view, command.key)
    slices = [(first, last + 1) for first, last in seqset.collect(found)]
    by_references = command.algorithm == "REFERENCES"
    columns = _WITH_HEADER if by_references else _COLUMNS
    mails: list[threads.Mail] = []
    numbers: list[int] = []
    most = limits.IMAP_PAGE_ROWS // (5 if by_references else 1)  # headers may be large
    for page, _ in pages.rows(view, slices, columns, most):
        for at, (uid, arrived, sent_at, base, *more) in page:
            numbers.append(uid if command.uid else at + 1)
            message_id, references = threads.ids_of(more[1]) if more else (b"", [])
            mails.append(
                threads.Mail(
                    message_id,
                    references,
                    arrived if sent_at is None else sent_at,
                    casemap(base),
                    bool(more) and is_reply(more[0]),
                )
            )
        yield b""
    if by_references:
        steps = threads.by_references(mails)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                forest = stop.value
                break
            yield b""
    else:
        forest = threads.by_subject(mails)
    yield responses.thread(forest.roots, forest.children, numbers)
    return Done("THREAD completed")
