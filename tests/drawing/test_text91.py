from __future__ import annotations

import numpy as np
import pytest

from dinoscope.drawing.view.text91 import ALPHABET, text_of


def read_back(text: str, length: int) -> bytes:
    """As slow as can be, on one long number."""
    digits = [ALPHABET.index(ord(c)) for c in text]
    bits = "".join(f"{a * 91 + b:013b}" for a, b in zip(digits[::2], digits[1::2], strict=True))
    return bytes(int(bits[8 * i : 8 * i + 8], 2) for i in range(length))


@pytest.mark.parametrize("n", [0, 1, 2, 12, 13, 14, 1000])
def test_bytes_come_back(n: int) -> None:
    data = np.random.default_rng(n).integers(0, 256, n).astype(np.uint8).tobytes()
    assert read_back(text_of(data), n) == data


def test_the_text_means_nothing_to_html_and_is_denser_than_base64() -> None:
    data = bytes(range(256)) * 8
    text = text_of(data)
    assert not set(text) & set("<>&\r\n\0 ") and text.isascii()
    assert len(text) < 0.93 * 4 / 3 * len(data)
    assert len(set(ALPHABET)) == 91
