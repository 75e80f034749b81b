"""What the browser shows is what Python computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Comparison
from dinoscope.drawing.style import difference_colours
from dinoscope.drawing.view.payload import Payload, comparison_payload
from dinoscope.drawing.view.standalone import payload_fragment

PIXELS = """[...view.shadowRoot.querySelectorAll('.stage.map canvas')].map((canvas) => ({
  image: Number(canvas.closest('.stage').dataset.image),
  model: Number(canvas.closest('.stage').dataset.model),
  h: canvas.height, w: canvas.width,
  rgba: [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]}))"""


def cosines(source: PatchFeatures, at: tuple[float, float], target: PatchFeatures) -> np.ndarray:
    """Float64, from the original features."""
    row, col = source.grid.patch_at(*at)
    query = source.values[row, col].astype(np.float64)
    flat = target.values.astype(np.float64)
    return (flat @ query) / (np.linalg.norm(flat, axis=2) * np.linalg.norm(query))


def stated_errors(comparison: Comparison) -> list[float]:
    header = json.loads(comparison_payload(comparison).header)
    return [model["tokens"]["largest_error"] for model in header["models"]]


@pytest.fixture(scope="session")
def errors(noise: Comparison) -> list[float]:
    return stated_errors(noise)


def test_similarity_equals_float64_cosines_within_the_stated_error(
    open_page: Callable[..., Any],
    noise: Comparison,
    noise_fragment: str,
    errors: list[float],
    rng: np.random.Generator,
) -> None:
    opened = open_page(noise_fragment)
    largest = [0.0, 0.0]
    for _ in range(60):
        image, target, model = (int(rng.integers(k)) for k in (3, 3, 2))
        x, y = rng.random(2)
        shown = opened.ask(
            "(({h, w}, values) => ({h, w, values: [...values]}))(...((v) => [v, v])"
            "(await view.similarity(...argument)))",
            [image, model, {"x": x, "y": y}, target],
        )
        source, wanted = noise.features[image][model], noise.features[target][model]
        assert (shown["h"], shown["w"]) == wanted.grid.shape
        values = np.array(shown["values"]).reshape(wanted.grid.shape)
        difference = np.abs(values - cosines(source, (x, y), wanted)).max()
        largest[model] = max(largest[model], float(difference))
    assert largest[0] <= errors[0] <= 0.01
    assert largest[1] <= errors[1] <= 0.01
    assert min(largest) > 1e-4  # tokens are coded: exactness here would mean that nothing was compared


@pytest.mark.parametrize("engine", ["script", "simd", "webgl2"])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_hovering_paints_the_cosines_of_that_patch_everywhere(
    open_page: Callable[..., Any], noise: Comparison, noise_fragment: str, engine: str, over: int
) -> None:
    opened = open_page(noise_fragment, engine=engine)
    table, lowest = np.concatenate([viridis(), below_zero()]), 1.0
    for image, x, y in ((1, 0.31, 0.77), (0, 0.9, 0.12)):
        opened.hover(image, x, y, over)
        at = opened.ask("view.session.state.at")
        assert (at["image"], at["x"], at["y"]) == (
            image,
            pytest.approx(x, abs=0.01),
            pytest.approx(y, abs=0.01),
        )
        pictures = opened.ask(PIXELS)
        assert len(pictures) == 6
        for picture in pictures:
            source = noise.features[image][picture["model"]]
            target = noise.features[picture["image"]][picture["model"]]
            wanted = cosines(source, (at["x"], at["y"]), target)
            rgb = np.array(picture["rgba"]).reshape(picture["h"], picture["w"], 4)[..., :3]
            index = np.abs(rgb[:, :, None].astype(int) - table).sum(axis=-1).argmin(axis=-1)
            shown = np.where(index < 256, (index + 0.5) / 256, (255.5 - index) / 256)
            assert np.abs(shown - wanted).max() < 0.01 + 3.5 / 256
            lowest = min(lowest, float(shown.min()))
    assert lowest < -0.05
    assert opened.complaints == []


def below_zero() -> np.ndarray:
    """Of 0 to -1 in 256 steps, by the stops that the figures' scale is made of."""
    from dinoscope.drawing.style import NEGATIVE

    at, colours = np.array([place for place, _ in NEGATIVE]), np.array([rgb for _, rgb in NEGATIVE])
    steps = (np.arange(256) + 0.5) / 256
    return np.stack([np.interp(steps, at, colours[:, c]) for c in range(3)], axis=1).round().astype(int)


def viridis() -> np.ndarray:
    """The reference table, from matplotlib; ours is its piecewise linear shadow, 2 levels off at most."""
    import matplotlib

    return (matplotlib.colormaps["viridis"](np.arange(256))[:, :3] * 255).round().astype(int)


@pytest.mark.parametrize("kind", ["noise", "wide"])
def test_engines_agree_at_every_patch(
    open_page: Callable[..., Any], noise_fragment: str, wide_fragment: str, kind: str
) -> None:
    fragment = {"noise": noise_fragment, "wide": wide_fragment}[kind]
    answers = []
    for engine in ("script", "simd", "webgl2"):
        opened = open_page(fragment, engine=engine)
        assert opened.ask("view.engine") == engine
        answers.append(
            opened.ask(
                "view.session.engines.made.map((engine, m) => [0, 7, view.session.view.models[m].n - 1]"
                ".map((patch) => [...engine.cosines(patch)]))"
            )
        )
        assert opened.complaints == []
    for other in answers[1:]:
        for ours, theirs in zip(answers[0], other, strict=True):
            assert np.abs(np.array(ours) - np.array(theirs)).max() < 2e-5


@pytest.mark.parametrize(
    ("driver", "engine"),
    [("SwiftShader", "simd"), ("a graphics card", "webgl2"), ("", "simd"), ("no floats", "simd")],
)
def test_a_graphics_card_computes_large_maps_where_there_is_one(
    open_page: Callable[..., Any], noise_fragment: str, driver: str, engine: str
) -> None:
    """As a reader gets it: no attribute, only large tokens and what the browser says of its card."""
    large = noise_fragment.replace("const LARGE = 8_000_000;", "const LARGE = 0;")
    assert large != noise_fragment
    stand_in = f"<script>const driver = {json.dumps(driver)};{CARD}</script>"
    opened = open_page(stand_in + large)
    assert opened.ask("view.engine") == engine
    assert opened.ask("view.driver") == (driver if engine == "webgl2" else "")
    opened.hover(1, 0.3, 0.7)
    assert len(opened.ask(PIXELS)) == 6
    assert opened.complaints == []
    assert open_page(stand_in + noise_fragment).ask("view.engine") == "simd"


CARD = """
const { getContext } = HTMLCanvasElement.prototype;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === "webgl2" && driver === "" ? null : getContext.call(this, kind, ...rest);
};
const { getParameter, getExtension } = WebGL2RenderingContext.prototype;
WebGL2RenderingContext.prototype.getParameter = function (name) {
  return name === 0x9246 ? driver : getParameter.call(this, name); // UNMASKED_RENDERER_WEBGL
};
WebGL2RenderingContext.prototype.getExtension = function (name) {
  return driver === "no floats" && name === "EXT_color_buffer_float" ? null : getExtension.call(this, name);
};"""


def test_best_matches_leave_out_the_neighbourhood(
    open_page: Callable[..., Any], pictures: Comparison, pictures_fragment: str
) -> None:
    opened = open_page(pictures_fragment)
    opened.page.locator("summary", has_text="Display").click()
    field = opened.page.get_by_label("Patches around the reference")
    field.fill("1")
    field.press("Tab")
    opened.page.keyboard.press("Escape")
    for x, y in ((0.5, 0.5), (0.3, 0.7), (0.7, 0.2), (0.12, 0.12), (0.6, 0.9)):
        opened.hover(1, x, y)
        at = opened.ask("view.session.state.at")
        marks = opened.ask(
            "[...view.shadowRoot.querySelectorAll('.stage.map')].map((s) => ({image: +s.dataset.image,"
            " model: +s.dataset.model, left: parseFloat(s.querySelector('.best').style.left),"
            " top: parseFloat(s.querySelector('.best').style.top),"
            " label: s.querySelector('.best').textContent}))"
        )
        assert len(marks) == 6
        for mark in marks:
            source = pictures.features[1][mark["model"]]
            target = pictures.features[mark["image"]][mark["model"]]
            values = cosines(source, (at["x"], at["y"]), target)
            if mark["image"] == 1:
                row, col = source.grid.patch_at(at["x"], at["y"])
                values[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = -2
            h, w = target.grid.shape
            shown = values[round(mark["top"] * h / 100), round(mark["left"] * w / 100)]
            assert shown >= values.max() - 0.02
            assert float(mark["label"]) == pytest.approx(values.max(), abs=0.016)


def test_rank_threshold_and_pca_paint_what_their_names_say(
    open_page: Callable[..., Any], noise: Comparison, noise_fragment: str
) -> None:
    opened = open_page(noise_fragment)
    opened.hover(0, 0.5, 0.5)
    at = opened.ask("view.session.state.at")
    opened.choose("Threshold")
    opened.ask("view.session.set({threshold: 0.1})")
    alphas = set()
    for picture in opened.ask(PIXELS):
        target = noise.features[picture["image"]][picture["model"]]
        wanted = cosines(noise.features[0][picture["model"]], (at["x"], at["y"]), target)
        alpha = np.array(picture["rgba"]).reshape(*target.grid.shape, 4)[..., 3]
        sure = np.abs(wanted - 0.1) > 0.01
        assert ((alpha == 0) == (wanted >= 0.1))[sure].all()
        alphas |= set(np.unique(alpha).tolist())
    assert alphas == {0, 255}
    opened.choose("Rank")
    for picture in opened.ask(PIXELS):
        rgb = np.array(picture["rgba"]).reshape(-1, 4)[:, :3]
        index = np.abs(rgb[:, None] - viridis()).sum(axis=-1).argmin(axis=-1)
        assert np.abs(np.sort(index) - np.linspace(0, 255, len(index))).max() < 6
    opened.choose("PCA")
    for picture in opened.ask(PIXELS):
        colours = noise.maps[picture["image"]][picture["model"]].colours
        rgb = np.array(picture["rgba"]).reshape(*colours.shape[:2], 4)[..., :3]
        assert np.abs(rgb / 255 - colours).max() <= 0.5 / 255 + 1e-9
    opened.ask("view.session.set({components: [3, 3, 1]})")
    for picture in opened.ask(PIXELS):
        scores = noise.maps[picture["image"]][picture["model"]].scores[..., [3, 3, 1]]
        low, high = noise.models[picture["model"]].pca.limits[[3, 3, 1]].T
        rgb = np.array(picture["rgba"]).reshape(*scores.shape[:2], 4)[..., :3]
        assert np.abs(rgb / 255 - np.clip((scores - low) / (high - low), 0, 1)).max() <= 0.5 / 255 + 1e-9


def test_a_difference_is_the_second_models_cosine_minus_the_firsts(
    open_page: Callable[..., Any], noise: Comparison, noise_fragment: str
) -> None:
    opened = open_page(noise_fragment)
    opened.hover(0, 0.4, 0.6)
    at = opened.ask("view.session.state.at")
    opened.choose("Difference")
    names = opened.page.locator(".column .name").all_inner_texts()
    assert names[:2] == ["first", "second \u2212 first"]
    table = difference_colours(1.0)[0](np.arange(256) / 255)[:, :3] * 255  # those of figures
    for picture in opened.ask(PIXELS):
        if picture["model"] == 0:
            continue
        pair = []
        for m in (0, 1):
            target = noise.features[picture["image"]][m]
            pair.append(cosines(noise.features[0][m], (at["x"], at["y"]), target))
        h, w = pair[1].shape
        rows = ((np.arange(h) + 0.5) * pair[0].shape[0] / h).astype(int)
        columns = ((np.arange(w) + 0.5) * pair[0].shape[1] / w).astype(int)
        wanted = np.clip(pair[1] - pair[0][np.ix_(rows, columns)], -0.5, 0.5)
        rgb = np.array(picture["rgba"]).reshape(h, w, 4)[..., :3]
        index = np.abs(rgb[:, :, None] - table).sum(axis=-1).argmin(axis=-1)
        assert np.abs((index + 0.5) / 256 - 0.5 - wanted).max() < 0.02 + 2 / 256
        assert np.ptp(wanted) > 0.1
    readout = opened.page.locator(".column .numbers").nth(1).inner_text()
    assert readout.startswith("difference ") and opened.complaints == []


def test_a_threshold_says_how_much_of_each_map_is_above_it(
    open_page: Callable[..., Any], noise: Comparison, noise_fragment: str
) -> None:
    opened = open_page(noise_fragment)
    opened.hover(0, 0.5, 0.5)
    at = opened.ask("view.session.state.at")
    opened.ask("view.session.set({mode: 'threshold', threshold: 0.3})")
    told = opened.ask(
        "[...view.shadowRoot.querySelectorAll('.stage.map')].map((s) => [+s.dataset.image, +s.dataset.model,"
        " parseFloat(s.querySelector('.share').textContent)])"
    )
    assert len(told) == 6
    for image, model, share in told:
        target = noise.features[image][model]
        wanted = cosines(noise.features[0][model], (at["x"], at["y"]), target)
        low, high = ((wanted >= 0.3 + slack).mean() * 100 for slack in (0.01, -0.01))
        assert low - 0.5 <= share <= high + 0.5


def test_the_patch_asked_for_stays_in_sight(open_page: Callable[..., Any], pictures_fragment: str) -> None:
    opened = open_page(pictures_fragment)
    glance = "view.shadowRoot.querySelector('.glance').toDataURL()"
    opened.hover(0, 0.2, 0.2)
    first = opened.ask(glance)
    opened.hover(1, 0.8, 0.7)
    assert opened.ask(glance) != first
    assert opened.page.locator(".glance").is_visible()
    opened.choose("PCA")
    assert not opened.page.locator(".glance").is_visible()


def test_head_shows_the_numbers_under_the_pointer(
    open_page: Callable[..., Any], noise: Comparison, noise_fragment: str
) -> None:
    opened = open_page(noise_fragment)
    opened.hover(2, 0.25, 0.75)
    text = opened.page.locator(".corner .numbers").first.inner_text()
    grid = noise.features[2][0].grid
    at = opened.ask("view.session.state.at")
    row, col = grid.patch_at(at["x"], at["y"])
    assert f"row {row} col {col}" in text
    left, top, right, bottom = grid.box(row, col)
    pixels = opened.page.locator(".corner .numbers").first.get_attribute("title")
    assert pixels.endswith(
        f"of 12 by 16 patches; pixels {left:.0f} to {right:.0f} across, {top:.0f} to {bottom:.0f} down"
    )
    norm = np.linalg.norm(noise.features[2][0].values[row, col])
    assert f"norm {float(f'{norm:.4g}'):g}" in opened.page.locator(".column .numbers").first.inner_text()
    frame = opened.ask(
        "[...view.shadowRoot.querySelectorAll('.stage[data-image=\"2\"] .cursor')]"
        ".map((c) => ['left', 'top', 'width', 'height'].map((k) => parseFloat(c.style[k])))"
    )
    wanted = [100 * col / grid.w, 100 * row / grid.h, 100 / grid.w, 100 / grid.h]
    assert len(frame) == 3
    assert frame[0] == frame[1] == pytest.approx(wanted, abs=1e-3)
    other = noise.features[2][1].grid
    assert frame[2][2:] == pytest.approx([100 / other.w, 100 / other.h], abs=1e-3)


COUNTING = """<script>
window.inflated = 0;
window.DecompressionStream = class extends DecompressionStream {
  constructor(kind) {
    super(kind);
    inflated++;
  }
};
</script>"""


def test_tokens_are_inflated_only_of_models_whose_cosines_are_asked_for(
    open_page: Callable[..., Any], noise: Comparison, noise_fragment: str
) -> None:
    """Three streams a model for its colours, scores and norms; three more for its tokens."""
    opened = open_page(COUNTING + noise_fragment, address="#view?mode=pca")
    inflated = [opened.ask("inflated")]
    opened.hover(1, 0.3, 0.7)
    opened.ask("view.session.set({ components: [2, 1, 0] })")
    inflated.append(opened.ask("inflated"))
    shown = ["mode: 'cosine', hidden: [1]", "mode: 'rank'", "hidden: []", "hidden: [0], mode: 'threshold'"]
    for change in shown:
        opened.ask(f"view.session.set({{ {change} }})")
        inflated.append(opened.ask("inflated"))
    assert inflated == [6, 6, 9, 9, 12, 12]

    other = open_page(COUNTING + noise_fragment, address="#view?mode=pca")
    values = other.ask("[...await view.similarity(0, 1, { x: 0.1, y: 0.9 }, 2)]")
    wanted = cosines(noise.features[0][1], (0.1, 0.9), noise.features[2][1])
    assert np.abs(np.array(values) - wanted.ravel()).max() <= 0.01
    assert other.ask("inflated") == 9
    assert opened.complaints == other.complaints == []


def test_maps_are_painted_once_the_tokens_are_there(
    open_page: Callable[..., Any], noise_fragment: str
) -> None:
    late = open_page(noise_fragment, address="#view?mode=pca&sort=given")
    colours = late.ask(PIXELS)
    told = "view.session.controls.asking.textContent"
    waits = late.ask(f"(view.session.set({{ mode: 'difference' }}), {told})")
    assert (waits, late.ask(told)) == ("unpacking the models\u2019 tokens\u2026", "")
    assert late.ask(PIXELS) == open_page(noise_fragment, address="#view?mode=difference&sort=given").ask(
        PIXELS
    )
    assert late.ask(PIXELS) != colours
    assert late.complaints == []


def test_tokens_that_cannot_be_inflated_are_told(open_page: Callable[..., Any], noise: Comparison) -> None:
    payload = comparison_payload(noise)
    header = json.loads(payload.header)
    index = header["models"][1]["tokens"]["planes_blob"]
    start = sum(blob["length"] for blob in header["blobs"][:index])
    broken = payload.data[:start] + bytes(64) + payload.data[start + 64 :]
    opened = open_page(payload_fragment(Payload(payload.header, broken)), address="#view?mode=pca")
    assert len(opened.ask(PIXELS)) == 6
    opened.ask("view.session.set({ mode: 'cosine' })")
    opened.page.locator("[role=alert]").wait_for()
    assert "This view cannot be shown" in opened.page.locator("[role=alert]").inner_text()
    assert opened.complaints == []
