"""Every metric of the core, named once. Labels: `group`, the consumer group."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

records_processed = Counter(
    "tongtu_records_processed_total", "Records whose processing is committed in MongoDB", ["group"]
)
messages_published = Counter("tongtu_messages_published_total", "Messages in committed Kafka transactions", ["group"])
dead_letters = Counter("tongtu_dead_letters_total", "Records that became dead letters, by error", ["group", "error"])
handler_failures = Counter("tongtu_handler_failures_total", "Records that a handler failed on for good", ["group"])
unpublishable = Counter(
    "tongtu_unpublishable_total", "Messages that Kafka refuses for good; somebody must look", ["group"]
)
fenced = Counter("tongtu_fenced_total", "Polls rolled back because another instance owns a partition", ["group"])
take_overs = Counter("tongtu_take_overs_total", "Take-overs of an assignment, first ones and repeated ones", ["group"])
infrastructure_failures = Counter(
    "tongtu_infrastructure_failures_total", "Failures of Kafka or MongoDB that were waited out", ["group"]
)
partitions_owned = Gauge("tongtu_partitions_owned", "Partitions whose records are let through", ["group"])
partitions_held = Gauge(
    "tongtu_partitions_held", "Partitions that wait for an operator's decision (tongtu positions)", ["group"]
)
lag = Gauge(
    "tongtu_lag_records", "Offsets between the log's end and the position, over all owned partitions", ["group"]
)
transaction_seconds = Histogram(
    "tongtu_transaction_seconds", "Handlers and MongoDB transaction of one poll", ["group"], buckets=_SECONDS
)
publish_seconds = Histogram("tongtu_publish_seconds", "Kafka transaction of one poll", ["group"], buckets=_SECONDS)
