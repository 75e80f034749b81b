"""Coroutines in a thread of their own: the browser tests leave a loop running in this one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run_alone(job: Coroutine[Any, Any, Any]) -> Any:
    """What the coroutine returns, or what it raises."""
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(asyncio.run, job).result()
