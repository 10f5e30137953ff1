"""What notify knows of members: who has left, and what the other party is told once both accept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from shared.contracts.events import DisclosedOrganisation, OrganisationRegistered


@dataclass(frozen=True, slots=True)
class Members:
    """As far as one poll needs them."""

    left: Set[str] = frozenset()
    organisations: Mapping[str, DisclosedOrganisation] = field(default_factory=dict[str, DisclosedOrganisation])
    """By member id; those not heard of yet are not in it."""

    def any_left(self, members: Iterable[str]) -> bool:
        """Whether one of these is no longer a member."""
        return any(member in self.left for member in members)


def disclosed(entry: OrganisationRegistered) -> DisclosedOrganisation:
    """What the other party is told of an entry: no more than this model declares."""
    return DisclosedOrganisation.model_validate(entry.model_dump(include=set(DisclosedOrganisation.model_fields)))
