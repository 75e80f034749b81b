"""Pages of HTML, from templates that lie beside the code that fills them.

A template is named by its path inside the package. What is filled in is escaped, on one line and printable;
only what a template or a function of `dinoscope.drawing.html` made is markup already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dinoscope.drawing import html
from dinoscope.drawing.style import plain
from dinoscope.drawing.view.bundle import view_text

STATIC_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The content security policy of a report without a view: no script, no request."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page, with a heading and a link to it; none where its body is empty.

    Attributes:
        key: its place in the page's address.
        title: its heading.
        body: markup.
        place: sections are shown in ascending order of it.
        link: what the table of contents calls it; nothing for the title.
        folded: whether it opens at a click, as a link to it does.
        on_paper: whether it is printed.
    """

    key: str
    title: str
    body: Markup
    place: int = 0
    link: str = ""
    folded: bool = False
    on_paper: bool = True


def fill(template: str, **values: object) -> Markup:
    """A template with values in it.

    Raises:
        jinja2.UndefinedError: the template asks for a value that is not given.
    """
    return Markup(_templates().get_template(template).render(values))


def report_page(
    template: str,
    sections: Iterable[Section],
    values: Mapping[str, object],
    *,
    style: str = "",
    policy: str = STATIC_POLICY,
) -> str:
    """A page that stands alone: everything it shows is in it, without a script unless its policy allows one.

    Args:
        template: extends ``drawing/templates/report.html``.
        sections: what the page shows and links to; those without a body are left out.
        values: for the template.
        style: a template of rules beside those of all reports.
        policy: what the page may do.
    """
    shown = sorted((section for section in sections if section.body), key=lambda section: section.place)
    rules = Markup(view_text("report.css")) + (fill(style) if style else "")
    page = fill(template, **values, sections=shown, policy=Markup(policy), style=rules)
    return str(page)


def served_page(template: str, **values: object) -> str:
    """A page without style or script of its own: both are files beside it, ``code`` names them.

    Args:
        template: extends ``drawing/templates/served.html``.
        values: for the template.
    """
    return str(fill(template, **values))


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("dinoscope", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: value if isinstance(value, Markup) else plain(str(value)),
    )
    made.filters["name"] = html.name
    return made
