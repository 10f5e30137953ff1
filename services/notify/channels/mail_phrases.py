"""The sentences of a mail in Chinese and in English; names in braces are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from services.notify.channels.letter import Language
from services.notify.channels.mail_wording import Said

PHRASES: Mapping[str, Said] = MappingProxyType(
    {
        "name": Said("通途", "Tongtu"),
        "subject": Said("【通途】{about}", "[Tongtu] {about}"),
        # a proposal
        "proposal_to_demand_subject": Said(
            "为您的需求推荐技术：{title}（{score}）", "A technology for your demand: {title} ({score})"
        ),
        "proposal_to_technology_subject": Said(
            "有需求与您的技术匹配：{title}（{score}）", "A demand for your technology: {title} ({score})"
        ),
        "proposal_to_demand": Said(
            "为您的需求 {own}（版本 {version}）推荐以下技术。在双方都接受之前，对方与您均为匿名。",
            "This technology is proposed for your demand {own} (version {version}). Both of you stay unnamed until "
            "both accept.",
        ),
        "proposal_to_technology": Said(
            "以下需求与您的技术 {own}（版本 {version}）匹配。在双方都接受之前，对方与您均为匿名。",
            "Your technology {own} (version {version}) is proposed for this demand. Both of you stay unnamed until "
            "both accept.",
        ),
        "score": Said("匹配分数", "score"),
        "score_text": Said(
            "{score}（校准后的相关概率，方法版本 {method}）",
            "{score} (calibrated probability of relevance, method version {method})",
        ),
        "score_note": Said(
            "分数是双方相配的概率：得到此分数的 100 对中，预计约 {of_100} 对相配。"
            "实测在多大程度上成立、何处不成立，见文档 How good matching is。",
            "The score is the probability that the two belong together: of 100 pairs with this score, about {of_100} "
            "should. How far that held when it was measured, and where it did not, is told by the page How good "
            "matching is of the documentation.",
        ),
        "the_technology": Said("对方的技术", "The technology"),
        "the_demand": Said("对方的需求", "The demand"),
        "meets": Said("契合之处", "Where they meet"),
        "shared_terms": Said("共同用语", "terms of both"),
        "missing_terms": Said("技术未提及的需求用语", "terms of the demand that the technology does not use"),
        "passage_technology": Said("技术原文", "the technology says"),
        "passage_demand": Said("需求原文", "the demand says"),
        "checks": Said("逐项核对", "Checks"),
        # its risk
        "risk": Said("风险", "Risk"),
        "risk_figures": Said(
            "共享风险模型 {version} 版，{draws} 次抽样，种子 {seed}；同一输入与同一版本得到相同数字。",
            "Shared risk model, version {version}, {draws} draws, seed {seed}; the same input and version give the "
            "same figures.",
        ),
        "p_success": Said("余下 {count} 个阶段全部通过的概率", "chance to pass all {count} stages that are left"),
        "npv": Said("净现值（含失败情形，折现至今日）", "net present value (failures included, as of today)"),
        "npv_text": Said(
            "P10 {p10}，P50 {p50}，P90 {p90}，均值 {mean}", "P10 {p10}, P50 {p50}, P90 {p90}, mean {mean}"
        ),
        "p_loss": Said("亏损概率（净现值小于零的抽样占比）", "chance of a loss (share of the draws below zero)"),
        "var95": Said("风险价值（95% 的情形亏损不超过）", "value at risk (95 % of the draws lose no more)"),
        "cvar95": Said("最差 5% 情形的平均亏损", "mean loss of the worst 5 %"),
        "option_value": Said("可在各关口中止的价值（已计入均值）", "value of being free to stop (part of the mean)"),
        "months": Said("距投产月数", "months to production"),
        "months_text": Said("P10 {p10}，P50 {p50}，P90 {p90}", "P10 {p10}, P50 {p50}, P90 {p90}"),
        "evidence": Said("依据", "evidence"),
        "evidence_text": Said(
            "先验相当于 {prior} 个结果，实际回报的结果 {outcomes} 个；先验并非证据",
            "a prior worth {prior} outcomes, and {outcomes} that were reported; a prior is not evidence",
        ),
        "assumed": Said("记录未提供、由模型假设的数值", "numbers that the records do not give and the model assumes"),
        "assumed_text": Said("{count} 个，逐项列于收件箱消息", "{count}, each named in the inbox message"),
        "quantiles_note": Said(
            "P10：十分之一的情形低于此数；P50：一半；P90：十分之九。这是模型推算，不是承诺，也不构成投资建议。",
            "P10: one course in ten ends below it; P50: half of them; P90: nine in ten. This is a model's forecast: no "
            "promise and no investment advice.",
        ),
        "not_assessed": Said("无法评估：{reason}。", "It cannot be assessed: {reason}."),
        "not_assessed_missing": Said("缺少的数值：{missing}", "Missing: {missing}"),
        "risk_short": Said(
            "风险：成功 {success}，亏损 {loss}，净现值 P10 {p10}、P50 {p50}、P90 {p90}（模型 {version} 版）",
            "Risk: success {success}, loss {loss}, net present value P10 {p10}, P50 {p50}, P90 {p90} "
            "(model version {version})",
        ),
        # how to answer
        "answer": Said("如何答复", "How to answer"),
        "answer_text": Said(
            "匹配编号 {match_id}。把下面的事件写入您的发件箱主题 member.{member}.outbox，"
            "或提交到 HTTP 网关的 POST /v1/events（Content-Type: application/cloudevents+json）；"
            "id 请换成您自己的新编号。",
            "Match {match_id}. Write the event below into your outbox topic member.{member}.outbox, or POST it to "
            "/v1/events of the HTTP gateway (Content-Type: application/cloudevents+json); replace the id by a new one "
            "of your own.",
        ),
        "answer_decline": Said(
            '不接受时写 "decision": "declined" 并加上 "reason"：{reasons}。理由和 "comment" 会作为反馈转给对方。',
            'To decline, write "decision": "declined" and add a "reason": {reasons}. The reason and a "comment" go to '
            "the other side as feedback.",
        ),
        "answer_each": Said(
            "每条推荐各用其匹配编号答复，例如：", "Each proposal is answered by its own match id, for example:"
        ),
        "answer_id": Said("换成您的新编号", "A-NEW-ID-OF-YOUR-OWN"),
        # answers
        "mutual_subject": Said("双方均已接受：{own}", "Both sides accept: {own}"),
        "mutual": Said(
            "双方都接受了匹配 {match_id}（您的记录 {own}，对方的记录 {other}）。对方是：",
            "Both of you accept match {match_id} (your record {own}, theirs {other}). The other side is:",
        ),
        "declined_subject": Said("对方未接受：{own}", "The other side declines: {own}"),
        "declined": Said(
            "对方未接受匹配 {match_id}（您的记录 {own}）。理由：{reason}。对方仍为匿名。",
            "The other side declines match {match_id} for your record {own}. Its reason: {reason}. It stays unnamed.",
        ),
        "reminder_subject": Said("请在 {day} 前答复：{own}", "Please answer before {day}: {own}"),
        "reminder": Said(
            "匹配 {match_id}（您的记录 {own}）仍在等待您的答复。{day}（UTC）仍无答复，推荐即失效。",
            "Match {match_id} for your record {own} waits for your answer. Without one it lapses on {day} (UTC).",
        ),
        "comment": Said("附言", "comment"),
        "organisation": Said("机构", "organisation"),
        "uscc": Said("统一社会信用代码", "unified social credit code"),
        "contact": Said("联系人", "contact"),
        # what is taken back, not found, refused
        "withdrawn_subject": Said("推荐已撤回：{own}", "A proposal is taken back: {own}"),
        "withdrawn": Said(
            "推荐 {match_id}（您的记录 {own}）已不再成立，无需答复。",
            "Proposal {match_id} for your record {own} no longer holds. No answer is needed.",
        ),
        "lapsed": Said(
            "推荐 {match_id}（您的记录 {own}）未在期限内得到双方答复，已失效。",
            "Proposal {match_id} for your record {own} has lapsed: not both sides answered in time.",
        ),
        "no_match_subject": Said("暂无合适的技术：{own}", "No good match yet: {own}"),
        "no_match": Said(
            "已为您的需求 {own}（版本 {version}）检索 {searched} 项技术，没有一项达到阈值 {threshold}"
            "（方法版本 {method}）。需求保持开放，有合适的技术时会通知您。",
            "{searched} technologies were searched for your demand {own} (version {version}); none reaches the "
            "threshold of {threshold} (method version {method}). The demand stays open, and you are told when "
            "something fits.",
        ),
        "nearest": Said("最接近的一项：{title}（{score}）。", "What came nearest: {title} ({score})."),
        "rejection_subject": Said("消息被退回：{about}", "A message was not taken: {about}"),
        "rejection": Said("您的一条消息未被接收：{title}", "A message of yours was not taken: {title}"),
        "rejection_again": Said("请更正后以新的 id 重新发送。", "Correct it and send it again under a new id."),
        "whole": Said("整条消息", "the whole message"),
        "receipt_subject": Said("回执：{about}，{outcome}", "Receipt: {about}, {outcome}"),
        "receipt": Said("{kind} {about}：{outcome}。", "{kind} {about}: {outcome}."),
        "warnings": Said("提示", "Warnings"),
        "other_subject": Said("收件箱中的新消息：{type}", "A message in your inbox: {type}"),
        "other": Said(
            "收件箱中有一条消息，本邮件按原样列出其内容。",
            "There is a message in your inbox. This mail lists what it says as it is.",
        ),
        # rows of facts
        "summary": Said("摘要", "summary"),
        "keywords": Said("关键词", "keywords"),
        "strategic_fields": Said("战略领域", "strategic fields"),
        "industries": Said("行业（GB/T 4754-2017）", "industry (GB/T 4754-2017)"),
        "region": Said("地区", "region"),
        "organisation_kind": Said("机构类型", "kind of organisation"),
        "trl": Said("技术成熟度（TRL，1–9）", "readiness (TRL, 1-9)"),
        "mrl": Said("制造成熟度（MRL，1–10）", "manufacturing readiness (MRL, 1-10)"),
        "ipr": Said("知识产权", "protection"),
        "transfer": Said("转让方式", "ways of transfer"),
        "price": Said("价格", "price"),
        "required_trl": Said("要求的技术成熟度（TRL，1–9）", "readiness asked (TRL, 1-9)"),
        "deadline": Said("期限", "deadline"),
        "budget": Said("预算", "budget"),
        "targets": Said("指标", "targets"),
        "cooperation": Said("合作方式", "ways to cooperate"),
        "priority": Said("需求级别", "level of the need"),
        "record": Said("记录", "record"),
        "event": Said("消息 id", "message id"),
        "type": Said("类型", "type"),
        "match": Said("匹配编号", "match"),
        "own_record": Said("您的记录", "your record"),
        "inbox_message": Said("收件箱消息", "inbox message"),
        # a digest
        "digest_subject": Said("{day} 摘要：{counts}", "{day}: {counts}"),
        "digest_heading": Said("{day} 摘要", "Digest of {day}"),
        "digest_intro": Said("自上次摘要以来：{counts}。", "Since the last digest: {counts}."),
        "digest_proposals": Said("新的推荐（优先者在前）", "New proposals, best first"),
        "digest_withdrawn": Said("已撤回的推荐", "Taken back"),
        "digest_no_match": Said("暂无合适技术的需求", "Demands without a match"),
        "digest_answers": Said("答复", "Answers"),
        "digest_others": Said("其他消息", "Other messages"),
        "digest_more": Said("另有 {count} 条，见收件箱。", "And {count} more, in your inbox."),
        "count_proposals": Said("推荐 {count} 条", "proposals: {count}"),
        "count_withdrawn": Said("撤回 {count} 条", "taken back: {count}"),
        "count_no_match": Said("暂无匹配 {count} 条", "without a match: {count}"),
        "count_answers": Said("答复 {count} 条", "answers: {count}"),
        "count_others": Said("其他 {count} 条", "others: {count}"),
        # the end
        "footer_inbox": Said(
            "本邮件由通途自动生成，发给成员 {member} 登记的地址；"
            "收件箱主题 member.{member}.inbox 中有全部消息，以其为准。",
            "Tongtu wrote this mail by itself to an address that member {member} has named. The inbox topic "
            "member.{member}.inbox has every message, and what it says counts.",
        ),
        "footer_preferences": Said(
            "更改地址、语言、摘要时间、静默时段或接收范围：请让平台运营方执行 tongtu members channels {member}。",
            "To change addresses, language, time of the digest, quiet hours, or what is sent: ask the operator of the "
            "platform to use `tongtu members channels {member}`.",
        ),
        "footer_no_reply": Said(
            "请勿回复本邮件，回复不会被读取。", "Please do not reply: nobody reads what is sent to this address."
        ),
    }
)


def phrase(name: str, language: Language, **filled: str | int) -> str:
    """One of them, filled in."""
    said: str = getattr(PHRASES[name], language)
    return said.format_map(filled)
