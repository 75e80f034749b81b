"""The committed matrix is what the metrics say today, complete, and without an unexplained cell."""

import json
from pathlib import Path

import numpy as np
import pytest

from dinoscope.maths.patches import as_map, as_rows
from dinoscope.metrics import agreement, equivariance, facts, frequency, smoothness, subject, tokens
from dinoscope.metrics.registry import EVERY, METRICS
from validation.__main__ import unexplained
from validation.causes import CAUSES
from validation.expectations import PLANTED, SMALL, TRAPS, expected, groups
from validation.measure import cell_of, measure
from validation.page import page
from validation.picture import draw

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "validation"
UNREPORTED = {"cosine_at_quarter", "common_direction", "position_energy", "total_variation"}


@pytest.fixture(scope="module")
def committed():
    return json.loads((FOLDER / "matrix.json").read_text())


def test_every_metric_has_a_row_and_every_cause_a_column(committed):
    planted = {key for key, metric in METRICS.items() if metric.planted is not None}
    assert set(committed["rows"]) == planted | UNREPORTED == set(expected())
    wanted = {"blur", "half_blur", "noise", "shuffle", "collapse", "position", "outliers"}
    wanted |= {"rotation", "rescale", "finer"}
    assert set(CAUSES) == wanted
    for row in committed["rows"].values():
        assert list(row["cells"]) == list(CAUSES)


def test_groups_hold_every_row_once_in_order():
    assert [key for group in groups().values() for key in group] == list(expected())


def test_signs_are_known_and_those_committed(committed):
    for key, signs in expected().items():
        assert set(signs.values()) <= set("+-0=.")
        assert {cause: cell["expected"] for cause, cell in committed["rows"][key]["cells"].items()} == signs


def test_every_cell_that_moves_though_it_must_not_is_a_trap_and_no_trap_is_stale(committed):
    assert unexplained(committed) == []
    for key, causes in TRAPS.items():
        assert {expected()[key][cause] for cause in causes} == {"0"}
        assert EVERY[key].warning == EVERY[key].warning.strip() and EVERY[key].warning


def test_a_stale_trap_and_an_unlisted_one_are_both_found(committed, monkeypatch):
    fewer = {key: causes for key, causes in TRAPS.items() if key != "neighbour"}
    monkeypatch.setattr("validation.__main__.TRAPS", fewer)
    broken = json.loads(json.dumps(committed))
    broken["rows"]["locality"]["cells"]["blur"]["pass"] = True
    assert unexplained(broken) == [
        ("locality", "blur"),
        ("neighbour", "blur"),
        ("neighbour", "collapse"),
        ("neighbour", "finer"),
        ("neighbour", "half_blur"),
        ("neighbour", "position"),
    ]


def test_every_metric_has_a_sign_for_every_cause_and_no_other():
    assert tuple(CAUSES) == facts.CAUSES
    assert all(tuple(planted.by_cause) == facts.CAUSES for planted in PLANTED.values())
    whole = PLANTED["neighbour"].signs
    for broken in (whole.removesuffix(" finer:0"), whole.replace("noise:-", "noise:?"), f"{whole} fog:+"):
        with pytest.raises(ValueError, match="a sign for each of blur, half_blur"):
            facts.Planted(broken)


def test_revisions_and_reasons_speak_of_cells_that_exist():
    for key, planted in PLANTED.items():
        signs = expected()[key]
        assert all(signs[revision.cause] != revision.first for revision in planted.revised)
        assert all(set(causes) <= set(signs) for causes, _ in planted.reasons)


@pytest.mark.usefixtures("unchecked_shapes")  # three times as fast
def test_fewer_photographs_give_the_same_signs(committed):
    fresh = measure(images=4, collections=2)
    wrong = []
    for key, row in committed["rows"].items():
        for cause, cell in row["cells"].items():
            now, sign = fresh[key]["cells"][cause], cell["expected"]
            same = np.sign(now["difference"][0]) == np.sign(cell["difference"][0])
            if sign in "+-" or cell["pass"] is False:
                holds = same
            elif sign == "=":
                holds = now["pass"]
            else:
                loose = 2 * SMALL * row["deviation"]  # few photographs tell little about their own spread
                holds = sign == "." or now["pass"] or abs(now["difference"][0]) <= loose
            if not holds:
                wrong.append((key, cause, now["difference"], cell["difference"]))
    assert wrong == []


def test_the_page_is_what_the_generator_writes(committed):
    assert (FOLDER / "index.md").read_text() == page(committed)


def test_the_picture_is_drawn(committed, tmp_path):
    draw(committed, tmp_path / "matrix.png")
    for path in (tmp_path / "matrix.png", FOLDER / "matrix.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


MUTANTS = {
    "neighbour products without normalisation": (
        "neighbour",
        (smoothness, "smoothness"),
        lambda f, original: dots(f, original),
        {"rescale"},
    ),
    "rank that forgets to centre": (
        "effective_rank_centred",
        (subject, "singular_values_both"),
        lambda rows, original: original(rows)[:1] * 2,
        {"collapse"},
    ),
    "low frequencies taken for high ones": (
        "high_frequency",
        (frequency, "share_above"),
        lambda f, original: 1.0 - original(f),
        {"blur", "noise", "shuffle", "position", "outliers"},
    ),
    "class token without normalisation": (
        "cls_patch",
        (tokens, "cls_patch_cosine"),
        lambda f, cls, original: float((as_map(f) @ cls).mean()),
        {"rescale"},
    ),
    "Gram matrices by products": (
        "gram_distance",
        (agreement, "gram_distance"),
        lambda f, g, original: float(
            ((as_rows(f) @ as_rows(f).T - as_rows(g) @ as_rows(g).T) ** 2).mean(),
        ),
        {"rescale"},
    ),
    "mirrored map compared unmirrored": (
        "flip",
        (equivariance, "flip_equivariance"),
        lambda f, g, original: original(f[:, ::-1], g),
        {"position"},
    ),
    "a constant": (
        "random_pair",
        (smoothness, "smoothness"),
        lambda f, original: original(np.ones_like(as_map(f))),
        {"blur", "noise", "collapse", "position", "outliers"},
    ),
}


def dots(f, original):
    f = as_map(f)
    near = float((f[1:] * f[:-1]).sum(axis=2).mean())
    triple = original(f)
    return type(triple)(near, triple.random_pair, triple.locality)


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.usefixtures("unchecked_shapes")
def test_a_wrong_metric_fails_cells(name, monkeypatch):
    key, (module, function), wrong, caught_by = MUTANTS[name]
    right = failing(key)
    original = getattr(module, function)
    monkeypatch.setattr(module, function, lambda *args, **kw: wrong(*args, original=original, **kw))
    assert caught_by <= failing(key) - right


def failing(key):
    cells = measure(images=6, collections=0, only={key})[key]["cells"]
    return {cause for cause, cell in cells.items() if cell["pass"] is False}


@pytest.mark.parametrize(
    ("sign", "shift", "passes"),
    [
        ("+", 1.0, True),
        ("-", 1.0, False),
        ("0", 1.0, False),
        ("=", 1.0, False),
        ("+", 0.0, False),
        ("-", 0.0, False),
        ("0", 0.0, True),
        ("=", 0.0, True),
        ("=", 1e-3, False),
        ("0", 1e-3, True),
        ("-", -1.0, True),
        ("+", -1.0, False),
        (".", 1.0, None),
    ],
)
def test_a_cell_passes_only_where_its_whole_interval_does(sign, shift, passes):
    base = np.random.default_rng(0).normal(size=30)
    assert cell_of(base + shift, base, sign)["pass"] is passes


def test_an_interval_on_both_sides_is_no_sign():
    base = np.zeros(30)
    changed = np.random.default_rng(0).normal(0.05, 1.0, 30)
    assert cell_of(changed, base, "+")["pass"] is cell_of(changed, base, "-")["pass"] is False


def test_an_undefined_cell_does_not_pass():
    base = np.random.default_rng(0).normal(size=5)
    for sign in "+-0=":
        assert cell_of(np.array([np.nan] * 4 + [1.0]), base, sign)["pass"] is False


def test_the_effect_is_cohens_d():
    rng = np.random.default_rng(0)
    base, changed = rng.normal(0, 1, 40), rng.normal(3, 2, 40)
    pooled = np.sqrt((base.var(ddof=1) + changed.var(ddof=1)) / 2)
    assert cell_of(changed, base, "+")["effect"][0] == pytest.approx((changed - base).mean() / pooled)


def test_every_trap_is_said_wherever_its_metric_is_shown():
    assert {key for key, metric in EVERY.items() if metric.warning} == set(TRAPS)
