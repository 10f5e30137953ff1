"""Technologies and demands made of templates and invented terms, Chinese and English, as long as real ones are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["technology", "demand"]
Language = Literal["en", "zh"]

_ELEMENTS = {
    "en": (
        "hafnium zirconium tantalum niobium molybdenum tungsten rhenium yttrium lanthanum cerium neodymium samarium "
        "europium gadolinium terbium dysprosium holmium erbium ytterbium lutetium scandium vanadium chromium manganese "
        "cobalt nickel gallium germanium indium antimony tellurium bismuth caesium rubidium strontium barium lithium "
        "beryllium magnesium ruthenium"
    ).split(),
    "zh": list("铪锆钽铌钼钨铼钇镧铈钕钐铕钆铽镝钬铒镱镥钪钒铬锰钴镍镓锗铟锑碲铋铯铷锶钡锂铍镁钌"),
}
_COMPOUNDS = {
    "en": (
        "diboride carbonitride oxyfluoride perovskite garnet aerogel metallate silicide chalcogenide zeolite hydride "
        "phosphate laminate nanowire whisker foam membrane scintillator ferrite elastomer"
    ).split(),
    "zh": (
        "硼化物 碳氮化物 氟氧化物 钙钛矿 石榴石 气凝胶 金属盐 硅化物 硫族化合物 沸石 氢化物 磷酸盐 层合板 纳米线 晶须 泡沫 "
        "薄膜 闪烁体 铁氧体 弹性体"
    ).split(),
}
_PARTS = {
    "en": (
        "heat exchanger|gas turbine seal|proton exchange stack|downhole sensor|wafer chuck|thermal barrier coating|"
        "neutron shield|microwave filter|cutting insert|catalyst bed|bone implant|optical window|pump impeller|"
        "friction clutch|vacuum valve|hydrogen compressor|laser diode mount|fuel rod cladding|conveyor roller|"
        "desalination cartridge|gyroscope resonator|battery separator|inverter module|ship propeller|welding torch|"
        "spectrometer slit|crucible lining|antenna radome|rail fastening|syringe coating"
    ).split("|"),
    "zh": (
        "换热器|燃气轮机密封|质子交换膜电堆|井下传感器|晶圆吸盘|热障涂层|中子屏蔽体|微波滤波器|切削刀片|催化剂床层|骨植入物|"
        "光学窗口|泵用叶轮|摩擦离合器|真空阀门|氢气压缩机|激光二极管热沉|燃料棒包壳|输送辊|淡化滤芯|陀螺谐振子|电池隔膜|"
        "逆变器模块|船用螺旋桨|焊枪喷嘴|光谱仪狭缝|坩埚内衬|天线罩|轨道扣件|注射器涂层"
    ).split("|"),
}
_PROCESSES = {
    "en": (
        "spark plasma sintering|atomic layer deposition|hot isostatic pressing|freeze casting|electrospinning|"
        "chemical vapour infiltration|cold spraying|two-photon lithography|melt spinning|sol-gel dip coating|"
        "reactive magnetron sputtering|ultrasonic consolidation|supercritical drying|friction stir processing|"
        "plasma electrolytic oxidation|binder jetting|zone refining|molecular imprinting|roll-to-roll calendering|"
        "hydrothermal growth"
    ).split("|"),
    "zh": (
        "放电等离子烧结|原子层沉积|热等静压|冷冻铸造|静电纺丝|化学气相渗透|冷喷涂|双光子光刻|熔体快淬|溶胶凝胶提拉|"
        "反应磁控溅射|超声固结|超临界干燥|搅拌摩擦加工|微弧氧化|粘结剂喷射|区域熔炼|分子印迹|卷对卷压延|水热生长"
    ).split("|"),
}
_PROPERTIES = {
    "en": (
        "fracture toughness|thermal conductivity|leak rate|fatigue life|dielectric loss|permeability|hardness|"
        "corrosion rate|quantum efficiency|creep strength|wear rate|emissivity"
    ).split("|"),
    "zh": "断裂韧性|热导率|漏率|疲劳寿命|介电损耗|渗透率|硬度|腐蚀速率|量子效率|蠕变强度|磨损率|发射率".split("|"),
}
_OFFERED = {
    "en": (
        "The {part} is made of a {material}, grade {grade}, by {process}. ",
        "In {months} months of trials {property} improved by {percent} % over the part in use. ",
        "A pilot line with a yield of {yielded} % has run since last year and its parameters are documented. ",
        "{Material} of grade {grade} keeps its {property} after {cycles} cycles between room temperature and {kelvin} K. ",
        "Samples of {grade} were examined by an accredited laboratory; the report covers {property} and ageing. ",
        "The {process} step needs no cleanroom and takes {minutes} minutes for each {part}. ",
    ),
    "zh": (
        "该{part}采用牌号{grade}的{material}，以{process}制成。",
        "经{months}个月考核，{property}较现用件提高{percent}%。",
        "中试线成品率{yielded}%，已连续运行一年，工艺参数完整存档。",
        "牌号{grade}的{material}在室温至{kelvin} K之间循环{cycles}次后，{property}保持不变。",
        "{grade}样品经第三方检测机构检验，报告覆盖{property}与老化性能。",
        "{process}工序无需洁净间，每件{part}耗时{minutes}分钟。",
    ),
}
_ASKED = {
    "en": (
        "We need a {part} of a {material}, comparable to grade {grade}, because the part in use fails too early. ",
        "The {property} of what the market offers falls short of what our plant needs by {percent} %. ",
        "{Process} or an equal route is acceptable as long as the yield is above {yielded} %. ",
        "It has to stand {cycles} cycles up to {kelvin} K; test records on {property} are asked for. ",
        "Deliveries of {grade} samples are expected within {months} months, followed by a trial on our own rig. ",
    ),
    "zh": (
        "需求与牌号{grade}相当的{material}{part}，现用件过早失效。",
        "市场现有产品的{property}与我方工况要求相差{percent}%。",
        "可采用{process}或同等路线，成品率须高于{yielded}%。",
        "须承受至{kelvin} K的循环{cycles}次，并提供{property}试验记录。",
        "希望{months}个月内提供{grade}样品，随后在我方台架上考核。",
    ),
}
_TITLES = {
    ("technology", "en"): "{Material} {part} by {process} (grade {grade})",
    ("technology", "zh"): "{process}制备{material}{part}（{grade}）",
    ("demand", "en"): "{Part} of {material}, grade {grade} or equal",
    ("demand", "zh"): "{material}{part}（{grade}或同等牌号）",
}
_SENTENCES: dict[Kind, tuple[int, int]] = {"technology": (6, 16), "demand": (4, 10)}
"""Fewest and most sentences of a text; of about 90 characters in English and 30 in Chinese."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a record is about. A technology and a demand of one subject belong together."""

    language: Language
    material: str
    part: str
    process: str
    grade: str


def subjects(chance: random.Random) -> Iterator[Subject]:
    """Subjects without end, no two alike; Chinese and English by turns."""
    number = 0
    while True:
        for language in ("en", "zh"):
            first, second = chance.sample(_ELEMENTS[language], 2)
            compound = chance.choice(_COMPOUNDS[language])
            yield Subject(
                language=language,
                material=f"{first}-{second} {compound}" if language == "en" else f"{first}{second}基{compound}",
                part=chance.choice(_PARTS[language]),
                process=chance.choice(_PROCESSES[language]),
                grade="".join(chance.choices("BCDFGHJKLMNPQRSTVWXZ", k=3)) + str(number),
            )
            number += 1


def record(kind: Kind, id: str, subject: Subject, chance: random.Random) -> dict[str, Any]:
    """A technology's or a demand's draft of 0.5 to 2 KB, with the figures that an assessment of risk needs."""
    words = {"material": subject.material, "part": subject.part, "process": subject.process, "grade": subject.grade}
    words |= {name.capitalize(): f"{text[:1].upper()}{text[1:]}" for name, text in words.items()}
    sentences = (_OFFERED if kind == "technology" else _ASKED)[subject.language]
    # The first sentence says what it is about; the others come as they fall.
    wanted = chance.randint(*_SENTENCES[kind])
    text = "".join(_filled(each, words, subject.language, chance) for each in (sentences[0], *chance.choices(sentences, k=wanted)))
    shared = {
        "id": id,
        "language": subject.language,
        "title": _TITLES[kind, subject.language].format_map(words),
        "keywords": [subject.material, subject.part, subject.grade],
        "region": chance.choice(("CN-BJ", "CN-SH", "CN-GD", "CN-LN", "CN-HB")),
    }
    if kind == "demand":
        budget = chance.randint(2, 40) * 1_000_000
        return shared | {
            "problem": text,
            "required_trl": chance.randint(3, 7),
            "deadline": f"{chance.randint(2031, 2036)}-12-31",
            "budget": {"max": str(budget), "currency": "CNY"},
        }
    revenue = chance.randint(5, 80) * 1_000_000
    return shared | {
        "summary": text[:400],
        "description": text,
        "trl": {"level": chance.randint(3, 8)},
        "price": {"min": str(chance.randint(1, 20) * 100_000), "currency": "CNY"},
        "plan": {
            "capital": str(chance.randint(3, 60) * 1_000_000),
            "annual_revenue": str(revenue),
            "annual_cost": str(revenue * 6 // 10),
            "currency": "CNY",
            "months": chance.randint(12, 48),
            "estimate_class": chance.randint(2, 5),
        },
    }


def _filled(sentence: str, words: dict[str, str], language: Language, chance: random.Random) -> str:
    figures = {
        "months": chance.randint(3, 36),
        "percent": chance.randint(5, 90),
        "yielded": chance.randint(55, 98),
        "cycles": chance.randint(2, 90) * 100,
        "kelvin": chance.randint(4, 24) * 100,
        "minutes": chance.randint(5, 240),
        "property": chance.choice(_PROPERTIES[language]),
    }
    return sentence.format_map(words | figures)
