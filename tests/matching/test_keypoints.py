"""Keypoint files of SPair's and PF-PASCAL's layouts, and how their points are scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError
from dinoscope.io.keypoints import KeypointPair, pair_named, read_keypoints
from dinoscope.matching.keypoints import score_keypoints

SPAIR = {
    "src_imname": "a.jpg",
    "trg_imname": "b.jpg",
    "src_imsize": [100, 80, 3],
    "trg_imsize": [120, 60, 3],
    "src_bndbox": [10, 10, 60, 70],
    "trg_bndbox": [20, 5, 100, 55],
    "category": "cat",
    "src_kps": [[10, 20], [55, 70]],
    "trg_kps": [[30, 8], [90, 50]],
}
LIST = (
    "source_image,target_image,class,XA,YA,XB,YB\n"
    "PF-dataset-PASCAL/JPEGImages/a.jpg,PF-dataset-PASCAL/JPEGImages/b.jpg,8,10;55,20;70,30;90,8;50\n"
    "PF-dataset-PASCAL/JPEGImages/b.jpg,PF-dataset-PASCAL/JPEGImages/c.jpg,8,1.5;,2;,3;,4;\n"
)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_both_layouts_say_the_same(tmp_path: Path) -> None:
    spair = read_keypoints(written(tmp_path / "pair.json", json.dumps(SPAIR)))
    listed = read_keypoints(written(tmp_path / "pairs.csv", LIST))
    assert len(spair) == 1 and len(listed) == 2
    for pair in (spair[0], listed[0]):
        assert (pair.source_name, pair.target_name) == ("a.jpg", "b.jpg")
        np.testing.assert_array_equal(pair.source, SPAIR["src_kps"])
        np.testing.assert_array_equal(pair.target, SPAIR["trg_kps"])
    assert spair[0].box_px == 80 and listed[0].box_px is None
    np.testing.assert_array_equal(listed[1].source, [[1.5, 2]])
    assert pair_named(listed, "b.jpg", "c.jpg") is listed[1]
    assert read_keypoints(tmp_path)[0].source_name == "a.jpg"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.json", "{", "no pair of SPair's"),
        ("x.json", "[]", "no pair of SPair's"),
        ("x.json", json.dumps({**SPAIR, "trg_kps": [[1, 2]]}), "2 points in the first photograph, 1 in the"),
        ("x.json", json.dumps({**SPAIR, "src_kps": [], "trg_kps": []}), "one pair at least"),
        ("x.json", json.dumps({**SPAIR, "trg_bndbox": [5, 5, 5, 5]}), "has no size"),
        ("x.csv", "a,b\n", "expected lines of source_image"),
        ("x.csv", "", "expected lines of source_image"),
        ("x.csv", LIST.splitlines()[0], "a list without pairs"),
        ("x.csv", "a,b,1,x;2,1;2,1;2,1;2\n", "pair 1: coordinates are numbers"),
        ("x.csv", "a,b,1,1;2,1;2;3,1;2,1;2\n", "pair 1: coordinates are numbers"),
        ("x.csv", "a,b,1,1;nan,1;2,1;2,1;2\n", "NaN or infinite"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_keypoints(written(tmp_path / name, text))


def test_a_missing_file_an_empty_folder_and_an_unknown_pair_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_keypoints(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"without \.json"):
        read_keypoints(tmp_path)
    pairs = read_keypoints(written(tmp_path / "pairs.csv", LIST))
    with pytest.raises(InputError, match=r"no keypoints of 'b.jpg' with 'a.jpg'.*a.jpg with b.jpg"):
        pair_named(pairs, "b.jpg", "a.jpg")


def one_hot(h: int, w: int, size: tuple[int, int]) -> PatchFeatures:
    """Every patch like itself alone."""
    return PatchFeatures.from_array(np.eye(h * w, dtype=np.float32).reshape(h, w, -1), image_size=size)


def pair(source: list[list[float]], target: list[list[float]], box_px: float | None = None) -> KeypointPair:
    return KeypointPair("a", "b", np.array(source, float), np.array(target, float), box_px, "keypoints")


def test_errors_are_shares_of_the_longer_side_of_the_box_or_of_the_photograph() -> None:
    f = one_hot(10, 20, (400, 200))
    points = pair([[50, 60], [310, 121], [399, 5]], [[50, 60], [310, 111], [369, 45]])
    score = score_keypoints(f, f, points)
    np.testing.assert_allclose(score.error, [0, 10 / 400, 50 / 400], atol=1e-9)
    assert score.pck == {0.05: pytest.approx(2 / 3), 0.1: pytest.approx(2 / 3)}
    boxed = score_keypoints(f, f, pair(points.source.tolist(), points.target.tolist(), 120))
    np.testing.assert_allclose(boxed.error, [0, 10 / 120, 50 / 120], atol=1e-9)
    assert boxed.pck == {0.05: pytest.approx(1 / 3), 0.1: pytest.approx(2 / 3)}


def test_chance_is_the_share_of_patches_within_the_tolerance() -> None:
    f = one_hot(10, 10, (100, 100))
    score = score_keypoints(f, f, pair([[5, 5]], [[5, 5]]))
    assert score.chance == {0.05: 0.01, 0.1: 0.03}  # the patch itself, and with it the two beside it


def test_a_point_outside_its_photograph_is_named() -> None:
    f = one_hot(4, 4, (40, 40))
    with pytest.raises(InputError, match=r"point 2 at \(41, 3\) lies outside 'b', which has 40x40 px"):
        score_keypoints(f, f, pair([[1, 1], [2, 2]], [[1, 1], [41, 3]]))
