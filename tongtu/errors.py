"""What goes wrong for the person at the keyboard, in one line that says what and what to do."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot do what it was asked; the text is one line with the way out."""


def explained(error: BaseException) -> str | None:
    """The one line for an error that is not a bug of ours; None for everything else.

    Settings, embedded servers and topics say it themselves; drivers say what they saw, and the way out is added here.
    """
    import asyncio

    from shared.runtime.settings import SettingsError
    from shared.runtime.topic_administration import TopicsRefused
    from tongtu.embedded.errors import EmbeddedError

    if isinstance(error, (CommandError, SettingsError, EmbeddedError, TopicsRefused)):
        return str(error)
    driver = type(error).__module__.partition(".")[0]
    if driver == "aiokafka":
        return f"Kafka does not do what was asked ({_words(error)}): is it running? see `tongtu status`"
    if driver in ("pymongo", "bson"):
        return f"MongoDB does not do what was asked ({_words(error)}): is it running? see `tongtu status`"
    if isinstance(error, asyncio.TimeoutError):
        return "Kafka or MongoDB did not answer in time: see `tongtu status`"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system says'}: {error.strerror}"
    return None


def _words(error: BaseException) -> str:
    # pymongo adds the whole topology after the first comma or line; it helps nobody at the keyboard.
    first = (str(error).splitlines() or [""])[0].split(", Timeout:")[0].split(" (configured timeouts")[0]
    return first[:200] or type(error).__name__
