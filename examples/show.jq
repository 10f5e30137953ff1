# What shell/member.sh and http/member.sh print of a CloudEvent from the inbox: a line for it, and one for each thing
# that its reader has to look at.
def problems: .[] | "            \(.pointer): \(.message)";
def percent: "\(. * 100 | round) %";

.type as $type | .data
| if $type == "tongtu.receipt.v1" then
    "\("\(.outcome)           "[:11]) \(.event_id // "-"): \(.record.kind) \(.record.id), version \(.record.version)",
    (.warnings | problems)
  elif $type == "tongtu.rejection.v1" then
    "rejected    \(.event_id): \(.title)",
    (.errors | problems)
  elif $type == "tongtu.proposal.v1" then
    (.risk | if .status == "assessed" then "chance of a loss \(.p_loss | percent)" else "risk not assessed" end) as $loss
    | "proposal    \(.match_id) for \(.own.id): score \(.score | percent), \($loss)",
      "            \((.technology // .demand).title)",
      (.checks[] | select(.verdict == "unmet" and .wording) | "            unmet: \(.wording.zh) \(.wording.en)")
  else # there are more types, and there will be others: what you do not know is no error
    "\($type) \(tojson[:100])"
  end
