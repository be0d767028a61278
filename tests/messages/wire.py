"""Reads IMAP data, strictly and on its own, to judge what we wrote. (RFC 9051 §9)"""

from __future__ import annotations

import re
from typing import Any

_ATOM = re.compile(rb"[0-9]+|NIL")
_QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*+)"')
_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n")


def read(wire: bytes) -> Any:
    """Return wire as nested lists of bytes, int and None. Raises ValueError for what IMAP has no grammar for.

    Between elements stands exactly one space, or none between two lists (the parts of a multipart).
    """
    stack: list[list[Any]] = [[]]
    position = 0
    needs_space = False
    while position < len(wire):
        char = wire[position : position + 1]
        if char == b")":
            if len(stack) < 2 or not needs_space:
                raise ValueError(wire[position - 20 : position + 20])
            done = stack.pop()
            stack[-1].append(done)
            position += 1
            needs_space = True
            continue
        if needs_space:
            if char == b" ":
                position += 1
                char = wire[position : position + 1]
            elif not (char == b"(" and isinstance(stack[-1][-1], list)):
                raise ValueError(wire[position - 20 : position + 20])
        if char == b"(":
            stack.append([])
            position += 1
            needs_space = False
            continue
        if quoted := _QUOTED.match(wire, position):
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted[1]))
            position = quoted.end()
        elif literal := _LITERAL.match(wire, position):
            end = literal.end() + int(literal[1])
            value = wire[literal.end() : end]
            if len(value) != int(literal[1]) or b"\0" in value:
                raise ValueError(wire[position - 20 : position + 20])
            stack[-1].append(value)
            position = end
        elif atom := _ATOM.match(wire, position):
            stack[-1].append(None if atom[0] == b"NIL" else int(atom[0]))
            position = atom.end()
        else:
            raise ValueError(wire[position - 20 : position + 20])
        needs_space = True
    if len(stack) != 1 or len(stack[0]) != 1:
        raise ValueError(wire[:40])
    return stack[0][0]


def check_envelope(value: Any) -> None:
    assert len(value) == 10
    for text in (value[0], value[1], value[8], value[9]):
        assert text is None or isinstance(text, bytes)
    for people in value[2:8]:
        if people is None:
            continue
        assert people
        for person in people:
            assert len(person) == 4
            assert all(part is None or isinstance(part, bytes) for part in person)


def check_body(value: Any, *, extended: bool) -> None:
    """Check that value is a BODY, or with extended a BODYSTRUCTURE as we write it."""
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part[0], list):
            children = [each for each in part if isinstance(each, list) and isinstance(each[0], bytes | list)]
            count = next(n for n, each in enumerate(part) if not isinstance(each, list))
            rest = part[count:]
            assert isinstance(rest[0], bytes)
            assert len(rest) == (5 if extended else 1)
            stack.extend(children[:count])
            if extended:
                _check_params(rest[1])
                _check_extension(rest[2:])
            continue
        kind, subtype, params, content_id, description, encoding, octets, *rest = part
        assert isinstance(kind, bytes)
        assert isinstance(subtype, bytes)
        assert isinstance(encoding, bytes)
        assert isinstance(octets, int)
        for text in (content_id, description):
            assert text is None or isinstance(text, bytes)
        _check_params(params)
        if kind == b"text":
            assert isinstance(rest.pop(0), int)
        elif kind == b"message" and subtype in (b"rfc822", b"global"):
            check_envelope(rest.pop(0))
            stack.append(rest.pop(0))
            assert isinstance(rest.pop(0), int)
        if extended:
            assert len(rest) == 4
            assert rest[0] is None or isinstance(rest[0], bytes)
            _check_extension(rest[1:])
        else:
            assert rest == []


def _check_params(params: Any) -> None:
    if params is not None:
        assert params
        assert len(params) % 2 == 0
        assert all(isinstance(each, bytes) for each in params)


def _check_extension(rest: Any) -> None:
    disposition, language, location = rest
    if disposition is not None:
        name, params = disposition
        assert isinstance(name, bytes)
        _check_params(params)
    assert (
        language is None or isinstance(language, bytes) or all(isinstance(each, bytes) for each in language)
    )
    assert location is None or isinstance(location, bytes)
