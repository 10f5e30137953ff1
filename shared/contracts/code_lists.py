"""Code lists that records refer to: currencies, strategic industries, stages; each with its version."""

import re
from types import MappingProxyType
from typing import NamedTuple

STRATEGIC_EMERGING = "strategic-emerging-industries"
FUTURE = "future-industries"


class CodeName(NamedTuple):
    """The name of one code in Chinese, as its list gives it, and in English."""

    zh: str
    en: str


_COMMON_TO_BOTH = {
    "1": CodeName("新一代信息技术", "next-generation information technology"),
    "2": CodeName("高端装备制造", "high-end equipment"),
    "3": CodeName("新材料", "new materials"),
    "4": CodeName("生物", "biology"),
    "5": CodeName("新能源汽车", "new-energy vehicles"),
    "6": CodeName("新能源", "new energy"),
}

STRATEGIC_FIELDS = MappingProxyType(
    {
        # National Bureau of Statistics, classification of strategic emerging industries (2018).
        (STRATEGIC_EMERGING, "2018"): MappingProxyType(
            {
                **_COMMON_TO_BOTH,
                "7": CodeName("节能环保", "energy saving and environmental protection"),
                "8": CodeName("数字创意", "digital creative industries"),
                "9": CodeName("相关服务业", "related services"),
            }
        ),
        # 14th five-year plan and the catalogue of 2023: the last three are others.
        (STRATEGIC_EMERGING, "2023"): MappingProxyType(
            {
                **_COMMON_TO_BOTH,
                "7": CodeName("绿色环保", "green and environmental protection"),
                "8": CodeName("航空航天", "aviation and aerospace"),
                "9": CodeName("海洋装备", "marine equipment"),
            }
        ),
        # Future industries named in 2024; the list gives no numbers, so the codes are words.
        (FUTURE, "2024"): MappingProxyType(
            {
                "manufacturing": CodeName("制造", "manufacturing"),
                "information": CodeName("信息", "information"),
                "materials": CodeName("材料", "materials"),
                "energy": CodeName("能源", "energy"),
                "space": CodeName("空间", "space"),
                "health": CodeName("健康", "health"),
            }
        ),
    }
)
"""(list, version) -> code -> name."""

STRATEGIC_LISTS = frozenset(name for name, _ in STRATEGIC_FIELDS)

LATEST_VERSION = MappingProxyType(
    {name: max(version for other, version in STRATEGIC_FIELDS if other == name) for name in STRATEGIC_LISTS}
)
"""The version that a record means when it names a list without one."""

CURRENCIES = frozenset(
    re.findall(
        r"[A-Z]{3}",
        """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY
    COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU
    UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """,
    )
)
"""Active national and union currencies of ISO 4217; no funds, metals or test codes."""

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(3**position % 31 for position in range(17))


def uscc_check_character(first_seventeen: str) -> str:
    """The check character of a unified social credit code (GB 32100-2015); ValueError outside its alphabet."""
    total = sum(_USCC_ALPHABET.index(c) * weight for c, weight in zip(first_seventeen, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[-total % 31]
