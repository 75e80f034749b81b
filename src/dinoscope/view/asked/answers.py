"""Who answers the live page's questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dinoscope.comparison.page.questions import Answer, Question
from dinoscope.comparison.session import Session
from dinoscope.data.photograph import Photograph
from dinoscope.errors import InputError
from dinoscope.view.asked.attention import attention_answer
from dinoscope.view.asked.context import Context, Insides
from dinoscope.view.asked.facets import facet_answer, pass_answer
from dinoscope.view.asked.groups import clusters_answer, spectral_answer
from dinoscope.view.asked.matched import match_answer
from dinoscope.view.asked.repaired import repair_answer
from dinoscope.view.asked.segments import segment_answer
from dinoscope.view.asked.texts import text_answer
from dinoscope.view.asked.upsampled import upsampled_answer

WAYS: Mapping[str, Callable[[Context], Answer]] = {
    "attention": attention_answer,
    "clusters": clusters_answer,
    "facet": facet_answer,
    "match": match_answer,
    "pass": pass_answer,
    "repair": repair_answer,
    "segment": segment_answer,
    "spectral": spectral_answer,
    "text": text_answer,
    "upsampled": upsampled_answer,
}
PASSES = frozenset({"attention", "facet", "pass", "repair", "text"})
"""Ways for which a model has to run: they wait for their turn, so that no two run one model at once."""


class PageAnswers:
    """Answers from a session's features, and from passes of its models where they do not say enough.

    Args:
        session: of the page.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._insides = Insides()
        self._kept: dict[str, tuple[object, Any]] = {}

    def needs_model(self, question: Question) -> bool:
        """Whether a model has to run for it."""
        return question.way in PASSES

    def answer(self, question: Question, read: Callable[[str], Photograph]) -> Answer:
        """The answer.

        Raises:
            InputError: no such way of looking, or words that it does not understand.
            BackboneError: no model of the page can.
            ImageError: the photograph cannot be read any more.
        """
        way = WAYS.get(question.way)
        if way is None:
            raise InputError(f"no way of looking {question.way!r}; there are {', '.join(WAYS)}")
        if not question.digests:
            raise InputError("there is no photograph to look at")
        plan = self._session.plan(question.grid)
        return way(Context(question, self._session, plan, read, self._insides, self._kept))
