"""What goes wrong for the person at the keyboard, in one line that says what and what to do."""

from __future__ import annotations

import re


class CommandError(Exception):
    """A command cannot do what it was asked; the text is one line with the way out."""


class UsageError(CommandError):
    """The command line asks for what makes no sense; exit code 2."""


_WITH_A_WAY_OUT = frozenset(
    {
        f"{CommandError.__module__}.{CommandError.__name__}",
        "shared.runtime.login.LoginError",
        "shared.runtime.settings.SettingsError",
        "shared.runtime.topic_administration.TopicsError",
        "tongtu.embedded.errors.EmbeddedError",
    }
)
_START_IT = "start it, or correct the address in the environment (TONGTU_KAFKA, TONGTU_MONGODB)"
_IF_BY_TLS = "; where it speaks TLS, TONGTU_KAFKA_CA_FILE must name its authority"


def explained(error: BaseException) -> str | None:
    """The one line for an error that is not a bug of ours; None for everything else.

    Settings, embedded servers and topics say it themselves; drivers say what they saw, and the way out is added here.
    """
    # By name: what was not imported was not raised, and an import costs more than all the rest.
    if any(f"{kind.__module__}.{kind.__name__}" in _WITH_A_WAY_OUT for kind in type(error).__mro__):
        return str(error)
    driver = type(error).__module__.partition(".")[0]
    name = type(error).__name__
    if driver in ("pymongo", "bson"):
        if name in ("ServerSelectionTimeoutError", "AutoReconnect", "NetworkTimeout"):
            return f"MongoDB does not answer ({_words(error)}): {_START_IT}"
        return f"MongoDB refuses what was asked: {_words(error)}"
    if driver == "aiokafka":
        if name in ("KafkaConnectionError", "NodeNotReadyError", "RequestTimedOutError"):
            servers = ", ".join(f"{host}:{port}" for host, port in re.findall(r"\('([^']+)', (\d+)", str(error)))
            return f"Kafka does not answer ({servers or _words(error)}): {_START_IT}{_IF_BY_TLS}"
        return f"Kafka refuses what was asked: {_words(error)}"
    if isinstance(error, TimeoutError):
        return "Kafka or MongoDB did not answer in time: see `tongtu status`"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system says'}: {error.strerror}"
    return None


def _words(error: BaseException) -> str:
    # pymongo adds the whole topology after the first comma or line; it helps nobody at the keyboard.
    first = (str(error).splitlines() or [""])[0].split(", Timeout:")[0].split(" (configured timeouts")[0]
    return first[:200] or type(error).__name__
