"""Composition of the channels: inboxes in, webhooks and e-mail out."""

from __future__ import annotations

from services.notify.channels.delivery import Channel, ChannelName
from services.notify.channels.listing import listing
from services.notify.channels.mail import EmailChannel
from services.notify.channels.planning import INBOXES, Planner
from services.notify.channels.sender import Sender
from services.notify.channels.store import DeliveryStore
from services.notify.channels.webhook import WebhookChannel
from services.notify.settings import NotifySettings
from shared.contracts.channels import ChannelsConfigured
from shared.runtime.service import Service


def assemble_channels(service: Service, settings: NotifySettings) -> None:
    """Registers all that sends on what stands in inboxes."""
    store = DeliveryStore(service.database)
    email = EmailChannel(settings)
    channels: dict[ChannelName, Channel] = {
        "webhook": WebhookChannel(
            settings.webhook_key_file,
            settings.send_seconds,
            settings.plain_targets,
            settings.allowed_networks,
            look_ups=settings.sends,
        ),
        "email": email,
        "digest": email,
    }
    planner = Planner(store, channels)
    sender = Sender(store, channels, settings.sending)
    service.at_start(store.prepare)
    service.at_start(sender.start)
    service.at_stop(sender.stop)
    service.on(ChannelsConfigured, planner.note_channels)
    service.stage("deliver", patient=True).on_raw(INBOXES, planner.plan)
    service.serve("/deliveries", listing(store))
