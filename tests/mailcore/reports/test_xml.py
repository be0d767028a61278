"""XML that cannot hurt."""

import pytest

from mailcore import limits
from mailcore.errors import BadReport
from mailcore.reports import xml


def test_names_are_local_and_text_is_stripped():
    root = xml.parse(b'<d:a xmlns:d="urn:x"><d:b> one </d:b><d:b>two</d:b></d:a>')
    assert (root.name, root.get("b"), len(root.all("b")), root.get("no", "where")) == ("a", "one", 2, "")


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY x "ha">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://192.0.2.1/">%x;]><a/>',
    ],
)
def test_has_no_document_type_and_no_entities(document):
    with pytest.raises(BadReport, match="no document type"):
        xml.parse(document)


@pytest.mark.parametrize(
    "document", [b"", b"<a>", b"{}", b"<a>&x;</a>", b'<?xml version="1.0" encoding="no-such"?><a/>']
)
def test_refuses_what_is_no_xml(document):
    with pytest.raises(BadReport, match="not valid XML"):
        xml.parse(document)


def test_is_bounded_in_depth_number_and_text(monkeypatch):
    monkeypatch.setattr(limits, "REPORT_DEPTH", 5)
    monkeypatch.setattr(limits, "REPORT_ELEMENTS", 10)
    monkeypatch.setattr(limits, "REPORT_TEXT_CHARS", 7)
    xml.parse(b"<a>" * 5 + b"</a>" * 5)
    with pytest.raises(BadReport):
        xml.parse(b"<a>" * 6 + b"</a>" * 6)
    xml.parse(b"<a>" + b"<b/>" * 9 + b"</a>")
    with pytest.raises(BadReport):
        xml.parse(b"<a>" + b"<b/>" * 10 + b"</a>")
    assert xml.parse(b"<a>1234<b/>567890</a>").text == "1234567"
