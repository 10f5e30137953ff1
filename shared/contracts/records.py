"""What a technology and a demand have in common: identity, visibility, language, expiry."""

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from shared.contracts.base import Draft, Value, refuse
from shared.contracts.formats import LanguageTag, MemberId, OwnRecordId, RecordId, Region, full_id
from shared.contracts.values import (
    Day,
    DraftStrategicField,
    Industries,
    Keywords,
    NamedMembers,
    OpenVisibility,
    StrategicFields,
    Title,
    Version,
    Visibility,
    visible_to,
)


class RecordBody(Value):
    """The fields that both kinds of record share and that read the same in a draft and in the canonical record."""

    title: Title
    keywords: Keywords = ()
    industry: Industries = ()
    region: Region | None = None
    expires_on: Day | None = None


class Identity(Value):
    """Which version of whose record this is."""

    id: RecordId
    owner: MemberId
    version: Version
    language: LanguageTag


class DraftIdentity(Value):
    """What a member says of that; its owner follows from the topic that it wrote to."""

    id: OwnRecordId
    version: Version | None = None
    language: LanguageTag | None = None


class CanonicalRecord(RecordBody, Identity):
    """A record as the platform holds it: whole, with its owner, its version and its language."""

    strategic_fields: StrategicFields = ()
    visibility: OpenVisibility = Visibility.MEMBERS
    named_members: NamedMembers = ()

    def visible_to(self, member: str) -> bool:
        """Whether that member may see this record."""
        return visible_to(member, self.owner, self.visibility, self.named_members)


class RecordDraft(RecordBody, DraftIdentity, Draft):
    """A record as its owner writes it; without a version, each new content is the next one."""

    strategic_fields: Annotated[tuple[DraftStrategicField, ...], Field(max_length=10)] = ()
    visibility: Visibility = Visibility.MEMBERS
    named_members: NamedMembers = Field(default=(), validate_default=True)

    @field_validator("named_members")
    @classmethod
    def _named_if_needed(cls, members: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("visibility") is Visibility.NAMED and not members:
            raise refuse("nobody_named", "must name at least one member when visibility is named")
        return members

    def full_id(self, member: str) -> str:
        """`<member>/<local id>`; ValueError when the draft gives the id of another member's record."""
        return full_id(self.id, member)

    def _canonical(self, member: str, version: int, language: str) -> dict[str, Any]:
        return {
            **self.model_dump(),
            "strategic_fields": tuple(field.dated() for field in self.strategic_fields),
            "id": self.full_id(member),
            "owner": member,
            "version": version,
            "language": self.language or language,
        }
