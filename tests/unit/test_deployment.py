"""docker-compose.yml and deploy/Dockerfile agree with what they run: settings, extras, versions. Needs no Docker."""

from __future__ import annotations

import importlib
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices

from shared.runtime.settings import ServiceSettings
from tests.containers import KAFKA_IMAGE, MONGODB_IMAGE, environment_of
from tongtu.access.webhook_keys import NOTIFY_VARIABLE, REGISTRY_VARIABLE, WebhookKeys
from tongtu.embedded.jars import KAFKA_VERSION
from tongtu.embedded.kafka import server_properties
from tongtu.embedded.mongod import DOCKER_IMAGE
from tongtu.embedded.mongodb import REPLICA_SET

PROJECT = Path(__file__).parents[2]
SERVICES = ("intake", "matching", "risk", "notify", "gateway")
STOP_SECONDS = 5  # a service's own promise: architecture.md


@cache
def compose() -> dict[str, Any]:
    """The compose file with the defaults of its variables filled in."""
    text = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))


@cache
def dockerfile() -> str:
    """Its instructions, each on one line, without comments."""
    lines = (PROJECT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return re.sub(r"\\\n\s*", "", "\n".join(line for line in lines if not line.startswith("#")))


def project() -> dict[str, Any]:
    """The table [project] of pyproject.toml."""
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def stages() -> dict[str, str]:
    """Stage -> its instructions."""
    return dict(re.findall(r"^FROM \S+ AS (\S+)\n((?:(?!FROM ).*\n?)*)", dockerfile(), re.MULTILINE))


def variables_of(kind: type[ServiceSettings]) -> set[str]:
    """Names of the environment variables that the settings read."""
    aliases = [field.validation_alias for field in kind.model_fields.values()]
    names = [name for alias in aliases if isinstance(alias, AliasChoices) for name in alias.choices]
    return {name for name in names if isinstance(name, str) and name.startswith("TONGTU_")}


def settings_of(service: str) -> type[ServiceSettings]:
    """The service's own settings class."""
    module = importlib.import_module(f"services.{service}.settings")
    found = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, ServiceSettings)]
    return min(found, key=lambda kind: len(kind.__subclasses__()))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_only_variables_that_it_reads(service: str) -> None:
    known = variables_of(settings_of(service))
    given = set(compose()["services"][service]["environment"])
    set_in_image = set(re.findall(r"\bTONGTU_\w+(?==)", stages()["service"]))
    assert {"TONGTU_KAFKA", "TONGTU_MONGODB"} <= given
    assert set_in_image == {"TONGTU_HEALTH_HOST", "TONGTU_HEALTH_PORT"}
    assert given | set_in_image <= known


def test_the_jobs_are_given_only_variables_that_are_read() -> None:
    for job, more in (("topics", set[str]()), ("keys", {REGISTRY_VARIABLE})):
        assert set(compose()["services"][job]["environment"]) <= variables_of(ServiceSettings) | more


def test_notify_is_given_all_that_e_mail_needs_and_the_key_that_the_job_makes() -> None:
    services, secrets = compose()["services"], compose()["secrets"]
    given = services["notify"]["environment"]
    needed = {name for name in variables_of(settings_of("notify")) if "_SMTP_" in name} - {"TONGTU_NOTIFY_SMTP_SECONDS"}
    assert needed <= set(given)
    assert services["notify"]["secrets"] == list(secrets)
    assert [place.removeprefix("/run/secrets/") for place in re.findall(r"/run/secrets/[\w-]+", str(given))] == [
        *secrets
    ]
    keys = WebhookKeys(Path("/keys"))
    assert given[NOTIFY_VARIABLE] == str(keys.private)
    assert services["keys"]["environment"][REGISTRY_VARIABLE] == str(keys.public)
    assert services["keys"]["command"] == ["access", "webhook-key", "--keys", str(keys.folder)]
    assert (services["keys"]["volumes"], services["notify"]["volumes"]) == (["keys:/keys"], ["keys:/keys:ro"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_healthy_when_ready_and_stops_in_order(service: str) -> None:
    described = compose()["services"][service]
    assert "HEALTHCHECK" in stages()["service"]
    assert described["init"] is True
    assert int(described["stop_grace_period"].removesuffix("s")) > STOP_SECONDS
    assert described["restart"] == "unless-stopped"
    jobs = ("topics", "replica-set", *(["keys"] if service == "notify" else []))
    assert described["depends_on"] == {job: {"condition": "service_completed_successfully"} for job in jobs}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_no_more_than_it_must(service: str) -> None:
    described = compose()["services"][service]
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert set(described["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert f'\nUSER 10001:10001\nENTRYPOINT ["python", "-m", "services.{service}"]' in stages()[service]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_own_service_and_its_own_extra(service: str) -> None:
    assert compose()["services"][service]["build"]["target"] == service
    copied = re.findall(r"COPY (?:--from=(\S+) )?(\S+)", stages()[service])
    code = ["shared", "services/__init__.py", f"services/{service}"]
    assert copied == [(f"packages-of-{service}", "/opt/tongtu"), *(("", path) for path in code)]
    assert re.findall(r"--extra (\S+)", stages()[f"packages-of-{service}"]) == [service]
    assert service in project()["optional-dependencies"]


def test_every_service_of_the_project_is_deployed() -> None:
    folders = {path.parent.name for path in (PROJECT / "services").glob("*/__init__.py")}
    assert folders == set(SERVICES)


def test_only_what_clients_need_is_published_and_only_to_this_machine() -> None:
    published = {name: each["ports"] for name, each in compose()["services"].items() if "ports" in each}
    assert published == {
        "kafka": ["127.0.0.1:9092:9092"],
        "mongodb": ["127.0.0.1:27017:27017"],
        "gateway": ["127.0.0.1:8480:8480"],
    }


def test_kafka_is_set_as_the_embedded_one() -> None:
    given = compose()["services"]["kafka"]["environment"]
    embedded = environment_of(server_properties(9092, 9093, Path("/var/lib/kafka/data")))
    places = {name for name in embedded if "LISTENER" in name or "VOTERS" in name}
    assert {name: given.get(name) for name in embedded if name not in places} == {
        name: value for name, value in embedded.items() if name not in places
    }
    assert set(given) - set(embedded) <= {"KAFKA_INTER_BROKER_LISTENER_NAME", "KAFKA_HEAP_OPTS"}


def test_every_listener_of_kafka_can_be_found_where_it_says_it_is() -> None:
    given = compose()["services"]["kafka"]["environment"]
    listening = dict(re.findall(r"(\w+)://\S*?:(\d+)", given["KAFKA_LISTENERS"]))
    advertised = dict(re.findall(r"(\w+)://([^,]+)", given["KAFKA_ADVERTISED_LISTENERS"]))
    assert advertised == {"INSIDE": f"kafka:{listening['INSIDE']}", "OUTSIDE": f"127.0.0.1:{listening['OUTSIDE']}"}
    for service in (*SERVICES, "topics"):
        assert compose()["services"][service]["environment"]["TONGTU_KAFKA"] == advertised["INSIDE"]


def test_mongodb_is_a_replica_set_that_ends_abandoned_transactions_after_10_s() -> None:
    command = compose()["services"]["mongodb"]["command"]
    assert f"--replSet={REPLICA_SET}" in command
    assert "--setParameter=transactionLifetimeLimitSeconds=10" in command
    assert not any("enableTestCommands" in argument for argument in command)
    script = (PROJECT / "deploy" / "replica-set.js").read_text(encoding="utf-8")
    assert f'_id: "{REPLICA_SET}", members: [{{ _id: 0, host: "mongodb:27017" }}]' in script
    for service in SERVICES:
        address = compose()["services"][service]["environment"]["TONGTU_MONGODB"]
        assert address == f"mongodb://mongodb:27017/?replicaSet={REPLICA_SET}"


def test_versions_are_the_same_everywhere() -> None:
    services = compose()["services"]
    assert services["kafka"]["image"] == KAFKA_IMAGE == f"apache/kafka:{KAFKA_VERSION}"
    assert services["mongodb"]["image"] == services["replica-set"]["image"] == MONGODB_IMAGE == DOCKER_IMAGE
    python = project()["requires-python"].removeprefix(">=").partition(",")[0]
    assert re.findall(r"ARG PYTHON=(\S+)", dockerfile()) == [f"python:{python}-slim-bookworm"]
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"ARG UV_VERSION=(\S+)", dockerfile()) == re.findall(r"UV_VERSION := (\S+)", makefile)


def test_images_are_named_without_a_registry() -> None:
    names = [each["image"] for each in compose()["services"].values()]
    hosts = [name.split("/")[0] for name in names if "/" in name]
    assert not [host for host in hosts if "." in host or ":" in host]


def test_the_dockerfile_asks_for_no_frontend() -> None:
    text = (PROJECT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"^#\s*syntax=|<<|--link|--mount", text, re.MULTILINE)


def test_the_build_context_leaves_out_what_no_image_needs() -> None:
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {source.rstrip("/") for source in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(), re.MULTILINE)}
    whole = ("services", "shared")
    paths = [path for line in copied for path in line.split()]
    needed = {path.split("/")[0] if path.startswith(whole) else path for path in paths}
    assert let_in == needed
