"""A little XML, safely: no document type, no entities, few elements, little depth. (pure)"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from mailcore import limits
from mailcore.errors import BadReport


@dataclass(slots=True)
class Element:
    """One element by its local name; text is its own, without that of its children."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, *path: str) -> Element | None:
        """The first element below by its names, or None."""
        at = self
        for name in path:
            found = next((child for child in at.children if child.name == name), None)
            if found is None:
                return None
            at = found
        return at

    def all(self, name: str) -> list[Element]:
        return [child for child in self.children if child.name == name]

    def get(self, *path: str) -> str:
        """The text of the first element below by its names; "" when there is none."""
        found = self.find(*path)
        return found.text.strip() if found is not None else ""


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0

    def start(self, name: str, _attributes: object) -> None:
        self.count += 1
        if self.count > limits.REPORT_ELEMENTS or len(self.open) >= limits.REPORT_DEPTH:
            raise BadReport("The report has too many elements")
        element = Element(name.rpartition(":")[2][:64])
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, _name: str) -> None:
        self.open.pop()

    def text(self, text: str) -> None:
        at = self.open[-1]
        if len(at.text) < limits.REPORT_TEXT_CHARS:
            at.text += text[: limits.REPORT_TEXT_CHARS - len(at.text)]

    @staticmethod
    def refuse(*_what: object) -> None:
        # Whatever expands lives in a document type: none, no billion laughs, no file of ours.
        raise BadReport("A report has no document type")


def parse(octets: bytes) -> Element:
    """The root element. Raises BadReport for what is no XML, has a document type, or oversteps a limit."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(octets, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise BadReport("The report is not valid XML") from error
    if builder.root is None:
        raise BadReport("The report is not valid XML")
    return builder.root
