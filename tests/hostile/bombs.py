"""Small files that ask for much: made here, each with the words that its refusal must hold."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def jpeg(side: int, *, scans: int = 1) -> bytes:
    """A JPEG whose header says ``side`` x ``side``, with as many scans as asked for."""
    small = io.BytesIO()
    Image.new("RGB", (16, 16), "grey").save(small, "JPEG", progressive=scans > 1)
    data = bytearray(small.getvalue())
    frame = data.index(b"\xff\xc2" if scans > 1 else b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    last = data.rindex(b"\xff\xda")
    return bytes(data[:last] + data[last:-2] * scans + b"\xff\xd9")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, colours: int, depth: int = 8, rows: bool = True) -> bytes:
    """A PNG of one colour; ``colours``: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    row = bytes(1 + (width * channels * depth + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(height if rows else 1)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    palette = _chunk(b"PLTE", bytes(768)) if colours == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + palette + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    )


def gif(side: int) -> bytes:
    """A GIF with a screen of ``side`` x ``side`` and one small frame that is transparent."""
    frame = io.BytesIO()
    Image.new("P", (16, 16)).save(frame, "GIF", transparency=0)
    data = bytearray(frame.getvalue())
    data[6:10] = struct.pack("<HH", side, side)
    return bytes(data)


def tiff(side: int, *, samples: int = 1, bits: int = 8, cycle: bool = False, next_page: int = 0) -> bytes:
    """A TIFF header that says ``side`` x ``side``, with one strip that is not there in full."""
    entries = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 2 if samples >= 3 else 1),
        (273, 4, 1, 8),
        (277, 3, 1, samples),
        (278, 4, 1, side),
        (279, 4, 1, 4096),
    ]
    place = 8 + 4096
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\0"
        + struct.pack("<I", place)
        + bytes(4096)
        + table
        + struct.pack("<I", place if cycle else next_page)
    )


def bmp(side: int) -> bytes:
    """A run-length coded BMP that says ``side`` x ``side``."""
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 64, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 14 + 40 + 1024 + 64, 0, 0, 14 + 40 + 1024) + head + bytes(1024 + 64)


def webp(side: int) -> bytes:
    """A lossless WebP header that says ``side`` x ``side``."""
    body = b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(64)
    body += bytes(len(body) % 2)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def npy(shape: str, kind: str = "<f4", *, body: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """A ``.npy`` header of any shape, in Python's words."""
    words = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(words) + 1)
    return b"\x93NUMPY" + version + length + words + b"\n" + body


def npz(**members: bytes) -> bytes:
    """An ``.npz`` of members as they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


def npz_of_zeros(n_bytes: int) -> bytes:
    """An ``.npz`` whose one array of zeros takes so much unpacked."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as f,
    ):
        f.write(npy(f"({n_bytes // 4}, 1)"))
        for _ in range(n_bytes >> 20):
            f.write(bytes(2**20))
    return out.getvalue()


def npz_of_many(n: int) -> bytes:
    """An ``.npz`` with so many empty members, of names as long as there may be."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(n):
            archive.writestr(f"{i:060000d}", b"")
    return out.getvalue()


def tar(size: int, *, name: str = "a.png", kind: bytes = tarfile.REGTYPE, good: bytes = b"") -> bytes:
    """A tar with a whole photograph, and then a member that claims ``size`` bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        if good:
            member = tarfile.TarInfo("good.png")
            member.size = len(good)
            archive.addfile(member, io.BytesIO(good))
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    end = 512 + (len(good) + 511) // 512 * 512 if good else 0
    return out.getvalue()[:end] + member.tobuf(tarfile.GNU_FORMAT) + bytes(4096)


def packed(data: bytes) -> bytes:
    """As ``.tar.gz``."""
    return gzip.compress(data, mtime=0)


def sparse(path: Path, n_bytes: int, head: bytes = b"") -> Path:
    """A file that says to be so large and takes nothing on disk."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(n_bytes)
    return path


def large_pictures(folder: Path, side: int = 2400) -> list[Path]:
    """Whole pictures of about 6 megapixels in every format and mode."""
    small = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    colour = Image.fromarray(small).resize((side, side - 8))
    alpha = colour.copy()
    alpha.putalpha(colour.convert("L"))
    deep = Image.fromarray(np.asarray(colour.convert("L")).astype(np.uint16) * 257)
    floating = Image.fromarray(np.asarray(colour.convert("L")).astype(np.float32) / 255)
    plans: list[tuple[str, Image.Image, dict[str, object]]] = [
        ("base.jpg", colour, {}),
        ("progressive.jpg", colour, {"progressive": True, "subsampling": 0}),
        ("cmyk.jpg", colour.convert("CMYK"), {"progressive": True}),
        ("grey.jpg", colour.convert("L"), {}),
        ("turned.jpg", colour, {"exif": _turned()}),
        ("rgb.png", colour, {"compress_level": 1}),
        ("rgba.png", alpha, {"compress_level": 1}),
        ("palette.png", colour.convert("P"), {"transparency": 3}),
        ("deep.png", deep, {"compress_level": 1}),
        ("clear.png", deep, {"compress_level": 1, "transparency": 0}),
        ("one.gif", colour.convert("P"), {"transparency": 3}),
        ("flat.bmp", colour, {}),
        ("lossy.webp", colour, {"method": 0}),
        ("rgba.webp", alpha, {"method": 0}),
        ("colour.avif", colour, {"speed": 10}),
        ("alpha.avif", alpha, {"speed": 10}),
        ("plain.tif", colour, {}),
        ("lzw.tif", colour, {"compression": "tiff_lzw"}),
        ("jpeg.tif", colour, {"compression": "jpeg"}),
        ("one-strip.tif", colour, {"compression": "tiff_adobe_deflate", "tiffinfo": {278: side}}),
        ("deep.tif", deep, {"compression": "tiff_lzw"}),
        ("float.tif", floating, {}),
    ]
    paths = []
    for name, image, options in plans:
        image.save(folder / name, **options)  # type: ignore[arg-type]
        paths.append(folder / name)
    import pillow_heif

    pillow_heif.from_pillow(colour.reduce(2)).save(folder / "phone.heic", quality=60)
    return [*paths, folder / "phone.heic"]


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
