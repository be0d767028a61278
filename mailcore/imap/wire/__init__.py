"""IMAP's bytes and their values: pure, and total on hostile input.

receiver   chunks in, whole commands out: finds where a command ends, parses nothing
parser     one whole command -> one frozen value of values.py, or BadSyntax; its words are in grammar,
           fetch_items and search_keys
responses  values -> bytes
seqset     sequence sets: parse, resolve against a folder, write compactly
utf7       folder names on the wire
patterns   LIST's % and *

Who calls: mailcore/imap/session.py and commands/; the change log uses seqset for its packed UIDs.
"""
