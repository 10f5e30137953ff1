"""Every metric of deliveries, named once. `channel`: webhook, email or digest."""

from prometheus_client import Counter, Gauge, Histogram

attempts = Counter(
    "tongtu_notify_delivery_attempts_total", "Tries of deliveries, by what came of them", ["channel", "outcome"]
)
deliveries = Counter(
    "tongtu_notify_deliveries_total", "Deliveries that are finished: delivered or given-up", ["channel", "outcome"]
)
waiting = Gauge("tongtu_notify_deliveries_waiting", "Deliveries and digests that are not finished, of all processes")
pauses = Counter("tongtu_notify_endpoint_pauses_total", "Times that a dead endpoint was begun to be left alone")
seconds = Histogram(
    "tongtu_notify_delivery_seconds",
    "One try, from the look-up of a name to the answer",
    ["channel"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
)
lag = Histogram(
    "tongtu_notify_delivery_lag_seconds",
    "From the moment that a delivery was first due to the one at which it was taken",
    ["channel"],
    buckets=(0.1, 0.5, 1, 5, 30, 300, 3_600, 21_600, 86_400, 432_000),
)
