"""Strings with a fixed form: ids, language tags, regions, industry codes, addresses."""

from typing import Annotated

from pydantic import StringConstraints

_MEMBER_ID = "[a-z0-9-]{2,40}"
_LOCAL_ID = "[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
_AUTHORITY = r"[^\s/?#@]+"  # without "@": no passwords in addresses

MEMBER_ID = f"^{_MEMBER_ID}$"
RECORD_ID = f"^{_MEMBER_ID}/{_LOCAL_ID}$"
OWN_RECORD_ID = f"^({_MEMBER_ID}/)?{_LOCAL_ID}$"
MATCH_ID = "^[A-Za-z0-9_-]{1,128}$"
LANGUAGE_TAG = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"
REGION = "^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
INDUSTRY_CODE = "^([A-T]([0-9]{2,4})?|[0-9]{2,4})$"
URL = rf"^https?://{_AUTHORITY}([/?#]\S*)?$"

MemberId = Annotated[str, StringConstraints(pattern=MEMBER_ID)]
RecordId = Annotated[str, StringConstraints(pattern=RECORD_ID)]
"""`<member id>/<local id>`."""
OwnRecordId = Annotated[str, StringConstraints(pattern=OWN_RECORD_ID)]
"""As a member writes it: the local id alone or the full id."""
MatchId = Annotated[str, StringConstraints(pattern=MATCH_ID)]
"""Opaque; an HMAC over both record ids, so it says nothing about them."""
EventId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
"""The id attribute of a CloudEvent."""
LanguageTag = Annotated[str, StringConstraints(max_length=35, pattern=LANGUAGE_TAG)]
"""BCP 47, such as zh, en, zh-Hant."""
Region = Annotated[str, StringConstraints(pattern=REGION)]
"""ISO 3166: a country, or a country and its subdivision, such as CN-GD."""
IndustryCode = Annotated[str, StringConstraints(pattern=INDUSTRY_CODE)]
"""GB/T 4754-2017: section A to T, division, group or class, with or without the section's letter."""
Url = Annotated[str, StringConstraints(max_length=2_048, pattern=URL)]
"""An http or https address."""


def full_id(written: str, member: str) -> str:
    """The full id of a record that this member wrote; ValueError when it names another member."""
    owner, slash, _ = written.partition("/")
    if not slash:
        return f"{member}/{written}"
    if owner != member:
        raise ValueError(f"id must be a local id or begin with {member}/")
    return written
