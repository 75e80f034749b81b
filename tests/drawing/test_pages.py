"""Pages from templates: foreign text stays text, and a template cannot ask for what is not given."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from dinoscope.drawing import pages
from dinoscope.drawing.html import name, text
from dinoscope.drawing.pages import STATIC_POLICY, Section, fill, report_page

HOSTILE = '"><script>alert(1)</script>\n\u202e&amp;.jpg'
TEMPLATES = sorted(
    path.relative_to(Path(str(files("dinoscope")))).as_posix()
    for path in Path(str(files("dinoscope"))).rglob("*.html")
)


def test_foreign_text_is_escaped_on_one_line_and_printable() -> None:
    made = pages._templates().from_string(
        "<b title=\"{{ said }}\">{{ said|name }}{{ [said]|join('; ') }}</b>"
    )
    shown = made.render(said=HOSTILE)
    assert shown.count("<") == 2 + 2 and "\n" not in shown and "\u202e" not in shown
    assert str(text(HOSTILE)) in shown and str(name(HOSTILE)) in shown
    assert fill("comparison/report/sections/limits.html", points=[HOSTILE]).count("script&gt;") == 2


def test_what_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="points"):
        fill("comparison/report/sections/limits.html")


def test_sections_are_in_order_linked_and_those_without_a_body_are_left_out() -> None:
    sections = [
        Section("b", "Second", Markup("<p>two</p>"), 2, "two"),
        Section("none", "Nothing", Markup(""), 0),
        Section("a", "First <one>", Markup("<p>one</p>"), 1),
    ]
    scores = {"queries": [], "n_images": 0, "chance": 0.5, "warnings": []}
    page = report_page(
        "evaluation/report/page.html",
        sections,
        {"scores": scores, "rule": "", "kind": "", "sentences": [HOSTILE]},
    )
    assert page.index('href="#a"') < page.index('href="#b"') < page.index('id="a"') < page.index('id="b"')
    assert "Nothing" not in page and "First &lt;one&gt;" in page and "<script" not in page
    assert f'content="{STATIC_POLICY};' in page
    style = page[page.index("<style>") : page.index("</style>")]
    assert "main > *" in style and "&gt;" not in style


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_read_and_nothing_in_it_is_marked_safe(template: str) -> None:
    source = (Path(str(files("dinoscope"))) / template).read_text(encoding="utf-8")
    pages._templates().get_template(template)
    assert "|safe" not in source and "autoescape" not in source
    assert len(TEMPLATES) > 10
