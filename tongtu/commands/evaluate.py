"""evaluate: stub."""


def evaluate() -> None: ...
