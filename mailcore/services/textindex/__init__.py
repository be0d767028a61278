"""The text index: searches for TEXT, BODY, FROM, SUBJECT and other fields, fast and exact.

Each mailbox has blocks of up to 1,024 contents with their folded fields and, once sealed, the trigram bitmaps
of their headers and bodies. A search takes from the bitmaps what may match and looks at the text itself,
which is kept folded beside the content. What no block names is read from the mail, so an answer never depends
on how far the worker has come. All of it is derived and may be dropped.
"""

from mailcore.services.textindex.build import index_mailbox, rebuild, sweep, tidy
from mailcore.services.textindex.search import Wanted, find, find_all, indexed

__all__ = ["Wanted", "find", "find_all", "index_mailbox", "indexed", "rebuild", "sweep", "tidy"]
