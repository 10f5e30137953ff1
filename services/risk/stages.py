"""The way from a readiness level to production: which gates are still ahead, with their chances, months and costs."""

from __future__ import annotations

from dataclasses import dataclass

from services.risk.shared_model import Gate, SharedModel, SuccessPrior


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage still ahead of a project, ending in a gate.

    `months` is the model's median duration; `cost_share` the part of the plan's capital spent here: the shares of a
    path add up to 1.
    """

    position: int
    """Position of the gate in the model."""
    gate: Gate
    prior_position: int
    months: float
    cost_share: float

    @property
    def prior(self) -> SuccessPrior:
        """Beta prior of passing the gate at the end of this stage."""
        return self.gate.success[self.prior_position]


def gates_ahead(model: SharedModel, trl: int | None) -> range:
    """Positions of the gates not passed yet.

    Not known counts as nothing passed: no gate is taken as passed unless the record says so. A technology proven in
    one operational environment (9) still has its first production with this adopter ahead.
    """
    last = len(model.gates) - 1
    if trl is None:
        return range(last + 1)
    passed = sum(1 for gate in model.gates if gate.passed_at_trl <= trl)
    return range(min(passed, last), last + 1)


def priors_ahead(model: SharedModel, trl: int | None, field: str | None) -> tuple[int, ...]:
    """Which prior holds at each gate ahead; all projects with the same ones and the same start are on one path."""
    return tuple(model.gates[position].prior(trl, field) for position in gates_ahead(model, trl))


def path_to_production(model: SharedModel, trl: int | None, field: str | None = None) -> tuple[Stage, ...]:
    """The stages ahead of a project at `trl` in a strategic field, with the months of the model."""
    return stages_with(model, trl, priors_ahead(model, trl, field))


def stages_with(model: SharedModel, trl: int | None, priors: tuple[int, ...]) -> tuple[Stage, ...]:
    """The stages ahead of a project at `trl`, with these priors (one position for each gate ahead)."""
    ahead = gates_ahead(model, trl)
    gates = [model.gates[position] for position in ahead]
    weights = sum(gate.cost_weight.value for gate in gates)
    return tuple(
        Stage(
            position=position,
            gate=gate,
            prior_position=prior,
            months=gate.months.value,
            cost_share=gate.cost_weight.value / weights,
        )
        for position, gate, prior in zip(ahead, gates, priors, strict=True)
    )


def stretch(model: SharedModel, trl: int | None, planned_months: float | None) -> float:
    """Factor on the months of every stage, for a plan that names its months from now to production.

    The stages share the planned months in proportion to the model's, lengthened by the slip that projects of this
    readiness show. Without planned months the model's hold. Both by the factor that reported months have shown.
    """
    learnt = model.months_factor.value
    if planned_months is None:
        return learnt
    months = sum(model.gates[position].months.value for position in gates_ahead(model, trl))
    return learnt * planned_months * (1 + model.slip(trl).value) / months
