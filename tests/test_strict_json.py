import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dinoscope.strict_json import strict_json


@dataclass(frozen=True, slots=True)
class Value:
    words: str
    numbers: tuple[float, ...]


def test_whatever_is_nested_any_reader_takes_it() -> None:
    values = {
        1: Value("caf\udce9", (1.5, math.nan, -math.inf)),
        "array": np.array([[1, 2]]),
        "path": Path("a/b"),
    }
    text = strict_json({**values, "set": {True}, "none": None, "other": 1j})
    assert json.loads(text, parse_constant=lambda name: 1 / 0) == {
        "1": {"words": r"caf\xe9", "numbers": [1.5, None, None]},
        "array": [[1, 2]],
        "path": "a/b",
        "set": [True],
        "none": None,
        "other": "1j",
    }
    assert text.isascii() and "é" in strict_json("é", ensure_ascii=False)
