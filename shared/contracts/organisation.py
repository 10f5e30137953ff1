"""An organisation: who a member is."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, StringConstraints

from shared.contracts.base import EventData, OpenEnum, Value, refuse
from shared.contracts.code_lists import uscc_check_character
from shared.contracts.formats import LanguageTag, MemberId, Region
from shared.contracts.values import Name, Title, Version


class OrganisationKind(StrEnum):
    """What sort of organisation a member is (机构属性)."""

    ENTERPRISE = "enterprise"
    UNIVERSITY = "university"
    INSTITUTE = "institute"
    GOVERNMENT = "government"
    INVESTOR = "investor"
    INTERMEDIARY = "intermediary"
    OTHER = "other"


class OrganisationSize(StrEnum):
    """Size of an enterprise, in the four classes that Chinese statistics use."""

    MICRO = "micro"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    OTHER = "other"


def _check_character_fits(code: str) -> str:
    if uscc_check_character(code[:17]) != code[17]:
        raise refuse("uscc", "is not a unified social credit code: its check character does not fit")
    return code


Uscc = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$"), AfterValidator(_check_character_fits)]
"""Unified social credit code, GB 32100-2015."""


class Contact(Value):
    """A person or office to turn to; shown to the other party only after both have accepted."""

    name: Name
    role: Name | None = None
    email: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    phone: Annotated[str, StringConstraints(max_length=32, pattern=r"^\+?[0-9 ()-]{3,}$")] | None = None


class OrganisationRegistered(EventData):
    """The latest version of an organisation's entry in the registry; a null record says that it left."""

    topic: ClassVar[str] = "organisation.registered"
    type: ClassVar[str] = "tongtu.organisation.registered.v1"

    id: MemberId
    version: Version
    names: Annotated[dict[LanguageTag, Title], Field(min_length=1, max_length=10)]
    """Full name by language."""
    kind: Annotated[OrganisationKind, OpenEnum(OrganisationKind.OTHER)]
    size: Annotated[OrganisationSize, OpenEnum(OrganisationSize.OTHER)] | None = None
    uscc: Uscc | None = None
    region: Region | None = None
    languages: Annotated[tuple[LanguageTag, ...], Field(min_length=1, max_length=10)]
    """In which the organisation wants to be written to, best first."""
    contacts: Annotated[tuple[Contact, ...], Field(max_length=10)] = ()

    @property
    def key(self) -> str:
        """The member's id."""
        return self.id
