"""Where words are: maps of a model that reads them, beside the others' maps of the patch they pick."""

from __future__ import annotations

import numpy as np

from dinoscope.backbones.text import READERS
from dinoscope.comparison.page.questions import Answer
from dinoscope.errors import BackboneError, InputError
from dinoscope.maths.similarity import similarity_map
from dinoscope.pipeline.text import TextMap, text_map
from dinoscope.view.asked.context import Context, ModelFacts


def text_answer(context: Context) -> Answer:
    """``image``, ``texts``: cosines with each text, or with the patch that the first reader finds for it."""
    texts = context.question.texts()
    if not texts:
        raise InputError("type a word to look for")
    digest = context.question.photograph()
    maps = [_text_map(context, digest, m, texts) for m in range(len(context.models))]
    readers = [(m, found) for m, found in enumerate(maps) if found is not None]
    if not readers:
        return context.each(_no_reader)
    reader, first = readers[0]
    best = [first.best(k) for k in range(len(texts))]
    rows = context.features(digest)

    def of(m: int) -> ModelFacts:
        own = maps[m]
        if own is not None:
            values = own.values.astype(np.float32)
            note = f"words: {own.route}"
        else:
            (found,) = rows[m]
            values = np.stack([similarity_map(found, at=place).values for place in best]).astype(np.float32)
            note = f"cosine with the patch that {context.plan.labels[reader]} picked"
        _, h, w = values.shape
        return {
            "note": note,
            "reads": own is not None,
            "h": h,
            "w": w,
            "best": [list(place) for place in best],
            "values": context.send(values),
        }

    return context.each(of)


def _no_reader(m: int) -> ModelFacts:
    return {"why": f"None of these models reads words. Add one that does, {READERS}."}


def _text_map(context: Context, digest: str, m: int, texts: tuple[str, ...]) -> TextMap | None:
    """None where the model reads no words."""
    try:
        return text_map(context.read(digest), context.models[m], texts, grid=context.question.grid)
    except BackboneError as error:
        if type(error) is not BackboneError:
            raise
        return None
