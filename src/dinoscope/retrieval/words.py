"""Which photographs of a store are like these words? Of tables whose model was trained with captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float64

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.text import TextTower, check_reads_words, text_tower
from dinoscope.data.retrieval import Hit, Hits
from dinoscope.errors import BackboneError, EmptyIndexError, InputError
from dinoscope.maths.patches import unit
from dinoscope.maths.ranking import top_k
from dinoscope.retrieval.queries import check_not_compressed, fitting_backbone, together
from dinoscope.store.reading import check_condition, placed_vectors, rows_at
from dinoscope.store.store import FeatureStore, FeatureTable, table_of


def search_words(
    store: FeatureStore,
    words: str | Sequence[str],
    *,
    k: int = 10,
    where: str | None = None,
    backbone: Backbone | None = None,
    table: str | None = None,
) -> Hits:
    """The ``k`` stored photographs whose vectors have the largest cosine with a text; all are compared.

    How a family's pooled vectors come into the space of its words stands in the notes: CLIP's class token is
    projected as in the model itself, TIPSv2's mean patch is taken as it is, and SigLIP's, whose pooling head
    cannot be asked afterwards, as if it were the only patch.

    Args:
        store: with a table of a model that reads words: ``hf:ORG/NAME``, the last layer after its norm.
        words: a text, or several, whose mean direction is searched for.
        k: hits; all there are where the table has fewer.
        where: a condition on the columns, as for `search`.
        backbone: the table's; None to load it by the name the table remembers.
        table: name of the table or of its backbone, where the store has several.

    Raises:
        BackboneError: a table of a model that reads no words; names those that do.
        InputError: no text, an empty one or one too long, k below 1, another layer, a bad condition.
        EmptyIndexError: nothing to search in.
        WeightsError: the model's text tower is not beside its weights.
    """
    chosen, texts = table_of(store, table), [words] if isinstance(words, str) else list(words)
    if k < 1 or not texts:
        raise InputError(f"a search for words needs a text and k of at least 1, got {len(texts)} and {k}")
    _check_reads(store, chosen)
    check_not_compressed(chosen, "a search for words")
    if not len(chosen):
        raise EmptyIndexError(f"the table {chosen.name} has no photographs: embed some first")
    if where is not None:
        check_condition(chosen, where)
    model = fitting_backbone(chosen, backbone)
    if chosen.settings.layer != model.spec.depth - 1 or not chosen.settings.final_norm:
        raise InputError(
            f"words are near vectors of the last layer after its norm; the table {chosen.name} is of layer "
            f"{chosen.settings.layer}: embed without --layer"
        )
    tower = text_tower(model)
    asked = together(list(tower.encode(texts).double().numpy()))
    kept: list[np.ndarray] = []
    try:
        ranking = top_k(asked[None], _aligned(chosen, tower, model, where, kept), k)
    except EmptyIndexError as error:
        raise EmptyIndexError(f"no photograph of {chosen.name} fits the condition {where!r}") from error
    places = np.concatenate(kept)[ranking.indices[0]]
    rows = rows_at(chosen, places.tolist())
    route = tower.route
    notes = [f"words: {route.pooled_words}"]
    notes += [f"searched for the mean direction of {len(texts)} texts"] if len(texts) > 1 else []
    notes += [f"only photographs with {where}"] if where is not None else []
    n = sum(map(len, kept))
    return Hits(
        query=", ".join(f"“{text}”" for text in texts),
        hits=tuple(
            Hit(rank, float(score), row.source, row.digest, int(place))
            for rank, (row, place, score) in enumerate(zip(rows, places, ranking.scores[0], strict=True), 1)
        ),
        table=chosen.name,
        pooling=route.pooled,
        suppression="none",
        notes=(*notes, f"exact: all {n:,} photographs{'' if where is None else ' that fit'} compared"),
    )


def _check_reads(store: FeatureStore, table: FeatureTable) -> None:
    try:
        check_reads_words(table.settings.backbone)
    except BackboneError as error:
        others = []
        for name in store.tables:
            other = store.table(name)
            try:
                check_reads_words(other.settings.backbone)
            except BackboneError:
                continue
            others.append(other.name)
        here = f"Of this store: --table {', '.join(others)}" if others else "None is in this store"
        raise BackboneError(f"{error}. {here}") from error


def _aligned(
    table: FeatureTable, tower: TextTower, model: Backbone, where: str | None, kept: list[np.ndarray]
) -> Iterator[Float64[np.ndarray, "n dim"]]:
    """Directions in the space of words, in row order, streamed; the rows' places are put beside."""
    for places, vectors in placed_vectors(table, tower.route.pooled, where):
        kept.append(places)
        found = tower.align_pooled(torch.from_numpy(vectors.astype(np.float32)), model)
        yield unit(found.double().numpy())
