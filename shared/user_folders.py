"""The two folders that this user's programs keep things in, as the XDG specification and macOS name them."""

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """For data and logs: XDG_STATE_HOME/tongtu, by default below ~/.local/state."""
    return _folder("XDG_STATE_HOME", ".local/state", "Library/Application Support")


def cache_folder() -> Path:
    """For what is downloaded once, safe to delete: XDG_CACHE_HOME/tongtu, by default below ~/.cache."""
    return _folder("XDG_CACHE_HOME", ".cache", "Library/Caches")


def _folder(variable: str, elsewhere: str, on_macos: str) -> Path:
    given = os.environ.get(variable)
    if given and Path(given).is_absolute():  # the XDG specification says to ignore a relative path
        return Path(given) / "tongtu"
    return Path.home() / (on_macos if sys.platform == "darwin" else elsewhere) / "tongtu"
