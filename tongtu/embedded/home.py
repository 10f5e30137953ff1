"""Where data and logs live on this machine."""

import os
from pathlib import Path

from shared.user_folders import state_folder


def default_home() -> Path:
    """Folder for data and logs: TONGTU_HOME, else the user's state folder (XDG_STATE_HOME/tongtu)."""
    asked = os.environ.get("TONGTU_HOME")
    if asked:
        return Path(asked).expanduser().absolute()
    return state_folder()
