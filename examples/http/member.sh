#!/usr/bin/env bash
# Takes part in Tongtu over HTTP: posts events to the gateway and reads a member's inbox there. See README.md.
set -euo pipefail

gateway=$1       # such as https://gateway.example
configuration=$2 # what `tongtu members add` hands over; the file may hold all of it
shift 2
proposals=${PROPOSALS:-1}        # after so many it ends
wait_seconds=${WAIT_SECONDS:-60} # or after so long

here=$(dirname "${BASH_SOURCE[0]}")
position=$(basename "$configuration").cursor # a file: where to go on reading
cursor=$(cat "$position" 2>/dev/null || true)

# The token goes to curl in a file that exists for it alone, never as an argument, which every user of the machine can
# see. Answers 429 and 503 are tried again after Retry-After: the same event under the same id is taken once.
call() {
  local body status=0
  body=$(curl --silent --show-error --fail-with-body --retry 5 -H @<(grep '^Authorization: ' "$configuration") "$@") ||
    status=$?
  if ((status > 0)); then # a problem (RFC 9457) names everything that is wrong
    jq -r '"\(.title): \(.detail)", (.errors[]? | "            \(.pointer): \(.message)")' <<<"$body" >&2
    exit 1
  fi
  echo "$body"
}

# Binary mode: the attributes are headers, the body is the data. 202 means that the event is in the log.
send_binary() {
  jq -c .data "$1" | call "$gateway/v1/events" --data-binary @- -H 'Content-Type: application/json' \
    -H 'ce-specversion: 1.0' -H "ce-id: $(jq -r .id "$1")" -H "ce-type: $(jq -r .type "$1")"
}

# Structured mode: the body is the event, as it stands in the file.
send_structured() {
  call "$gateway/v1/events" --data-binary "@$1" -H 'Content-Type: application/cloudevents+json'
}

# Your system does its work here. A repetition must do no harm: a message counts as read when its cursor is kept.
handle() {
  jq -r -f "$here/../show.jq" <<<"$1"
  answered+=" $(jq -r 'select(.type | test("^tongtu.(receipt|rejection).v1$")) | .data.event_id' <<<"$1")"
  if [[ $(jq -r .type <<<"$1") == tongtu.proposal.v1 ]]; then proposals=$((proposals - 1)); fi
}

# The inbox by cursor, a page at a time; the gateway answers when there is something, or after so many seconds.
read_page() {
  local page event
  page=$(call "$gateway/v1/inbox?limit=100&wait=$1${cursor:+&cursor=$cursor}")
  while IFS= read -r event; do handle "$event"; done < <(jq -c '.events[]' <<<"$page")
  cursor=$(jq -r .next <<<"$page")
  echo "$cursor" >"$position"
}

await_answer() {
  local end=$((SECONDS + wait_seconds))
  answered=
  while ((SECONDS < end)); do
    read_page 5
    if [[ "$answered " == *" $1 "* ]]; then return; fi
  done
  echo "no answer to $1 in $wait_seconds s: send it again, under the same id" >&2
  exit 1
}

# The inbox as server-sent events: `id` is the cursor, `data` the message. Whatever ends the stream, it goes on there.
follow() {
  local line end=$((SECONDS + wait_seconds))
  while ((proposals > 0 && SECONDS < end)); do
    exec {stream}< <(exec curl --silent --show-error --fail --no-buffer -H @<(grep '^Authorization: ' "$configuration") \
      ${cursor:+-H "Last-Event-ID: $cursor"} "$gateway/v1/inbox/stream")
    while ((proposals > 0 && SECONDS < end)) && IFS= read -r -t "$((end - SECONDS))" -u "$stream" line; do
      case $line in
        'id: '*) cursor=${line#id: } ;;
        'data: '*) handle "${line#data: }" && echo "$cursor" >"$position" ;;
      esac
    done
    kill $! 2>/dev/null || sleep 2 # it has ended by itself: not again at once
    exec {stream}<&-
  done
}

send=send_binary
for file in "$@"; do
  "$send" "$file" | jq -r '.events[] | "sent        \(.id) from \(.source)"'
  await_answer "$(jq -r .id "$file")"
  send=send_structured # either will do; both are here to be seen
done
read_page 0
follow
