"""Takes part in Tongtu from Python: writes events into a member's outbox and reads its inbox. See README.md."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

PROPOSALS = int(os.environ.get("PROPOSALS", "1"))  # after so many it ends
WAIT_SECONDS = float(os.environ.get("WAIT_SECONDS", "60"))  # or when nothing has come for so long
RECEIPT, REJECTION, PROPOSAL = "tongtu.receipt.v1", "tongtu.rejection.v1", "tongtu.proposal.v1"


def settings(file: str) -> dict[str, Any]:
    """The lines for librdkafka from what `tongtu members add` hands over; the file may hold all of it."""
    with open(file, encoding="utf-8") as lines:
        named = dict(line.strip().split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    for name in ("sasl.jaas.config", "ssl.truststore.type", "ssl.truststore.certificates"):
        named.pop(name, None)  # the same, as clients in Java want it
    if "ssl.ca.pem" in named:
        named["ssl.ca.pem"] = named["ssl.ca.pem"].replace(r"\n", "\n")
    return named | {"error_cb": refused}


def refused(error: KafkaError) -> None:
    """librdkafka tries to connect again and again; with a wrong password, or to a stranger, that leads nowhere."""
    if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
        raise KafkaException(error)


def send(producer: Producer, outbox: str, event: CloudEvent) -> None:
    """Returns once the event is in the log on all replicas; if anything fails, send it again under the same id."""

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            raise KafkaException(error)

    message = kafka.to_binary_event(event)
    producer.produce(
        outbox, message.value, key=event.get_subject(), headers=list(message.headers.items()), on_delivery=delivered
    )
    producer.flush()
    print(f"sent        {event.get_id()} to {outbox}", flush=True)


def letters(consumer: Consumer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Type and data of the inbox's messages in order, each once it is handled; ends after WAIT_SECONDS without one."""
    while message := consumer.poll(WAIT_SECONDS):
        if message.error():
            raise KafkaException(message.error())
        event = kafka.from_kafka_event(kafka.KafkaMessage(dict(message.headers()), message.key(), message.value()))
        letter: Any = event.get_type(), event.get_data()
        show(*letter)  # your system does its work here; a repetition must do no harm,
        consumer.commit(message, asynchronous=False)  # because only now the message counts as read
        yield letter


def show(type: str, data: dict[str, Any]) -> None:
    """One line for a message, and one for each thing that its reader has to look at."""
    if type == RECEIPT:
        record, event_id = data["record"], data["event_id"] or "-"
        print(f"{data['outcome']:<11} {event_id}: {record['kind']} {record['id']}, version {record['version']}")
        print_problems(data["warnings"])
    elif type == REJECTION:
        print(f"rejected    {data['event_id']}: {data['title']}")
        print_problems(data["errors"])
    elif type == PROPOSAL:
        other, risk = data["technology"] or data["demand"], data["risk"]
        loss = f"chance of a loss {100 * risk['p_loss']:.0f} %" if risk["status"] == "assessed" else "risk not assessed"
        print(f"proposal    {data['match_id']} for {data['own']['id']}: score {100 * data['score']:.0f} %, {loss}")
        print(f"            {other['title']}")
        for check in data["checks"]:
            if check["verdict"] == "unmet" and check["wording"]:
                print(f"            unmet: {check['wording']['zh']} {check['wording']['en']}")
    else:  # there are more types, and there will be others: what you do not know is no error
        print(f"{type} {json.dumps(data, ensure_ascii=False)[:100]}")
    sys.stdout.flush()


def print_problems(problems: list[dict[str, Any]]) -> None:
    """Which field, and what to do."""
    for problem in problems:
        print(f"            {problem['pointer']}: {problem['message']}")


def exchange(login: dict[str, Any], paths: list[str]) -> str | None:
    """Sends each event and waits for its answer, then reads on until there were enough proposals; what went wrong."""
    reading = {name: login.pop(name) for name in ("group.id", "isolation.level")}
    own = reading["group.id"].rpartition(".")[0]  # "member.<id>": the names of the group and of both topics begin so
    source = f"/members/{own.rpartition('.')[2]}"
    producer = Producer({**login, "acks": "all", "enable.idempotence": True})
    consumer = Consumer({**login, **reading, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([f"{own}.inbox"])
    inbox = letters(consumer)
    proposals = 0
    for path in paths:
        with open(path, encoding="utf-8") as text:
            given = json.load(text)
        content = given.pop("data")
        event = CloudEvent({"source": source, "datacontenttype": "application/json", **given}, content)
        send(producer, f"{own}.outbox", event)
        for type, data in inbox:
            proposals += type == PROPOSAL
            if type in (RECEIPT, REJECTION) and data["event_id"] == event.get_id():
                break
        else:
            return f"no answer to {event.get_id()} in {WAIT_SECONDS:.0f} s: send it again, under the same id"
    while proposals < PROPOSALS and (letter := next(inbox, None)):
        proposals += letter[0] == PROPOSAL
    consumer.close()
    return None


if __name__ == "__main__":
    login = settings(sys.argv[1])
    try:
        sys.exit(exchange(login, sys.argv[2:]))
    except KafkaException as problem:
        sys.exit(f"Kafka tells {login['sasl.username']}: {problem.args[0].str()}")
