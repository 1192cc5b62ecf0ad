"""Python's collector of unreachable objects, while many new ones are made.

A process that has PyTorch and transformers loaded has a million objects, and each full collection
looks at all of them: a tenth of the time of compiling, for nothing.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager

_lock = threading.Lock()
_users = 0


@contextmanager
def old_objects_set_aside() -> Generator[None]:
    """Objects that are there already are not looked at; they are again afterwards.

    Nothing is done where someone else has set objects aside, as servers do before they fork.
    """
    global _users
    with _lock:
        mine = _users > 0 or gc.get_freeze_count() == 0
        if mine:
            _users += 1
            gc.freeze()
    try:
        yield
    finally:
        with _lock:
            if mine:
                _users -= 1
                if _users == 0:
                    gc.unfreeze()
