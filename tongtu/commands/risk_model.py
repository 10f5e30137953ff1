"""risk model: what the shared model assumes and where that is from; what differs between two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tongtu.errors import UsageError

if TYPE_CHECKING:
    from shared.contracts.risk_model import Parameter, RiskModelPublished

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The parameters of the shared model, with their sources."
)


@group.command()
def show(
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="By default the newest that is checked in.")
    ] = None,
    current: Annotated[bool, typer.Option("--current", help="What the running platform assesses with.")] = False,
    json: Json = False,
) -> None:
    """List every parameter of a model version, with its source and the evidence behind it."""
    from tongtu.output import say, say_json
    from tongtu.output import show as show_table
    from tongtu.shared_risk_model import CURRENT

    if current and version is not None:
        raise UsageError("give --version or --current, not both")
    model = _model(CURRENT if current else version)
    if json:
        say_json(model.model_dump(mode="json", exclude_none=True, exclude={"definition"}))
        return
    learnt = f"learnt from {model.outcomes_used} outcomes" if model.outcomes_used else "priors only, no outcome learnt"
    say(f"risk model {model.version}, {learnt}", "bold")
    rows = [(each.name, _values(each), each.unit, _evidence(each), each.source) for each in model.parameters]
    show_table(("parameter", "value", "unit", "evidence", "source"), rows)


@group.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A version, or `current`: the running platform's.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    json: Json = False,
) -> None:
    """List the parameters that differ between two model versions, with both sources."""
    from tongtu.output import say, say_json
    from tongtu.output import show as show_table
    from tongtu.shared_risk_model import differences

    found = list(differences(_model(before), _model(after)))
    if json:
        say_json(
            [
                {
                    "name": each.name,
                    "before": each.before.model_dump(mode="json", exclude_none=True) if each.before else None,
                    "after": each.after.model_dump(mode="json", exclude_none=True) if each.after else None,
                }
                for each in found
            ]
        )
        return
    if not found:
        say(f"{before} and {after} have the same parameters")
        return
    rows: list[tuple[str, str, str, str]] = []
    for each in found:
        for version, parameter in ((before, each.before), (after, each.after)):
            name = each.name if parameter is each.before else ""
            if parameter is None:
                rows.append((name, version, "not there", ""))
            else:
                rows.append((name, version, _values(parameter), parameter.source))
    show_table(("parameter", "version", "value", "source"), rows)


def _model(version: str | None) -> RiskModelPublished:
    from tongtu.shared_risk_model import CURRENT, checked_in, published

    if version != CURRENT:
        return published(checked_in(version))
    import asyncio

    return asyncio.run(_current())


async def _current() -> RiskModelPublished:
    from tongtu.reading import Reader
    from tongtu.shared_risk_model import current
    from tongtu.target import target

    async with Reader(target()) as reader:
        return await current(reader)


def _values(parameter: Parameter) -> str:
    if set(parameter.values) == {"value"}:
        return f"{parameter.values['value']:,.10g}"
    said = ", ".join(f"{name} {value:.4g}" for name, value in parameter.values.items())
    return f"{parameter.distribution.replace('_', ' ')}: {said}"


def _evidence(parameter: Parameter) -> str:
    weight = parameter.evidence
    if weight is None or not (weight.prior_weight or weight.outcomes_used):
        return ""
    return f"prior {weight.prior_weight:.3g}, outcomes {weight.outcomes_used}"
