"""Markup written again: the same for a parser, but closed, in bounds, and without what is no markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from mailcore import limits
from mailcore.message import tidy


@pytest.mark.parametrize(
    ("html", "kept", "styles"),
    [
        ("a<!-- b -->c", "ac", []),
        ("a<!-->b<!--->c", "abc", []),
        ("a<!-- b --!>c", "ac", []),
        ("a<!-- b", "a", []),
        ("<style>x</style>y", "y", ["x"]),
        ("<STYLE type=text/css>x</Style >y", "y", ["x"]),
        ("<style><!-- x --></style>y", "y", ["<!-- x -->"]),
        ("<!-- <style>x</style> -->y", "y", []),
        ("<style>x", "", ["x"]),
        ("<style", "<style", []),
        ("<styles>x</styles>", "<styles>x</styles>", []),
        ("<\u017ftyle>x</style>", "<\u017ftyle>x</style>", []),
        ("<script>if (a<b) '<!--'</script>y", "y", []),
        ("<title>x</title><textarea><p></textarea>y", "y", []),
        ("<p>plain</p>", "<p>plain</p>", []),
    ],
)
def test_takes_out_what_is_no_markup(html: str, kept: str, styles: list[str]) -> None:
    lifted = tidy.lift(html)
    assert (lifted.html, lifted.styles) == (kept, styles)


@pytest.mark.parametrize(
    ("html", "balanced"),
    [
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<b><i>a</b>c", "<b><i>a</i></b>c"),
        ("<ul><li>a<li>b</ul>c", "<ul><li>a</li><li>b</li></ul>c"),
        ("<dl><dt>a<dd>b</dl>", "<dl><dt>a</dt><dd>b</dd></dl>"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"),  # noqa: E501
        ("<table><tbody><tr><th>a<tfoot><tr><td>b</table>", "<table><tbody><tr><th>a</th></tr></tbody><tfoot><tr><td>b</td></tr></tfoot></table>"),  # noqa: E501
        ("<table><tr><td><table><tr><td>a</table>b</table>", "<table><tr><td><table><tr><td>a</td></tr></table>b</td></tr></table>"),  # noqa: E501
        ("<table><td><b>a</td><td>b</table>", "<table><td><b>a</b></td><td>b</td></table>"),
        ("<div><table><tr><td></div>a</table></div>", "<div><table><tr><td>a</td></tr></table></div>"),
        ("<td>a</td><tr>b", "ab"),
        ("<a href=x>a<a href=y>b", '<a href="x">a</a><a href="y">b</a>'),
        ("<h1>a<h2>b", "<h1>a</h1><h2>b</h2>"),
        ("<p><b>a<div>b</div>", "<p><b>a</b></p><div>b</div>"),
        ("</b></p></div>a", "a"),
        ("a<br>b<br/>c<img src=x>", 'a<br>b<br>c<img src="x">'),
        ("<x>a</x><form>b</form>", "ab"),
        ("a < b & c > d", "a &lt; b & c > d"),
        ("<p title=\"a>b\" class='c\"d' id=e nowrap>", '<p title="a&gt;b" class="c&quot;d" id="e" nowrap=""></p>'),  # noqa: E501
        ("<p title='a", '<p title="" a=""></p>'),
        ("<P ALIGN=Center>a</P>", '<p ALIGN="Center">a</p>'),
    ],
)  # fmt: skip
def test_closes_every_element_inside_its_parent(html: str, balanced: str) -> None:
    assert tidy.balance(html) == balanced


@pytest.mark.parametrize(
    "html",
    [
        "<div><p>a</p><ul><li>b</li></ul><table><tbody><tr><td>c</td></tr></tbody></table></div>",
        "<table><tbody><tr><td>a<td>b<tr><td>c</table><p>d<p>e<ul><li>f<li>g</ul>",
        "<p>a<b>b<i>c</i></b></p><blockquote>d</blockquote><h1>e</h1><pre>f\n g</pre><hr><br>",
        "<dl><dt>a<dd>b<dt>c</dl><ol><li>d<ul><li>e</ul><li>f</ol>",
    ],
)
def test_means_the_same_to_a_browser(html: str) -> None:
    assert HTMLTree.parse(tidy.balance(html)).body.html == HTMLTree.parse(html).body.html


_soup = st.lists(
    st.sampled_from(
        "<div> </div> <b> </b> <p> </p> <table> </table> <tr> </tr> <td> </td> <li> <ul> </ul> <a> </a> <h1> </h1> "  # noqa: E501
        "<dl> <dt> <dd> <caption> </caption> <tbody> <col> <br> <font> </font> <x> t < > <span </i> <i>".split(  # noqa: E501
            " "
        )  # noqa: E501
    ),
    max_size=60,
).map("".join)


@given(_soup)
def test_is_balanced_whatever_it_was(html: str) -> None:
    balanced = tidy.balance(html)
    stack: list[str] = []
    for slash, name in re.findall(r"<(/?)([a-z0-9]+)[^<>]*>", balanced):
        if slash:
            assert stack.pop() == name
        elif name not in tidy.VOID:
            stack.append(name)
    assert not stack
    assert tidy.balance(balanced) == balanced


def test_goes_only_so_deep_and_so_far() -> None:
    html = "<div>" * 1_000 + "x" + "</div>" * 1_000 + "<p>after</p>"
    balanced = tidy.balance(html)
    assert balanced.count("<div>") == balanced.count("</div>") == limits.HTML_DEPTH
    assert balanced.endswith("</div><p>after</p>")
    many = tidy.balance("<br>" * (limits.HTML_TAGS + 10) + "late")
    assert many.count("<br>") == limits.HTML_TAGS
    assert "late" not in many
