"""Every metric of intake, named once."""

from prometheus_client import Counter

messages_taken = Counter("tongtu_intake_messages_taken_total", "Messages of members that were in order", ["outcome"])
messages_rejected = Counter(
    "tongtu_intake_messages_rejected_total",
    "Messages of members that were not taken; not-a-party means that somebody spoke about a match of others",
    ["problem"],
)
topics_ignored = Counter(
    "tongtu_intake_topics_ignored_total", "Messages in a topic whose name holds no member id: nobody can be answered"
)
