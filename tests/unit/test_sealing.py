"""A sealed secret is opened by the service that it is for, for its purpose, and by nobody else; keys can be renewed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from services.notify.settings import NotifySettings
from shared.runtime.sealing import NotOpenedError, Opener, SealingKeyError, seal
from shared.runtime.settings import SettingsError, load
from tests.command_line import CommandLine
from tongtu.access.webhook_keys import WebhookKeys

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PURPOSE = "webhook of acme"


@pytest.fixture
def keys(tmp_path: Path) -> WebhookKeys:
    made = WebhookKeys(tmp_path / "keys")
    made.make()
    return made


def test_only_the_private_key_opens_and_only_for_the_purpose(keys: WebhookKeys, tmp_path: Path) -> None:
    sealed, again = (seal(SECRET, keys.public, PURPOSE) for _ in range(2))
    assert sealed != again
    assert SECRET not in sealed
    opener = Opener(keys.private)
    assert opener.open(sealed, PURPOSE) == opener.open(again, PURPOSE) == SECRET
    other = WebhookKeys(tmp_path / "other")
    other.make()
    changed = f"{sealed[:-8]}{'A' * 7}="
    for opens, what, purpose in ((Opener(other.private), sealed, PURPOSE), (opener, sealed, "webhook of zeta")):
        with pytest.raises(NotOpenedError):
            opens.open(what, purpose)
    with pytest.raises(NotOpenedError):
        opener.open(changed, PURPOSE)


def test_keys_are_made_once_for_their_owner_alone(keys: WebhookKeys) -> None:
    assert {file.stat().st_mode & 0o777 for file in (keys.private, keys.public)} == {0o600}
    assert keys.folder.stat().st_mode & 0o777 == 0o700
    before = keys.private.read_text()
    keys.public.unlink()  # whoever made a private key by other means
    keys.make()
    assert keys.private.read_text() == before
    assert Opener(keys.private).open(seal(SECRET, keys.public, PURPOSE), PURPOSE) == SECRET


def test_a_renewed_key_seals_and_the_former_opens_until_it_is_taken_out(keys: WebhookKeys) -> None:
    opener = Opener(keys.private)
    former = seal(SECRET, keys.public, PURPOSE)
    keys.renew()
    newest = seal("another", keys.public, PURPOSE)
    # The service was not started again.
    assert (opener.open(newest, PURPOSE), opener.open(former, PURPOSE)) == ("another", SECRET)
    first = keys.private.read_text().split("-----END PRIVATE KEY-----\n")[0]
    keys.private.write_text(f"{first}-----END PRIVATE KEY-----\n")
    later = Opener(keys.private)
    assert later.open(newest, PURPOSE) == "another"
    with pytest.raises(NotOpenedError):
        later.open(former, PURPOSE)


def test_keys_of_openssl_are_as_good(tmp_path: Path) -> None:
    private, public = tmp_path / "key", tmp_path / "pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    assert Opener(private).open(seal(SECRET, public, PURPOSE), PURPOSE) == SECRET


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("", "holds no private key"),
        ("-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n", "no private key in PEM"),
        ("{public}", "no private key in PEM"),
    ],
)
def test_notify_does_not_start_with_a_key_that_opens_nothing(
    keys: WebhookKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, said: str
) -> None:
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text.format(public=keys.public.read_text()))
    monkeypatch.setenv("TONGTU_NOTIFY_WEBHOOK_KEY_FILE", str(file))
    with pytest.raises(SettingsError, match=f"TONGTU_NOTIFY_WEBHOOK_KEY_FILE: {file}: .*{said}"):
        load(NotifySettings)


def test_a_private_key_does_not_pass_for_a_public_one(keys: WebhookKeys) -> None:
    with pytest.raises(SealingKeyError, match="no public key"):
        seal(SECRET, keys.private, PURPOSE)


def test_the_command_makes_and_renews_keys_and_shows_none(tmp_path: Path) -> None:
    tongtu = CommandLine({"TONGTU_HOME": str(tmp_path)})
    printed = tongtu.run("access", "webhook-key")
    named = dict(re.findall(r"(TONGTU_\w+)=(\S+)", printed))
    private = Path(named["TONGTU_NOTIFY_WEBHOOK_KEY_FILE"])
    sealed = seal(SECRET, Path(named["TONGTU_WEBHOOK_PUBLIC_KEY_FILE"]), PURPOSE)
    assert tongtu.run("access", "webhook-key") == printed
    before = private.read_text()
    assert tongtu.run("access", "webhook-key", "--renew") == printed
    assert private.read_text().endswith(before)
    assert Opener(private).open(sealed, PURPOSE) == SECRET
    private.write_text("-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")
    assert "name another folder" in tongtu.refusal("access", "webhook-key", "--renew")
