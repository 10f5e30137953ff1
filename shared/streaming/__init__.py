"""Exactly-once event processing over FastStream, aiokafka and MongoDB: this is all that a service author needs."""

from shared.streaming.event import Event, Message, Problem, Timer
from shared.streaming.unit_of_work import UnitOfWork

__all__ = ["Event", "Message", "Problem", "Timer", "UnitOfWork"]
