"""The headings and sentences of a report in Chinese and English; names in braces are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tongtu.risk_report.wording import Language, Said

PHRASES: Mapping[str, Said] = MappingProxyType(
    {
        "heading": Said("风险评估报告", "Risk assessment"),
        "technology": Said("技术", "Technology"),
        "demand": Said("需求", "Demand"),
        "match": Said("匹配编号", "Match"),
        "summary": Said(
            "按共享风险模型 {version} 的 {draws} 次抽样：全部阶段通过的概率为 {success}；净现值中位数 {p50}，"
            "八成情形落在 {p10} 至 {p90} 之间；亏损概率 {loss}。走到投产需 {months} 个月（中位数）。",
            "In {draws} draws of the shared risk model {version}, all stages are passed with a probability of "
            "{success}; the median net present value is {p50}, and eight outcomes in ten lie between {p10} and {p90}; "
            "the probability of a loss is {loss}. The way to production takes {months} months (median).",
        ),
        "npv_mean": Said("净现值均值", "net present value, mean"),
        "npv_mean_note": Said("含失败情形，折现至今日", "failures included, discounted to today"),
        "npv_p50": Said("净现值中位数", "net present value, median"),
        "range_note": Said("P10–P90：{low} 至 {high}", "P10 to P90: {low} to {high}"),
        "p_loss": Said("亏损概率", "probability of a loss"),
        "p_loss_note": Said("净现值小于零的抽样占比", "share of the draws below zero"),
        "p_success": Said("全部阶段通过", "success of all stages"),
        "p_success_note": Said("余下 {count} 个阶段", "{count} stages are left"),
        "var95": Said("风险价值（95%）", "value at risk, 95 %"),
        "var95_note": Said("95% 的情形亏损不超过此数", "95 % of the draws lose no more"),
        "cvar95": Said("条件风险价值（95%）", "mean loss of the worst 5 %"),
        "cvar95_note": Said("最差 5% 情形的平均亏损（CVaR）", "conditional value at risk (CVaR)"),
        "months": Said("距投产（月）", "months to production"),
        "option_value": Said("可中止的价值", "value of the option to stop"),
        "option_value_note": Said("因可在各关口停止而增加的期望值", "what freedom to stop adds"),
        "distribution": Said("净现值分布（{currency}）", "Net present value ({currency})"),
        "distribution_note": Said(
            "橙色为亏损，蓝色为盈利；虚线为 P10 与 P90，实线为中位数。柱高为抽样数，量程之外的抽样计入两端。",
            "Orange is a loss, blue a gain; dashed lines are P10 and P90, the whole line is the median. Bars count "
            "draws; those beyond the scale are in its last bars.",
        ),
        "quantiles_note": Said(
            "线自 P5 至 P10，方框为 P10 至 P90，粗线为中位数。只画已知的分位数。",
            "A line from P5 to P10, a box from P10 to P90, a bar at the median. Only known quantiles are drawn.",
        ),
        "timeline": Said("各阶段与时间（月）", "Stages and time (months)"),
        "timeline_note": Said(
            "条形为工期中位数，细线为 P10–P90；右列为通过该阶段的概率，以及走到这一步的概率。",
            "Bars are medians, thin lines P10 to P90; at the right the chance to pass the stage, and to get so far.",
        ),
        "timeline_months": Said("中位数 (P10–P90)", "median (P10–P90)"),
        "timeline_reached": Said("通过 → 累计", "pass → so far"),
        "drivers": Said("不确定性来自何处", "What drives the spread"),
        "drivers_note": Said(
            "各输入单独解释的净现值方差占比（一阶 Sobol 指数），合计 {total}；其余来自多个输入的共同作用。",
            "Share of the variance of the net present value that each input explains alone (first-order Sobol "
            "indices), {total} together; the rest is from inputs acting together.",
        ),
        "missing": Said("补充哪些信息最有用", "What would narrow the range most"),
        "missing_note": Said(
            "若确知该项、其余不变，P10–P90 区间缩窄的比例。",
            "By how much knowing it, and nothing else, would narrow P10 to P90.",
        ),
        "evidence": Said("依据", "Evidence"),
        "evidence_text": Said(
            "各阶段通过概率的依据：先验相当于 {prior} 个结果，另有 {outcomes} 个实际结果。先验来自公开文献，"
            "并非证据；成员回报的结果越多，先验的作用越小。",
            "The stages' probabilities rest on a prior worth {prior} outcomes and on {outcomes} outcomes that were "
            "reported. A prior is not evidence: the more outcomes members report, the less it counts.",
        ),
        "method": Said("方法", "Method"),
        "method_text": Said(
            "模型版本 {version}，{draws} 次抽样（加扰 Sobol 序列），种子 {seed}。"
            "同一输入与同一版本在任何机器上得到相同数字；tongtu risk model show 列出全部参数及出处。",
            "Model version {version}, {draws} draws (scrambled Sobol sequence), seed {seed}. The same input and "
            "version give the same figures on any machine; `tongtu risk model show` lists every parameter with its "
            "source.",
        ),
        "assumptions": Said("记录未提供、由模型假设的数值", "Assumed, because the records do not say it"),
        "no_assumptions": Said("没有假设任何数值。", "Nothing was assumed."),
        "assumption": Said("项目", "what"),
        "assumed_value": Said("取值", "value"),
        "sources": Said("出处（文献保留原文）", "Sources"),
        "footer": Said(
            "本页为模型推算，不是承诺，也不构成投资建议。生成日期 {date}。",
            "This page is a model's forecast: no promise and no investment advice. Made on {date}.",
        ),
    }
)


def phrase(name: str, language: Language, **filled: str | int) -> str:
    """One of them, filled in."""
    said: str = getattr(PHRASES[name], language)
    return said.format_map(filled)
