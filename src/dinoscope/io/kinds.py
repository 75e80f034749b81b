"""What a file that is not read as an image is, by its first bytes."""

from __future__ import annotations

from collections.abc import Mapping

KNOWN_BY = 1024
"""Bytes looked at."""

READ = "JPEG, PNG, WebP, AVIF, HEIC, TIFF, GIF and BMP are read"
_READ = {
    "JPEG": ((0, b"\xff\xd8\xff"),),
    "PNG": ((0, b"\x89PNG\r\n"),),
    "GIF": ((0, b"GIF8"),),
    "BMP": ((0, b"BM"),),
    "WebP": ((8, b"WEBP"),),
    "AVIF": ((4, b"ftypavi"),),
    "HEIC": ((4, b"ftyphe"), (4, b"ftypmif1")),
}
_UNREAD = {
    "a JPEG 2000 image": ((4, b"jP  "), (0, b"\xff\x4f\xff\x51")),
    "a JPEG XL image": ((0, b"\xff\x0a"), (4, b"JXL ")),
    "a Photoshop file": ((0, b"8BPS"),),
    "a PDF": ((0, b"%PDF"),),
    "an OpenEXR image": ((0, b"\x76\x2f\x31\x01"),),
    "a DICOM image": ((128, b"DICM"),),
    "a FITS image": ((0, b"SIMPLE  ="),),
    "a camera's raw file": ((4, b"ftypcrx"), (0, b"FUJIFILMCCD-RAW"), (0, b"IIU\0"), (0, b"IIRO")),
    "an icon": ((0, b"\0\0\1\0"), (0, b"icns")),
    "a PGM or PPM image": ((0, b"P5"), (0, b"P6")),
}
_OTHERS = {
    "a video: save pictures of it first": ((4, b"ftyp"), (0, b"\x1a\x45\xdf\xa3"), (8, b"AVI ")),
    "a zip archive: unpack it, or make it a .tar": ((0, b"PK\3\4"),),
    "a packed file: unpack it; of archives .tar, .tar.gz and .tgz are read": (
        (0, b"\x1f\x8b"),
        (0, b"BZh"),
        (0, b"\xfd7zXZ"),
    ),
    "an Arrow file: a list is a .csv or a .parquet with a column path": ((0, b"ARROW1"),),
    "a NumPy array, and no image file": ((0, b"\x93NUMPY"),),
}
_TEXTS = (
    (b"<svg", "an SVG drawing: make pixels of it first"),
    (b"<!doctype html", "a web page, as a server sends one in the place of a file: fetch it again"),
    (b"<html", "a web page, as a server sends one in the place of a file: fetch it again"),
    (b"version https://git-lfs", "a Git LFS pointer in the place of the file: run git lfs pull"),
)
_PRINTED = frozenset(range(32, 127)) | {9, 10, 13}


def unread_kind(data: bytes) -> str:
    """Why no decoder took these bytes, and what to do.

    >>> unread_kind(b"BM and no more")
    'a BMP that is damaged, or of a kind that is not read'
    """
    if not data:
        return "the file is empty"
    if name := _named(data, _READ):
        return f"a {name} that is damaged, or of a kind that is not read"
    if name := _named(data, _UNREAD):
        return f"{name}, which is not read: save it as PNG ({READ})"
    if said := _named(data, _OTHERS):
        return said
    head = data[:KNOWN_BY].lower()
    for mark, said in _TEXTS:
        if mark in head:
            return said
    if head.isascii() and not set(head) - _PRINTED:
        return (
            "not an image of a known kind but a text; a list of photographs is a .csv with a column path, "
            "for `dinoscope embed`"
        )
    return f"not an image of a known kind ({READ})"


def _named(data: bytes, kinds: Mapping[str, tuple[tuple[int, bytes], ...]]) -> str:
    """The first kind one of whose marks stands at its place; empty where none does."""
    known = (name for name, marks in kinds.items() if any(data.startswith(mark, at) for at, mark in marks))
    return next(known, "")
