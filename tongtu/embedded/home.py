"""Where data, logs and downloads live on this machine."""

import os
import sys
from pathlib import Path


def default_home() -> Path:
    """Folder for data and logs: TONGTU_HOME, else the user's state folder (XDG_STATE_HOME/tongtu)."""
    asked = os.environ.get("TONGTU_HOME")
    if asked:
        return Path(asked).expanduser().absolute()
    return _user_folder("XDG_STATE_HOME", ".local/state", "Library/Application Support")


def download_folder() -> Path:
    """Folder for what is downloaded once and used by every home (XDG_CACHE_HOME/tongtu); safe to delete."""
    return _user_folder("XDG_CACHE_HOME", ".cache", "Library/Caches")


def _user_folder(variable: str, elsewhere: str, on_macos: str) -> Path:
    given = os.environ.get(variable)
    if given and Path(given).is_absolute():  # the XDG specification says to ignore a relative path
        return Path(given) / "tongtu"
    return Path.home() / (on_macos if sys.platform == "darwin" else elsewhere) / "tongtu"
