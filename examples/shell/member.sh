#!/usr/bin/env bash
# Takes part in Tongtu from the shell: writes events into a member's outbox and reads its inbox. See README.md.
set -euo pipefail

configuration=$1 # what `tongtu members add` hands over; the file may hold all of it
shift
proposals=${PROPOSALS:-1}        # after so many it ends
wait_seconds=${WAIT_SECONDS:-60} # or when nothing has come for so long

library=$(kcat -V | sed -n 's/.*librdkafka \([0-9.]*\).*/\1/p')
if [[ $(printf '%s\n' 2.6.1 "$library" | sort -V | head -n 1) != 2.6.1 ]]; then
  echo "kcat has librdkafka $library here, which Kafka 4 refuses as 'invalid credentials': it takes 2.6.1 or later" >&2
  exit 1
fi

group=$(sed -n 's/^group\.id=//p' "$configuration" | tail -n 1)
own=${group%.*}        # "member.<id>": the names of the group and of both topics begin so
position=$own.position # a file with the offset of the next message to handle; so no consumer group is needed

# The certificate of whom Kafka must be certified by. It is long for a line of kcat's files, and no secret.
authority=$(sed -n 's/^ssl\.ca\.pem=//p' "$configuration" | tail -n 1)
authority=${authority//\\n/$'\n'}

# kcat gets the login in a file that exists for it alone, never as an argument, which every user of the machine can see.
kafka() {
  exec kcat -q -F <(grep -E '^(bootstrap|security|sasl)\.' "$configuration" | grep -v '^sasl\.jaas') \
    ${authority:+-X "ssl.ca.pem=$authority"} -v "$@"
}

# Returns once the event is in the log on all replicas; if anything fails, send it again under the same id.
send() {
  jq -c --arg source "/members/${own##*.}" '. + {$source}' "$1" |
    kafka -P -t "$own.outbox" -p 0 -X acks=all -X enable.idempotence=true -H content-type=application/cloudevents+json
  echo "sent        $(jq -r .id "$1") to $own.outbox"
}

# Handles the next message of the inbox; fails when none has come for WAIT_SECONDS. $answered: the event it answers.
next() {
  local message event status=0
  IFS= read -r -t "$wait_seconds" -u "$inbox" message || status=$?
  if ((status > 128)); then return 1; fi
  if ((status > 0)); then exit 1; fi # kcat has ended, and has said why
  event=$(jq -c '(.headers | .[index("ce_type") + 1]) as $type | {$type, data: (.payload | fromjson)}' <<<"$message")
  jq -r -f "$here/../show.jq" <<<"$event" || exit 1 # your system does its work here; a repetition must do no harm,
  jq '.offset + 1' <<<"$message" >"$position"       # because only now the message counts as read
  answered=$(jq -r 'select(.type | test("^tongtu.(receipt|rejection).v1$")) | .data.event_id' <<<"$event")
  if [[ $event == '{"type":"tongtu.proposal.v1",'* ]]; then proposals=$((proposals - 1)); fi
}

await_answer() {
  while next; do
    if [[ $answered == "$1" ]]; then return; fi
  done
  echo "no answer to $1 in $wait_seconds s: send it again, under the same id" >&2
  exit 1
}

here=$(dirname "${BASH_SOURCE[0]}")
exec {inbox}< <(
  from=$(cat "$position" 2>/dev/null || echo beginning)
  kafka -C -u -J -t "$own.inbox" -p 0 -o "$from" -X isolation.level=read_committed \
    -X auto.offset.reset=earliest 2> >(grep -v '^% Reached end of topic' >&2)
)
trap 'kill $! 2>/dev/null || true' EXIT

for file in "$@"; do
  send "$file"
  await_answer "$(jq -r .id "$file")"
done
while ((proposals > 0)) && next; do :; done
