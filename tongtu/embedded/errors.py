"""The one error of the embedded runtime: a line that says what is wrong and what to do."""


class EmbeddedError(Exception):
    """Kafka or MongoDB cannot be started; the text is one line for the person at the keyboard, with the way out."""
