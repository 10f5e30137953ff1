"""The shared risk model as commands use it: a checked-in version, or the one that a running platform has learnt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.contracts.risk_model import Parameter, RiskModelPublished
from tongtu.errors import CommandError

if TYPE_CHECKING:
    from services.risk.shared_model import SharedModel
    from tongtu.reading import Reader

CURRENT = "current"
"""How a command line names the model of the running platform."""


def newest() -> str:
    """The highest version that is checked in."""
    from services.risk.shared_model import MODEL_FOLDER

    return max((path.stem for path in MODEL_FOLDER.glob("*.json")), key=lambda version: (len(version), version))


def checked_in(version: str | None = None) -> SharedModel:
    """A version in services/risk/model, the newest by default. Raises CommandError if there is no such version."""
    try:
        from services.risk.shared_model import SharedModel

        return SharedModel.load(version or newest())
    except ImportError as error:
        raise needs_package(error) from error
    except ValueError as error:
        raise CommandError(str(error)) from error


def needs_package(error: ImportError) -> CommandError:
    """The way out where numpy or scipy is not installed."""
    return CommandError(f"the risk model needs the package {error.name}: pip install 'tongtu[risk]'")


def published(model: SharedModel) -> RiskModelPublished:
    """A checked-in version as the platform would publish it."""
    from services.risk.publication import publication_of

    return publication_of(model, datetime.now(UTC))


async def current(reader: Reader) -> RiskModelPublished:
    """What the running platform assesses with. Raises CommandError if it has not published it yet."""
    event = await reader.latest(RiskModelPublished.topic, "model")
    if event is None or event.data is None:
        raise CommandError(
            "the platform has published no risk model yet: it does with its first assessment; "
            "without --current the checked-in one is shown"
        )
    return RiskModelPublished.model_validate_json(event.data)


def restored(model: RiskModelPublished) -> SharedModel:
    """A published model, ready to assess with. Raises CommandError if it was published without its definition."""
    if model.definition is None:
        return checked_in(model.version)
    try:
        from services.risk.shared_model import SharedModel
    except ImportError as error:
        raise needs_package(error) from error
    return SharedModel.model_validate_json(model.definition)


@dataclass(frozen=True, slots=True)
class Difference:
    """A parameter that is not the same in two models; None where a model does not have it."""

    name: str
    before: Parameter | None
    after: Parameter | None


def differences(before: RiskModelPublished, after: RiskModelPublished) -> Iterator[Difference]:
    """In the order of the first model, then what only the second has."""
    old, new = _by_name(before), _by_name(after)
    for name in old | new:
        one, other = old.get(name), new.get(name)
        if one is None or other is None or _content(one) != _content(other):
            yield Difference(name, one, other)


def _by_name(model: RiskModelPublished) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in model.parameters}


def _content(parameter: Parameter) -> tuple[object, ...]:
    return parameter.distribution, parameter.values, parameter.unit, parameter.source, parameter.evidence
