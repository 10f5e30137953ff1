"""E-mail through a real SMTP server: what it takes, refuses, puts off, and what is sent again under the same id."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme

from services.notify.channels.delivery import Delivered, Failed, Refused, Result
from services.notify.channels.mail import EmailChannel
from services.notify.settings import NotifySettings
from shared.contracts.channels import ChannelsConfigured, Email
from shared.contracts.events import NoMatch, Proposal, ProposalWithdrawn
from tests.mail_examples import ANN, MEMBER, delivery
from tests.smtp_server import PASSWORD, USER, Behaviour, SmtpServer, smtp_server

BO = "bo@motors.example"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with smtp_server() as running:
        yield running


def settings(server: SmtpServer, **chosen: Any) -> NotifySettings:
    given = {"smtp_host": server.host, "smtp_port": server.port, "smtp_from": "tongtu@platform.example"}
    return NotifySettings.model_validate({"smtp_security": "none", **given, **chosen})


def configured(*addresses: str, language: str = "zh", digest_at: str | None = None) -> ChannelsConfigured:
    email = Email(addresses=addresses or (ANN,), language=language, digest_at=digest_at)
    return ChannelsConfigured(member=MEMBER, version=1, email=email)


def parts(mail: EmailMessage) -> tuple[str, str]:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


async def test_a_mail_says_in_two_ways_what_the_inbox_message_says(server: SmtpServer) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert await EmailChannel(settings(server)).send(configured(), [delivery()]) == Delivered(250)
    (mail,) = server.mails
    assert server.envelopes == [("tongtu@platform.example", [ANN], False)]
    assert str(mail["Subject"]) == "【通途】为您的需求推荐技术：硫化物固态电解质薄膜卷对卷制备技术（83%）"
    assert mail["From"].addresses[0].addr_spec == "tongtu@platform.example"
    assert [each.addr_spec for each in mail["To"].addresses] == [ANN]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert before <= mail["Date"].datetime <= datetime.now(UTC)
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert {part.get_content_charset() for part in mail.iter_parts()} == {"utf-8"}
    for said in parts(mail):
        assert "b64a1f0c93d7e8524c11aa09" in said
        assert "tongtu.match.answered.v1" in said


async def test_nothing_beyond_ascii_is_left_to_servers_on_the_way(server: SmtpServer) -> None:
    assert await EmailChannel(settings(server)).send(configured(), [delivery()]) == Delivered(250)
    assert bytes(server.mails[0]).isascii()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # the server does not know TLS at once
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_it_logs_in_over_tls_only(security: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    login = {"smtp_user": USER, "smtp_password_file": tmp_path / "password", "smtp_security": security}
    with smtp_server(tls=context, starttls=security == "starttls") as server:
        stranger = await EmailChannel(settings(server, **login)).send(configured(), [delivery()])
        assert isinstance(stranger, Failed), "no authority of the system knows the server"
        assert server.logins == []
        channel = EmailChannel(settings(server, smtp_ca=tmp_path / "ca.pem", **login))
        assert await channel.send(configured(), [delivery()]) == Delivered(250)
        assert server.envelopes[0][2], "by TLS"
        (tmp_path / "password").write_text("another one")
        kept_out = await channel.send(configured(), [delivery(number=2)])
        assert isinstance(kept_out, Failed), "an operator can put that right"
        assert kept_out.status == 535
        assert server.logins[0] == f"{USER} let in"
        assert set(server.logins[1:]) == {f"{USER} kept out"}
        without = await EmailChannel(settings(server, smtp_ca=tmp_path / "ca.pem", smtp_security=security)).send(
            configured(), [delivery()]
        )
        assert isinstance(without, Failed)
        assert without.status == 530
    assert PASSWORD not in caplog.text + repr(channel.__dict__) + repr(settings(server, **login))


async def test_a_server_that_does_not_turn_to_tls_gets_nothing(server: SmtpServer) -> None:
    result = await EmailChannel(settings(server, smtp_security="starttls")).send(configured(), [delivery()])
    assert isinstance(result, Failed)
    assert server.envelopes == []


async def test_an_address_that_is_refused_loses_no_other(server: SmtpServer) -> None:
    server.behaviour.recipients[ANN] = ["550 5.1.1 no such user"]
    channel = EmailChannel(settings(server))
    both = configured(ANN, BO)
    assert await channel.send(both, [delivery(target=ANN)]) == Refused("550 5.1.1 no such user", status=550)
    assert await channel.send(both, [delivery(target=BO)]) == Delivered(250)
    assert [envelope[1] for envelope in server.envelopes] == [[BO]]


async def test_greylisting_is_waited_for_and_not_held_against_the_server(server: SmtpServer) -> None:
    server.behaviour.recipients[ANN] = ["451 4.7.1 try again later"]
    channel = EmailChannel(settings(server))
    put_off = await channel.send(configured(), [delivery()])
    assert put_off == Failed("451 4.7.1 try again later", status=451, alive=True)
    assert await channel.send(configured(), [delivery()]) == Delivered(250)
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(data=["554 5.7.1 looks like spam"]), Refused("554 5.7.1 looks like spam", status=554)),
        (Behaviour(data=["451 4.3.0 full"]), Failed("451 4.3.0 full", status=451)),
        (Behaviour(sender="550 5.7.1 not your address"), Failed("550 5.7.1 not your address", status=550)),
        (Behaviour(sender="552 5.3.4 too large"), Refused("552 5.3.4 too large", status=552)),
        (Behaviour(recipients={ANN: ["421 4.3.2 closing"]}), Failed("421 4.3.2 closing", status=421)),
        (Behaviour(recipients={ANN: ["530 5.7.0 log in"]}), Failed("530 5.7.0 log in", status=530)),
    ],
)
async def test_what_a_server_says_for_good_and_for_now(behaviour: Behaviour, expected: Result) -> None:
    with smtp_server(behaviour) as server:
        assert await EmailChannel(settings(server)).send(configured(), [delivery()]) == expected
        assert server.mails == []


@pytest.mark.parametrize("where", ["rcpt", "data"])
async def test_a_server_that_hangs_is_left(where: Any) -> None:
    with smtp_server(Behaviour(hangs=where)) as server:
        result = await EmailChannel(settings(server, smtp_seconds=0.5)).send(configured(), [delivery()])
    assert isinstance(result, Failed)
    assert "0.5 seconds" in result.reason
    assert not result.alive


async def test_nobody_listens(server: SmtpServer, unused_tcp_port: int) -> None:
    result = await EmailChannel(settings(server, smtp_port=unused_tcp_port)).send(configured(), [delivery()])
    assert isinstance(result, Failed)
    assert "SMTPConnectError" in result.reason


async def test_a_mail_of_which_nobody_knows_whether_it_was_taken_comes_again_under_the_same_id(
    server: SmtpServer,
) -> None:
    server.behaviour.hangs_up_after_data = 1
    channel = EmailChannel(settings(server))
    assert isinstance(await channel.send(configured(), [delivery()]), Failed)
    assert await channel.send(configured(), [delivery()]) == Delivered(250)
    assert await channel.send(configured(), [delivery(number=2)]) == Delivered(250)
    first, again, other = (mail["Message-ID"] for mail in server.mails)
    assert first == again
    assert other != first


async def test_a_digest_is_one_mail_and_comes_again_under_the_same_id(server: SmtpServer) -> None:
    server.behaviour.hangs_up_after_data = 1
    batch = [
        delivery(Proposal, 1, "digest", match_id="m1"),
        delivery(Proposal, 2, "digest", match_id="m2", order=0.9),
        delivery(NoMatch, 3, "digest"),
        delivery(ProposalWithdrawn, 4, "digest", match_id="m1"),
    ]
    channel = EmailChannel(settings(server))
    daily = configured(language="en", digest_at="08:00")
    assert isinstance(await channel.send(daily, batch), Failed)
    assert await channel.send(daily, batch) == Delivered(250)
    first, again = server.mails
    assert first["Message-ID"] == again["Message-ID"]
    assert str(again["Subject"]) == "[Tongtu] 2026-03-26: proposals: 1, without a match: 1"
    assert "m2" in parts(again)[0]
    assert "m1" not in parts(again)[0]


async def test_a_digest_of_which_nothing_is_left_is_no_mail(server: SmtpServer) -> None:
    batch = [delivery(Proposal, 1, "digest"), delivery(ProposalWithdrawn, 2, "digest")]
    assert await EmailChannel(settings(server)).send(configured(digest_at="08:00"), batch) == Delivered()
    assert server.mails == []


async def test_an_address_that_was_taken_out_is_not_written_to(server: SmtpServer) -> None:
    channel = EmailChannel(settings(server))
    assert isinstance(await channel.send(configured(BO), [delivery(target=ANN)]), Refused)
    without = ChannelsConfigured(member=MEMBER, version=2)
    assert isinstance(await channel.send(without, [delivery(target=ANN)]), Refused)
    assert server.mails == []


async def test_a_domain_may_be_in_other_scripts(server: SmtpServer) -> None:
    written = "ann@例子.example"
    assert await EmailChannel(settings(server)).send(configured(written), [delivery(target=written)]) == Delivered(250)
    assert server.envelopes[0][1] == ["ann@xn--fsqu00a.example"]


@pytest.mark.parametrize(
    "written", ["a..b@motors.example", "张@motors.example", "ann@motors..example", "ann\x07@x.example"]
)
async def test_what_is_no_address_is_refused(server: SmtpServer, written: str) -> None:
    assert isinstance(
        await EmailChannel(settings(server)).send(configured(written), [delivery(target=written)]), Refused
    )


async def test_without_a_server_mail_waits() -> None:
    result = await EmailChannel(NotifySettings()).send(configured(), [delivery()])
    assert result == Failed("no SMTP server is set: give TONGTU_NOTIFY_SMTP_HOST")
