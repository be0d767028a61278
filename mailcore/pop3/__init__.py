"""The POP3 face: wire, commands, session, server. (RFC 1939, 2449)"""
