"""The progress of an endpoint, stored in the journal, so that a restart skips no event."""

from __future__ import annotations

import enum

import msgspec

from lpad.base.backoff import Backoff

BACKOFF = Backoff((5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600))
"""Seconds from each failed attempt to the next one, from Standard Webhooks' table."""
PATIENCE = 5 * 24 * 3600.0
"""The number of seconds of lpad's running time for which lpad tries to deliver an event."""
MOST_SET_ASIDE = 200
"""The maximum number of set-aside, and of unreached, events that are stored; older ones are only counted."""


class Standing(enum.StrEnum):
    """The states of an endpoint."""

    ACTIVE = "active"
    PAUSED = "paused"  # by a user
    ENDED = "ended"  # the endpoint answered 410


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of an endpoint; moments are on the steady clock.

    Attributes:
        position: the latest event that was accepted or given up.
        address: identifies the endpoint's address.
        again: events that are sent again, before all other events.
        attempts: the failed attempts for the current event.
        spent: the seconds for which the current event was tried.
        tried_at: the time of the current event's last attempt, in the seconds that lpad has run.
        due: when the next attempt is due.
        asked_to_wait: whether the endpoint asked by Retry-After to wait until `due`.
        set_aside: events that the endpoint did not accept.
        unreached: events for which the endpoint was not reached; they are sent again once the
        endpoint accepts an event.
        last: the last outcome in words.
        delivered: the number of accepted events since the endpoint was added.
        given_up: the number of set-aside or unreached events since the endpoint was added.
    """

    position: int
    address: str = ""
    standing: Standing = Standing.ACTIVE
    again: tuple[int, ...] = ()
    attempts: int = 0
    spent: float = 0.0
    tried_at: float | None = None
    due: float | None = None
    asked_to_wait: bool = False
    set_aside: tuple[int, ...] = ()
    unreached: tuple[int, ...] = ()
    last: str = ""
    last_status: int | None = None
    delivered: int = 0
    given_up: int = 0

    def fresh(self) -> Progress:
        """Return the record without the failed attempts for the current event."""
        return msgspec.structs.replace(
            self, attempts=0, spent=0.0, tried_at=None, due=None, asked_to_wait=False
        )

    def past(self, sequence: int) -> Progress:
        """Return the record after an event was accepted or given up."""
        if sequence in self.again:
            return msgspec.structs.replace(
                self.fresh(), again=tuple(each for each in self.again if each != sequence)
            )
        return msgspec.structs.replace(self.fresh(), position=max(self.position, sequence))

    def accepted(self, sequence: int, *, told: str, status: int | None) -> Progress:
        """Return the record after the endpoint has accepted an event."""
        done = self.past(sequence)
        return msgspec.structs.replace(
            done,
            again=(*done.again, *done.unreached),
            unreached=(),
            last=told,
            last_status=status,
            delivered=done.delivered + 1,
        )

    def failed(
        self, *, ran: float, due: float, told: str, status: int | None, waits: bool = False
    ) -> Progress:
        """Return the record after a failed attempt.

        Args:
            ran: the seconds that lpad has run, regardless of the clock.
            due: when the next attempt is due, on the steady clock.
            told: the outcome in words.
            status: the HTTP status; None: the endpoint was not reached.
            waits: whether the endpoint asked by Retry-After to wait until `due`.
        """
        passed = 0.0 if self.tried_at is None else max(0.0, ran - self.tried_at)
        return msgspec.structs.replace(
            self,
            attempts=self.attempts + 1,
            spent=self.spent + passed,
            tried_at=ran,
            due=due,
            asked_to_wait=waits,
            last=told,
            last_status=status,
        )

    def gave_up(self, sequence: int) -> Progress:
        """Return the record after lpad has given up an event: it is now set aside or unreached."""
        aside, unreached = self.set_aside, self.unreached
        if self.last_status is None:
            unreached = (*unreached, sequence)[-MOST_SET_ASIDE:]
        else:
            aside = (*aside, sequence)[-MOST_SET_ASIDE:]
        return msgspec.structs.replace(
            self.past(sequence), set_aside=aside, unreached=unreached, given_up=self.given_up + 1
        )
