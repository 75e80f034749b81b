from __future__ import annotations

import csv
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dinoscope.errors import ImageError, InputError
from dinoscope.io.collections.collection import each_item
from dinoscope.io.collections.web import fetch
from dinoscope.io.images import read_photograph


def picture(i: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(i).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i, name in enumerate(["b.png", "a/z.PNG", "a/y.png", ".hidden.png", ".git/x.png", "a/notes.txt"]):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i))
    return tmp_path / "photos"


def keys(source: str | Path) -> list[str]:
    return [item.key for item in each_item(source)]


def digests(source: str | Path) -> list[str]:
    return [item.load().digest for item in each_item(source)]


def test_a_folder_is_its_whole_tree_in_one_order(photos: Path) -> None:
    assert keys(photos) == ["b.png", "a/y.png", "a/z.PNG"]
    assert len(list(each_item(photos))) == 3
    for item in each_item(photos):
        assert item.source == str(photos / item.key)
        assert item.load().digest == read_photograph(photos / item.key).digest
        assert item.load().source == item.source


def test_a_stamp_changes_with_the_file(photos: Path) -> None:
    (before,) = each_item(photos / "b.png")
    (photos / "b.png").write_bytes(picture(9))
    (after,) = each_item(photos / "b.png")
    assert before.stamp
    assert before.stamp != after.stamp


def test_a_pattern(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert keys("**/*.png") == ["a/y.png", "b.png"]
    assert [item.source for item in each_item("a/*")] == [
        str(photos / "a" / n) for n in ("notes.txt", "y.png", "z.PNG")
    ]
    with pytest.raises(InputError, match="nothing matches"):
        list(each_item("*.jpg"))


@pytest.mark.parametrize("source", ["nowhere", "empty"])
def test_nothing_there(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"there is no|holds no photographs"):
        list(each_item(tmp_path / source))


@pytest.mark.parametrize("header", ["path", "file_name", None])
def test_a_csv_of_paths(photos: Path, header: str | None) -> None:
    lines = ["a/y.png", "", "missing.png", str(photos / "b.png")]
    with open(photos / "list.csv", "w", newline="") as file:
        rows = csv.writer(file)
        if header:
            rows.writerow(["label", header])
        rows.writerows([["cat, dog", line] if header else [line, "cat"] for line in lines])
    first, second, third = each_item(photos / "list.csv")
    assert first.load().digest == read_photograph(photos / "a/y.png").digest
    assert third.load().digest == read_photograph(photos / "b.png").digest
    assert second.stamp == ""
    with pytest.raises(ImageError, match="no such file"):
        second.load()


def test_a_list_may_name_files_by_their_address(photos: Path) -> None:
    named = photos / "a b.png"
    named.write_bytes((photos / "b.png").read_bytes())
    (photos / "list.csv").write_text(f"path\n{named.as_uri()}\n")
    assert "%20" in named.as_uri()
    (found,) = each_item(photos / "list.csv")
    assert found.load().digest == read_photograph(named).digest


def test_a_parquet_of_paths(photos: Path) -> None:
    pq.write_table(pa.table({"n": [1, 2], "image_path": ["b.png", "a/y.png"]}), photos / "list.parquet")
    assert keys(photos / "list.parquet") == ["b.png", "a/y.png"]
    pq.write_table(pa.table({"n": [1], "path": [2]}), photos / "numbers.parquet")
    with pytest.raises(InputError, match="holds no text"):
        keys(photos / "numbers.parquet")


def test_a_parquet_file_with_photographs_in_it(photos: Path) -> None:
    cells = [{"bytes": (photos / name).read_bytes(), "path": name} for name in ("b.png", "a/y.png")]
    pq.write_table(pa.table({"label": [0, 1], "image": cells}), photos / "some.parquet")
    assert keys(photos / "some.parquet") == ["some.parquet::0", "some.parquet::1"]
    assert digests(photos / "some.parquet") == [read_photograph(photos / c["path"]).digest for c in cells]
    assert digests(photos / "some.parquet") == digests(f"{photos}/some.parq[u]et")
    pq.write_table(pa.table({"path": ["b.png"], "image": cells[:1]}), photos / "both.parquet")
    assert keys(photos / "both.parquet") == ["b.png"]  # a list says where its photographs are


def test_lists_that_cannot_be_used(photos: Path) -> None:
    (photos / "no.csv").write_text("label,size\ncat,3\n")
    with pytest.raises(InputError, match=r"no column of paths or URLs.*\(label, size\)"):
        keys(photos / "no.csv")
    (photos / "no.parquet").write_bytes(b"PAR1 or so")
    with pytest.raises(InputError, match="cannot be read"):
        keys(photos / "no.parquet")


def write_tar(path: Path, n: int, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for i in range(n):
            for suffix, data in ((".png", picture(i)), (".json", b"{}")):
                member = tarfile.TarInfo(f"{i:03d}{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(("name", "mode"), [("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tgz", "w:gz")])
def test_a_tar_is_its_photographs(tmp_path: Path, name: str, mode: str) -> None:
    path = write_tar(tmp_path / name, 5, mode)
    (tmp_path / "same").mkdir()
    for i in range(5):
        (tmp_path / "same" / f"{i}.png").write_bytes(picture(i))
    assert digests(path) == digests(tmp_path / "same")
    assert keys(path)[2] == f"{name}::002.png"
    late = list(each_item(path))  # read only after the walk has ended
    assert [item.load().digest for item in late] == digests(tmp_path / "same")


def test_tars_of_a_pattern_or_a_folder(tmp_path: Path) -> None:
    for i in range(3):
        write_tar(tmp_path / f"part-{i}.tar", 2)
    assert keys(tmp_path / "part-*.tar") == keys(tmp_path)
    assert len(keys(tmp_path)) == 6


def test_a_cut_tar_gives_what_is_whole_and_then_its_reason(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", 4)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"002.png") + 700])
    good, bad = [], []
    for item in each_item(path):
        try:
            good.append(item.load().name)
        except ImageError as error:
            bad.append(str(error))
    assert good == ["000.png", "001.png"]
    assert bad
    assert all(str(path) in words for words in bad)


def test_a_saved_data_set_folder(tmp_path: Path) -> None:
    """As ``save_to_disk`` leaves it: Arrow streams beside a state file."""
    cell = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    folder = tmp_path / "set" / "train"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text("{}")
    for part in range(2):
        cells = [{"bytes": picture(3 * part + i), "path": f"{i}.png"} for i in range(3)]
        table = pa.table({"image": pa.array([*cells, None], cell), "label": [0, 1, 2, 3]})
        with (
            pa.OSFile(str(folder / f"data-0000{part}.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, table.schema) as out,
        ):
            out.write_table(table)
    for source in (folder, tmp_path / "set"):
        items = list(each_item(source))
        assert [item.load().digest for item in items] == [read_bytes_digest(picture(i)) for i in range(6)]
    assert items[4].load().name == "1.png"
    assert items[4].key == "train/data-00001.arrow::1"


def read_bytes_digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def test_a_data_set_folder_from_the_hub(tmp_path: Path) -> None:
    cell = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    (tmp_path / "data").mkdir()
    (tmp_path / "outside.png").write_bytes(picture(7))
    (tmp_path / "data" / "near.png").write_bytes(picture(8))
    cells = [{"bytes": picture(i), "path": None} for i in range(40)] + [{"bytes": None, "path": "near.png"}]
    pq.write_table(pa.table({"image": pa.array(cells, cell)}), tmp_path / "data" / "train-0.parquet")
    found = digests(tmp_path)
    assert found == [read_bytes_digest(picture(i)) for i in [*range(40), 8]]


@pytest.fixture
def server(photos: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:  # type: ignore[override]
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(photos))) as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{host.server_address[1]}"
        host.shutdown()
        thread.join()


def test_urls_of_a_list_are_fetched(photos: Path, server: str, tmp_path: Path) -> None:
    (tmp_path / "urls.csv").write_text(f"url\n{server}/b.png?size=1\n{server}/gone.png\n")
    good, gone = each_item(tmp_path / "urls.csv")
    assert good.load().digest == read_photograph(photos / "b.png").digest
    assert good.load().name == "b.png"
    with pytest.raises(ImageError, match="the server says 404"):
        gone.load()
    (alone,) = each_item(f"{server}/b.png")
    assert alone.load().digest == good.load().digest


def test_addresses_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    with pytest.raises(ImageError, match="only http"):
        fetch("file:///etc/passwd")
    with pytest.raises(ImageError, match="cannot be fetched"):
        fetch("http://127.0.0.1:9/x.png")
    monkeypatch.setattr("dinoscope.io.collections.web.FETCHED_BYTES", 10)
    with pytest.raises(ImageError, match="more than 10 bytes"):
        fetch(f"{server}/b.png")
