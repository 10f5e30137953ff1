"""The values that records are made of: text, numbers, money, dates, maturity, visibility; each with its limits."""

import re
import unicodedata
from datetime import date
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from shared.contracts.base import OpenEnum, Value, refuse
from shared.contracts.code_lists import CURRENCIES, LATEST_VERSION, STRATEGIC_FIELDS, STRATEGIC_LISTS
from shared.contracts.formats import IndustryCode, MemberId, Url

# Control characters other than line feed and tab; they carry no text and break terminals, logs and CSV.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _normalised(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value if value.isascii() else unicodedata.normalize("NFC", value)
    # What is printable has no control character, and is told in half the time.
    return text if text.isprintable() else _CONTROL.sub(" ", text.replace("\r\n", "\n"))


def _text(longest: int) -> tuple[StringConstraints, BeforeValidator]:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest), BeforeValidator(_normalised)


# Text is Unicode NFC, without control characters; lengths are characters (code points).
Title = Annotated[str, *_text(256)]
Summary = Annotated[str, *_text(500)]
Comment = Annotated[str, *_text(2_000)]
Advantages = Annotated[str, *_text(5_000)]
LongText = Annotated[str, *_text(20_000)]
Keyword = Annotated[str, *_text(64)]
Name = Annotated[str, *_text(128)]

Version = Annotated[int, Field(strict=True, ge=1, le=2_147_483_647)]
TrlLevel = Annotated[int, Field(strict=True, ge=1, le=9)]
MrlLevel = Annotated[int, Field(strict=True, ge=1, le=10)]
Months = Annotated[int, Field(strict=True, ge=0, le=1_200)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0, le=9_007_199_254_740_991)]


def _number_or_text(value: Any) -> float | str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise refuse("number_or_text", "must be a number or a text")
    if not isinstance(value, str):
        if not isfinite(value):
            raise refuse("finite_number", "must be a finite number")
        return value
    text = _normalised(value).strip()
    if not 1 <= len(text) <= 500:
        raise refuse("text_length", "must have 1 to 500 characters")
    return text


NumberOrText = Annotated[
    int | float | str,
    # Not a union of the two types: that would report a wrong value twice, under pointers that no document has.
    PlainValidator(_number_or_text, json_schema_input_type=float | Annotated[str, Field(min_length=1, max_length=500)]),
]
"""A figure, or what a figure cannot say in at most 500 characters."""


def _iso_date(value: Any) -> Any:
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)):
        return value
    raise refuse("iso_date", "must be an ISO 8601 date such as 2026-03-31")


Day = Annotated[date, BeforeValidator(_iso_date)]

SIGNED_AMOUNT = r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$"
"""A result: ten years of the largest amount that a record may give still fit."""
AMOUNT = r"^[0-9]{1,15}(\.[0-9]{1,6})?$"


def _decimal_string(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if not isinstance(value, str):
        raise refuse("decimal_string", 'must be a decimal number in quotes, such as "1200000.00"')
    return value


def _not_negative(value: str) -> str:
    if value.startswith("-"):
        raise refuse("negative_amount", "must not be negative")
    return value


def _within_reason(value: str) -> str:
    if len(value.partition(".")[0]) > 15:
        raise refuse("amount_too_large", "must have at most 15 digits before the point")
    return value


SignedAmount = Annotated[str, StringConstraints(pattern=SIGNED_AMOUNT), BeforeValidator(_decimal_string)]
"""Money as a decimal string; a Decimal is taken too, a float never."""
Amount = Annotated[
    SignedAmount,
    AfterValidator(_not_negative),
    AfterValidator(_within_reason),
    Field(json_schema_extra={"pattern": AMOUNT}),
]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217 as a reader takes it: a code that became active later is no error."""


def _active(code: str) -> str:
    if code not in CURRENCIES:
        raise refuse("currency", "{currency} is not an active ISO 4217 currency code", currency=code)
    return code


ActiveCurrency = Annotated[Currency, AfterValidator(_active), Field(json_schema_extra={"enum": sorted(CURRENCIES)})]


class Money(Value):
    """An amount in one currency."""

    amount: Amount
    currency: Currency


class DraftMoney(Money):
    """An amount as a member writes it."""

    currency: ActiveCurrency


class MoneyRange(Value):
    """From `min` to `max`, both inclusive; an absent end is open."""

    min: Amount | None = None
    max: Amount | None = None
    currency: Currency

    @field_validator("max")
    @classmethod
    def _in_order(cls, value: str | None, info: ValidationInfo) -> str | None:
        lowest = info.data.get("min")
        if value is not None and lowest is not None and Decimal(value) < Decimal(lowest):
            raise refuse("max_below_min", "must not be below min")
        return value


class DraftMoneyRange(MoneyRange):
    """A range as a member writes it."""

    currency: ActiveCurrency


class Evidence(Value):
    """What shows a claim: a title, a public address, or both."""

    title: Title | None = None
    url: Url | None = None


class Trl(Value):
    """Technology readiness (ISO 16290): of one element for one application at one time, so these belong to it."""

    level: TrlLevel
    application: Summary | None = None
    date: Day | None = None
    assessor: Name | None = None
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=10)] = ()


class StrategicField(Value):
    """One code of a strategic industry list; see code_lists.STRATEGIC_FIELDS."""

    list: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    version: Annotated[str, StringConstraints(min_length=1, max_length=16)] | None = None
    code: Annotated[str, StringConstraints(min_length=1, max_length=32)]


class DraftStrategicField(StrategicField):
    """Only lists, versions and codes that exist; without a version the latest is meant and filled in."""

    @field_validator("list")
    @classmethod
    def _list_exists(cls, name: str) -> str:
        if name not in STRATEGIC_LISTS:
            raise refuse("strategic_list", "must be one of {lists}", lists=", ".join(sorted(STRATEGIC_LISTS)))
        return name

    @field_validator("version")
    @classmethod
    def _version_exists(cls, version: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("list")
        if name is None or version is None:
            return version
        if (name, version) not in STRATEGIC_FIELDS:
            versions = ", ".join(sorted(known for other, known in STRATEGIC_FIELDS if other == name))
            raise refuse("strategic_version", "must be one of {versions}", versions=versions)
        return version

    @field_validator("code")
    @classmethod
    def _code_exists(cls, code: str, info: ValidationInfo) -> str:
        name = info.data.get("list")
        codes = STRATEGIC_FIELDS.get((name or "", info.data.get("version") or LATEST_VERSION.get(name or "", "")))
        if codes is not None and code not in codes:
            raise refuse("strategic_code", "must be one of {codes}", codes=", ".join(codes))
        return code

    def dated(self) -> StrategicField:
        """The same field with the version that it means."""
        return StrategicField(**{**self.model_dump(), "version": self.version or LATEST_VERSION[self.list]})


class Visibility(StrEnum):
    """Who may see a record (its owner stays anonymous in any case); strictest last."""

    PUBLIC = "public"  # anyone
    MEMBERS = "members"  # every member
    NAMED = "named"  # only the members in named_members


STRICTEST = Visibility.NAMED
OpenVisibility = Annotated[Visibility, OpenEnum(STRICTEST)]


def visible_to(member: str, owner: str, visibility: Visibility, named_members: tuple[str, ...]) -> bool:
    """Whether that member may see a record; its owner always may."""
    return member == owner or visibility is not Visibility.NAMED or member in named_members


Keywords = Annotated[tuple[Keyword, ...], Field(max_length=10)]
Industries = Annotated[tuple[IndustryCode, ...], Field(max_length=10)]
NamedMembers = Annotated[tuple[MemberId, ...], Field(max_length=200)]
StrategicFields = Annotated[tuple[StrategicField, ...], Field(max_length=10)]
