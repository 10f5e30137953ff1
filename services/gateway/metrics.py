"""Every metric of the gateway, named once."""

from prometheus_client import Counter, Gauge, Histogram

answers = Counter("tongtu_gateway_answers_total", "Answers, by operation and status", ["operation", "status"])
events_accepted = Counter("tongtu_gateway_events_accepted_total", "Events that Kafka has acknowledged")
acknowledge_seconds = Histogram(
    "tongtu_gateway_acknowledge_seconds",
    "From the whole request in hand to Kafka's acknowledgement",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
events_delivered = Counter("tongtu_gateway_events_delivered_total", "Inbox messages handed to their readers")
streams = Gauge("tongtu_gateway_streams", "Streams and waiting reads that are open")
slow_readers = Counter("tongtu_gateway_slow_readers_total", "Streams ended because their reader did not take anything")
refused_connections = Counter("tongtu_gateway_refused_connections_total", "Connections refused or cut, by why", ["why"])
waiting_bytes = Gauge("tongtu_gateway_waiting_bytes", "Bytes of records that Kafka has not acknowledged yet")
received_bytes = Gauge("tongtu_gateway_received_bytes", "Bytes of requests that are being received or handled")
members = Gauge("tongtu_gateway_members", "Members with at least one token")
