"""The IMAP face: wire (bytes to values), commands, view, session, server. (RFC 3501 and its extensions)"""
