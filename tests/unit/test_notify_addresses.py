"""No webhook connects to an address that is not public, however it is written, resolved or changed meanwhile."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest

from services.notify.channels.addresses import Network, may_connect
from services.notify.channels.delivery import Delivered, Delivery, Failed, InboxEvent, Refused, Result
from services.notify.channels.webhook import WebhookChannel
from shared.contracts.channels import ChannelsConfigured, Webhook
from tests.receiver import Receiver, running_receiver
from tests.sealed import keys, sealed

LOOPBACK = ip_network("127.0.0.0/8")
SEALED = sealed("whsec_" + "A" * 43 + "=", "acme")
NOW = datetime(2026, 3, 21, 8, 30, tzinfo=UTC)
EVENT = InboxEvent("e1", "/services/notify", "tongtu.proposal.v1", NOW, "m1", {"match_id": "m1"})
DELIVERY = Delivery("e1/webhook", "acme", "webhook", "", EVENT, 1, NOW)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8"),
        *("168.63.129.16", "169.254.169.254", "172.16.0.1", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%lo", "fc00::1"),
        *("fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "100::1"),
        *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "2002:7f00:1::", "2002:a00:1::1"),
        *("2001:0:7f00:1::1", "localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", ""),
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]
)
def test_public_hosts_are_reached(address: str) -> None:
    assert may_connect(address)


def test_networks_that_are_allowed_are_reached_and_no_others() -> None:
    allowed = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]
    assert all(may_connect(address, allowed) for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "8.8.8.8"))
    assert not any(may_connect(address, allowed) for address in ("10.2.0.1", "127.0.0.1", "fd00:2::1", "::1"))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running


async def post(url: str, plain_targets: bool = True, allowed: Sequence[Network] = ()) -> Result:
    configuration = ChannelsConfigured(member="acme", version=1, webhook=Webhook(url=url, secrets=(SEALED,)))
    return await WebhookChannel(keys().private, 5.0, plain_targets, allowed).send(configuration, [DELIVERY])


HOSTS = [
    *("127.0.0.1", "localhost", "127.0.0.2", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost.", "①②⑦.0.0.1", "127。0。0。1"),
]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_receiver_on_this_machine_is_never_reached(host: str, receiver: Receiver) -> None:
    port = receiver.address.rpartition(":")[2]
    result = await post(f"http://{host}:{port}/hook")
    assert isinstance(result, Failed)
    assert receiver.received == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "168.63.129.16", "100.100.100.200", "10.0.0.1"])
async def test_addresses_of_metadata_and_of_private_networks_are_not_even_tried(host: str) -> None:
    result = await post(f"http://{host}/latest/meta-data/")
    assert result == Failed(f"{host.strip('[]')} is not a public address")


async def test_allowed_network_is_reached(receiver: Receiver) -> None:
    assert await post(receiver.url("hook"), allowed=[LOOPBACK]) == Delivered(200)
    assert len(receiver.received) == 1


async def test_name_that_has_come_to_mean_this_machine_is_refused_at_each_delivery(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: whatever a name meant when somebody looked at it, what it means to the socket is what counts."""
    port = int(receiver.address.rpartition(":")[2])
    asked: list[str] = []

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    results = await asyncio.gather(*(post(f"http://member.example:{port}/hook") for _ in range(2)))
    assert asked == ["member.example"] * 2  # nothing is remembered from one delivery to the next
    assert results == [Failed("127.0.0.1 is not a public address")] * 2
    assert receiver.received == []


async def test_names_that_nobody_resolves_hold_back_no_others(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, really = threading.Event(), socket.getaddrinfo

    def resolve(host: str, *arguments: Any, **options: Any) -> list[Any]:
        if host.startswith("hangs"):
            end.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no answer of any name server")
        return really(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = receiver.address.rpartition(":")[2]
    channel = WebhookChannel(keys().private, 60.0, plain_targets=True, allowed=[LOOPBACK])

    async def send(url: str) -> Result:
        configuration = ChannelsConfigured(member="acme", version=1, webhook=Webhook(url=url, secrets=(SEALED,)))
        return await channel.send(configuration, [DELIVERY])

    try:
        hanging = [asyncio.create_task(send(f"http://hangs-{n}.example/hook")) for n in range(24)]
        assert await send(f"http://localhost:{port}/hook") == Delivered(200)
        assert not any(each.done() for each in hanging)
    finally:
        end.set()
    assert await asyncio.gather(*hanging) == [Failed("its name cannot be resolved")] * 24


async def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, receiver.address)
    assert isinstance(await post("http://192.0.2.1/hook"), Failed)
    assert receiver.received == []


async def test_only_https_without_leave(receiver: Receiver) -> None:
    assert await post(receiver.url("hook"), plain_targets=False, allowed=[LOOPBACK]) == Refused(
        "the address is not https"
    )
    https = receiver.url("hook").replace("http:", "https:")
    result = await post(https, plain_targets=False, allowed=[LOOPBACK])
    assert isinstance(result, Failed)
    assert result.reason.startswith(("TLS failed", "cannot be reached"))
    assert receiver.received == []
