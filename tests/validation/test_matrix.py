"""The committed matrix is what the metrics say today, complete, and without an unexplained cell."""

import json
from pathlib import Path

import numpy as np
import pytest

from dinoscope.data.metrics import METRICS
from validation import metrics
from validation.__main__ import unexplained
from validation.causes import CAUSES
from validation.expectations import GROUPS, REASONS, REVISED, SMALL, TRAPS, expected
from validation.measure import cell_of, measure
from validation.page import page
from validation.picture import draw

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "validation"
UNREPORTED = {"cosine_at_quarter", "common_direction", "position_energy", "total_variation"}


@pytest.fixture(scope="module")
def committed():
    return json.loads((FOLDER / "matrix.json").read_text())


def test_every_metric_has_a_row_and_every_cause_a_column(committed):
    assert set(committed["rows"]) == set(METRICS) | UNREPORTED == set(expected())
    wanted = {"blur", "noise", "shuffle", "collapse", "position", "outliers", "rotation", "rescale", "finer"}
    assert set(CAUSES) == wanted
    for row in committed["rows"].values():
        assert list(row["cells"]) == list(CAUSES)


def test_groups_hold_every_row_once_in_order():
    assert [key for group in GROUPS.values() for key in group] == list(expected())


def test_signs_are_known_and_those_committed(committed):
    for key, signs in expected().items():
        assert set(signs.values()) <= set("+-0=.")
        assert {cause: cell["expected"] for cause, cell in committed["rows"][key]["cells"].items()} == signs


def test_every_cell_that_moves_though_it_must_not_is_a_trap_and_no_trap_is_stale(committed):
    assert unexplained(committed) == []
    for key, trap in TRAPS.items():
        assert {expected()[key][cause] for cause in trap.causes} == {"0"}
        assert trap.warning == trap.warning.strip() and trap.warning


def test_a_stale_trap_and_an_unlisted_one_are_both_found(committed, monkeypatch):
    fewer = {key: trap for key, trap in TRAPS.items() if key != "neighbour"}
    monkeypatch.setattr("validation.__main__.TRAPS", fewer)
    broken = json.loads(json.dumps(committed))
    broken["rows"]["locality"]["cells"]["blur"]["pass"] = True
    assert unexplained(broken) == [
        ("locality", "blur"),
        ("neighbour", "blur"),
        ("neighbour", "collapse"),
        ("neighbour", "finer"),
        ("neighbour", "position"),
    ]


def test_revisions_and_reasons_speak_of_cells_that_exist():
    for revision in REVISED:
        assert expected()[revision.metric][revision.cause] == revision.now != revision.first
    for key, causes in REASONS:
        assert set(causes) <= set(expected()[key])


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
        "smoothness",
        lambda f, original: dots(f, original),
        {"rescale"},
    ),
    "rank that forgets to centre": (
        "effective_rank_centred",
        "effective_rank",
        lambda f, original, centre=False: original(f),
        {"collapse"},
    ),
    "low frequencies taken for high ones": (
        "high_frequency",
        "high_frequency_share",
        lambda f, original: 1.0 - original(f),
        {"blur", "noise", "shuffle", "position", "outliers"},
    ),
    "class token without normalisation": (
        "cls_patch",
        "cls_patch_cosine",
        lambda f, cls, original: float((f @ cls).mean()),
        {"rescale"},
    ),
    "Gram matrices by products": (
        "gram_distance",
        "gram_distance",
        lambda f, g, original: float(
            ((flat(f) @ flat(f).T - flat(g) @ flat(g).T) ** 2).mean(),
        ),
        {"rescale"},
    ),
    "mirrored map compared unmirrored": (
        "flip",
        "flip_equivariance",
        lambda f, g, original: original(f[:, ::-1], g),
        {"position"},
    ),
    "a constant": (
        "random_pair",
        "smoothness",
        lambda f, original: original(np.ones_like(f)),
        {"blur", "noise", "collapse", "position", "outliers"},
    ),
}


def flat(f):
    return f.reshape(-1, f.shape[2])


def dots(f, original):
    near = float((f[1:] * f[:-1]).sum(axis=2).mean())
    triple = original(f)
    return type(triple)(near, triple.random_pair, triple.locality)


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.usefixtures("unchecked_shapes")
def test_a_wrong_metric_fails_cells(name, monkeypatch):
    key, function, wrong, caught_by = MUTANTS[name]
    right = failing(key)
    original = getattr(metrics, function)
    monkeypatch.setattr(metrics, function, lambda *args, **kw: wrong(*args, original=original, **kw))
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
    reported = {key: trap.warning for key, trap in TRAPS.items() if key in METRICS}
    assert {key: metric.warning for key, metric in METRICS.items() if metric.warning} == reported
