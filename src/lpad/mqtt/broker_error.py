"""Errors of the MQTT broker and of the connection to it."""

from __future__ import annotations


class BrokerError(Exception):
    """The broker cannot be used: `sentence` states the attempt, the result and the remedy."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class MessageRefused(BrokerError):
    """The broker refused one message; the connection remains."""


class ConnectionLost(BrokerError):
    """There is no connection, or it ended before the broker confirmed a message, which may have arrived."""
