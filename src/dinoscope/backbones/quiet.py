"""`transformers` without its own words: what it says is said in ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quietly() -> Iterator[None]:
    """Reads or writes a network without the progress bars and tables of `transformers` on the terminal."""
    from transformers.utils import logging

    held, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(held)
        if shown:
            logging.enable_progress_bar()
