"""The asynchronous client of lpad's API, for asyncio: `client.py` with the same methods, awaited.

    async with AsyncClient() as lpad:
        change = await lpad.download("modem", activation_code="LPA:1$smdp.example.com$ABCD", enable=True)
        async for event in lpad.follow(change.id):
            print(event.type)

Import it from here: `lpad.client` itself does not load asyncio. A client belongs to one event loop. This file
is made from `client.py`, `listeners.py` and `webhooks.py`; see CONTRIBUTING.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import msgspec

from lpad.client import decoding
from lpad.client.async_connection import AsyncConnection
from lpad.client.client import DEFAULT_SOCKET, LONGEST_WAIT
from lpad.client.connection import given
from lpad.client.listeners import Listener
from lpad.client.views import (
    Change,
    DaemonUnreachable,
    Euicc,
    Event,
    Network,
    Notification,
    Outbox,
    Page,
    Platform,
    Ports,
    Product,
    Profile,
    ProfileList,
    System,
    Wish,
)
from lpad.client.webhooks import Redelivered, Webhook, WebhookTest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence


class AsyncClient:
    """A client of the daemon; close the client, or use it in an `async with` statement."""

    def __init__(self, socket: str = DEFAULT_SOCKET) -> None:
        """Create a client, which connects with its first request.

        Args:
            socket: the path of the daemon's Unix socket.
        """
        self.socket = socket
        self._connection = AsyncConnection(socket)
        self.webhooks = AsyncWebhooks(self._connection)
        self.listeners = AsyncListeners(self._connection)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def request(
        self,
        method: str,
        path: str,
        *names: object,
        query: Mapping[str, object] | None = None,
        body: dict[str, Any] | None = None,
    ) -> bytes:
        """Send a request and return the unchanged body of the API's answer, unknown fields included.

        Args:
            method: such as GET.
            path: such as `/v1/euiccs/{}/profiles`.
            names: the values for the braces in the path, in order.
            query: parameters; those that are None are omitted.
            body: the fields of the JSON body; None: no body.

        Raises:
            ApiError: the daemon refuses.
            DaemonUnreachable: there is no answer.
        """
        target = path.format(*(quote(str(each), safe="") for each in names))
        return await self._connection.request(method, target, body, query=given(query))

    async def system(self) -> System:
        """Return the daemon's version, uptime and health."""
        return await self._connection.get("/v1/system", System)

    async def ports(self) -> Ports:
        """Return the existing serial ports and readers."""
        return await self._connection.get("/v1/ports", Ports)

    async def euiccs(self, *, limit: int | None = None, after: int | str | None = None) -> Page[Euicc]:
        """Return the cards.

        Args:
            limit: the maximum number to return, up to 1,000; None: all.
            after: `next` of the previous page, to return the cards that follow.
        """
        return await self._connection.get_list(
            "/v1/euiccs", "euiccs", Euicc, {"limit": limit, "after": after}
        )

    async def euicc(self, name: str) -> Euicc:
        """Return one card, with all fields."""
        return await self._connection.get(f"/v1/euiccs/{quote(name, safe='')}", Euicc)

    async def profiles(self, euicc: str) -> list[Profile]:
        """Return a card's readable profiles."""
        return await self._connection.get_list(_card(euicc, "profiles"), "profiles", Profile)

    async def profile_list(
        self, euicc: str, *, limit: int | None = None, after: int | str | None = None
    ) -> ProfileList:
        """Return a card's profiles, including the unreadable entries of its list.

        `limit` and `after` as in `euiccs`.
        """
        query = {"limit": limit, "after": after}
        return await self._connection.get(_card(euicc, "profiles"), ProfileList, query)

    async def icon(self, euicc: str, iccid: str) -> bytes:
        """Return a profile's icon, a PNG or JPEG file."""
        return await self._connection.request("GET", f"{_profile(euicc, iccid)}/icon")

    async def notifications(self, euicc: str) -> list[Notification]:
        """Return the notifications in a card's outbox."""
        return await self._connection.get_list(_card(euicc, "notifications"), "notifications", Notification)

    async def outbox(self, euicc: str, *, limit: int | None = None, after: int | str | None = None) -> Outbox:
        """Return a card's outbox, with the number of unreadable entries in the card's own list.

        `limit` and `after` as in `euiccs`.
        """
        query = {"limit": limit, "after": after}
        return await self._connection.get(_card(euicc, "notifications"), Outbox, query)

    async def changes(
        self, *, euicc: str | None = None, limit: int | None = None, before: int | str | None = None
    ) -> Page[Change]:
        """Return the daemon's stored changes, newest first.

        Args:
            euicc: return only this card's changes; None: those of all cards.
            limit: the maximum number of changes to return, up to 1,000; None: all.
            before: `next` of the previous page, to return only changes with lower numbers.
        """
        query = {"euicc": euicc, "limit": limit, "before": before}
        return await self._connection.get_list("/v1/changes", "changes", Change, query)

    async def change(self, change_id: int, *, wait: float = 0) -> Change:
        """Return a change, after waiting up to `wait` seconds for its end or a question."""
        return decoding.decoded(
            await self._connection.request("GET", f"/v1/changes/{change_id}", wait=wait), Change
        )

    async def download(
        self,
        euicc: str,
        *,
        activation_code: str | None = None,
        event: tuple[str, str] | None = None,
        confirmation_code: str | None = None,
        confirm: bool = False,
        enable: bool = False,
        guard: Sequence[str] | None = (),
        within: float = 180,
        when_online: bool = False,
        retry_for: float | None = None,
        network: Mapping[str, Any] | None = None,
        key: str | None = None,
        wait: float = 0,
    ) -> Change:
        """Download a profile: by an activation code, by an event, or else from the default SM-DP+.

        Args:
            euicc: the card.
            activation_code: as the operator gave it; None: use `event`, or else the default SM-DP+.
            event: the server and the event ID, as `discover` shows them; instead of an activation code.
            confirmation_code: the operator's code; None: if a code is needed, the change asks for it.
            confirm: ask for consent once the profile is known.
            enable: enable the profile afterwards.
            guard: conditions of the switch to the profile, as for `enable`; None: no guard, not even the
                default one.
            within: seconds in which the conditions must be met.
            when_online: wait for a network as long as necessary, even across restarts.
            retry_for: seconds for which temporary failures are retried; None: the daemon's setting.
            network: the profile's network settings, by the names of `set_network`; None: as configured.
            key: an idempotency key: the same request with the same key is carried out once; None: a new key.
            wait: seconds to wait for the end.
        """
        body: dict[str, Any] = {"confirm": confirm, "enable": enable, "when_online": when_online}
        if guard or guard is None:
            body["guard"] = {"until": list(guard), "within": within} if guard else None
        if retry_for is not None:
            body["retry_for"] = retry_for
        if network is not None:
            body["network"] = dict(network)
        if activation_code is not None:
            body["activation_code"] = activation_code
        elif event is not None:
            body["event"] = {"server": event[0], "event_id": event[1]}
        else:
            body["default"] = True
        if confirmation_code is not None:
            body["confirmation_code"] = confirmation_code
        return await self._connection.change("POST", _card(euicc, "downloads"), body, wait=wait, key=key)

    async def provision(
        self,
        euicc: str,
        *,
        platform: str | None = None,
        product: str | None = None,
        options: Mapping[str, str] | None = None,
        enable: bool = True,
        confirm: bool = False,
        guard: Sequence[str] | None = (),
        within: float = 180,
        key: str | None = None,
        wait: float = 0,
    ) -> Change:
        """Get a profile from an operator's platform; an open wish of the card is resumed.

        Args:
            euicc: the card.
            platform: the platform's name in the settings; None: the only platform.
            product: the product to order; None: the product in the settings.
            options: values for the platform's calls; they replace those of the same names in the settings.
            enable: enable the profile afterwards.
            confirm: ask for consent once the profile is known.
            guard: conditions of the switch to the profile, as in `enable`.
            within: seconds in which the conditions must be met.
            key: as in `download`.
            wait: seconds to wait for the end.
        """
        body: dict[str, Any] = {"enable": enable, "confirm": confirm}
        given = {"platform": platform, "product": product, "options": dict(options) if options else None}
        body |= {name: value for name, value in given.items() if value is not None}
        if guard or guard is None:
            body["guard"] = {"until": list(guard), "within": within} if guard else None
        return await self._connection.change("POST", _card(euicc, "provision"), body, wait=wait, key=key)

    async def close_wish(self, euicc: str) -> Wish:
        """Close and return a card's wish, even if its order has already been paid.

        The order stays at the platform. A change that works on the wish must be cancelled first.
        """
        return decoding.decoded(await self._connection.request("DELETE", _card(euicc, "wish")), Wish)

    async def discover(
        self,
        euicc: str,
        *,
        install: bool = False,
        confirm: bool = False,
        servers: Sequence[str] = (),
        key: str | None = None,
        wait: float = 0,
    ) -> Change:
        """Ask the SM-DSs which profiles wait for a card.

        Args:
            euicc: the card.
            install: download one profile after another, and enable the first one that lpad installs.
            confirm: ask for consent to each profile.
            servers: the SM-DSs to ask; empty: the SM-DSs of the card and of the settings.
            key: as in `download`.
            wait: seconds to wait for the end.
        """
        body = {"install": install, "confirm": confirm, "servers": list(servers)}
        return await self._connection.change("POST", _card(euicc, "discover"), body, wait=wait, key=key)

    async def platforms(self, *, limit: int | None = None, after: int | str | None = None) -> Page[Platform]:
        """Return the platforms that the settings name; `limit` and `after` as in `euiccs`."""
        query = {"limit": limit, "after": after}
        return await self._connection.get_list("/v1/platforms", "platforms", Platform, query)

    async def products(
        self, platform: str, *, limit: int | None = None, after: int | str | None = None
    ) -> Page[Product]:
        """Return a platform's products, as the platform reports them now; `limit`, `after` as in `euiccs`."""
        path = f"/v1/platforms/{quote(platform, safe='')}/products"
        return await self._connection.get_list(path, "products", Product, {"limit": limit, "after": after})

    async def enable(
        self,
        euicc: str,
        iccid: str,
        *,
        guard: Sequence[str] | None = (),
        within: float = 180,
        key: str | None = None,
        wait: float = 0,
    ) -> Change:
        """Enable a profile.

        Args:
            euicc: the card.
            iccid: the profile, by its ICCID or the AID of its security domain.
            guard: conditions that must all be met, or the previous profile is enabled again; docs/api.md has
                their forms. Empty: the default guard of the settings. None: no guard.
            within: seconds in which the conditions must be met.
            key: as in `download`.
            wait: seconds to wait for the end, or for the question whether to keep the profile.
        """
        asked = {"until": list(guard), "within": within} if guard else None
        body = {"guard": asked} if guard or guard is None else None
        return await self._connection.change(
            "POST", f"{_profile(euicc, iccid)}/enable", body, wait=wait, key=key
        )

    async def disable(
        self, euicc: str, iccid: str, *, accept_offline: bool = False, wait: float = 0
    ) -> Change:
        """Disable a profile; with `accept_offline`, even if the device loses its connection."""
        body = {"accept_offline": True} if accept_offline else None
        return await self._connection.change("POST", f"{_profile(euicc, iccid)}/disable", body, wait=wait)

    async def line(
        self, euicc: str, iccid: str, action: str, *, accept_offline: bool = False, wait: float = 0
    ) -> Change:
        """Show or change the line of a profile at its platform.

        Args:
            euicc: the card.
            iccid: the profile, by its ICCID or the AID of its security domain.
            action: show, activate, suspend or retire; a retired line cannot be used again.
            accept_offline: suspend or retire the line even if the device loses its connection.
            wait: seconds to wait for the end.
        """
        body: dict[str, Any] = {"action": action}
        if accept_offline:
            body["accept_offline"] = True
        return await self._connection.change("POST", f"{_profile(euicc, iccid)}/line", body, wait=wait)

    async def delete(self, euicc: str, iccid: str, *, missing_ok: bool = False, wait: float = 0) -> Change:
        """Delete a profile that is not enabled; with `missing_ok`, a missing profile is not an error."""
        query = {"missing": "ok"} if missing_ok else None
        return await self._connection.change("DELETE", _profile(euicc, iccid), query=query, wait=wait)

    async def rename(self, euicc: str, iccid: str, nickname: str, *, wait: float = 0) -> Change:
        """Give a profile a nickname; an empty nickname removes the present one."""
        return await self._connection.change(
            "PATCH", _profile(euicc, iccid), {"nickname": nickname}, wait=wait
        )

    async def network(self, euicc: str, iccid: str) -> Network:
        """Return the network settings that apply to a profile, and their source."""
        return await self._connection.get(f"{_profile(euicc, iccid)}/network", Network)

    async def set_network(
        self,
        euicc: str,
        iccid: str,
        *,
        apn: str = "",
        username: str = "",
        password: str | None = None,
        authentication: str = "none",
        ip: str = "ipv4v6",
        roaming: bool = True,
        initial_bearer: str = "same",
        initial_bearer_apn: str = "",
        mtu: int | None = None,
    ) -> Network:
        """Set all network settings of a profile; they apply when the profile is next enabled.

        Args:
            euicc: the card.
            iccid: the profile, which need not be on the card yet.
            apn: the APN; empty: the network's default.
            username: the user name for `authentication` pap or chap.
            password: None: the stored password stays; empty: no password.
            authentication: none, pap or chap.
            ip: ipv4, ipv6 or ipv4v6.
            roaming: whether data may flow while roaming.
            initial_bearer: the source of the APN to attach with: same (`apn`), apn (`initial_bearer_apn`) or
                leave (the APN that the modem has stored).
            initial_bearer_apn: the APN to attach with if `initial_bearer` is apn.
            mtu: the MTU in bytes; None: the network's value.
        """
        body: dict[str, Any] = {
            "apn": apn,
            "username": username,
            "authentication": authentication,
            "ip": ip,
            "roaming": roaming,
            "initial_bearer": initial_bearer,
            "initial_bearer_apn": initial_bearer_apn,
            "mtu": mtu,
        }
        if password is not None:
            body["password"] = password
        path = f"{_profile(euicc, iccid)}/network"
        return decoding.decoded(await self._connection.request("PUT", path, body), Network)

    async def clear_network(self, euicc: str, iccid: str) -> Network:
        """Clear a profile's own network settings; return the settings that then apply."""
        path = f"{_profile(euicc, iccid)}/network"
        return decoding.decoded(await self._connection.request("DELETE", path), Network)

    async def set_default_smdp(self, euicc: str, address: str, *, wait: float = 0) -> Change:
        """Write the default SM-DP+ address into the card; an empty address removes the present one."""
        return await self._connection.change("PATCH", _card(euicc), {"default_smdp": address}, wait=wait)

    async def refresh(self, euicc: str, *, key: str | None = None, wait: float = 0) -> Change:
        """Have the card read again; `key` as in `download`."""
        return await self._connection.change("POST", _card(euicc, "refresh"), wait=wait, key=key)

    async def probe(self, euicc: str, *, unredacted: bool = False, wait: float = 0) -> Change:
        """Test a card and the link to it; the change's result is the report, `unredacted` if requested."""
        return await self._connection.change(
            "POST", _card(euicc, "probe"), {"unredacted": unredacted}, wait=wait
        )

    async def restart_modem(self, euicc: str, *, wait: float = 0) -> Change:
        """Restart a card's modem, even if the card cannot be read; refused while a change runs."""
        return await self._connection.change("POST", _card(euicc, "restart"), wait=wait)

    async def check_trust(self, euicc: str, address: str, *, wait: float = 0) -> Change:
        """Make a TLS handshake with a server, but no request; the change's result is the trust report."""
        return await self._connection.change(
            "POST", _card(euicc, "trust-check"), {"address": address}, wait=wait
        )

    async def reset(
        self,
        euicc: str,
        *,
        operational_profiles: bool = False,
        test_profiles: bool = False,
        default_smdp: bool = False,
        accept_offline: bool = False,
        wait: float = 0,
    ) -> Change:
        """Delete operational or test profiles, or restore the default SM-DP+ address; choose at least one."""
        body = {
            "operational_profiles": operational_profiles,
            "test_profiles": test_profiles,
            "default_smdp": default_smdp,
        }
        if accept_offline:
            body["accept_offline"] = True
        return await self._connection.change("POST", _card(euicc, "reset"), body, wait=wait)

    async def deliver_notifications(self, euicc: str, *, wait: float = 0) -> Change:
        """Try to deliver all pending notifications now."""
        return await self._connection.change("POST", _card(euicc, "notifications/deliver"), wait=wait)

    async def retry_notification(self, euicc: str, seq: int, *, wait: float = 0) -> Change:
        """Try to deliver one notification now, even one that was set aside."""
        return await self._connection.change("POST", _card(euicc, f"notifications/{seq}/retry"), wait=wait)

    async def drop_notification(self, euicc: str, seq: int, *, wait: float = 0) -> Change:
        """Drop a notification and remove it from the card; its server never receives it."""
        return await self._connection.change("DELETE", _card(euicc, f"notifications/{seq}"), wait=wait)

    async def cancel(self, change_id: int, *, wait: float = 0) -> Change:
        """Cancel a change, and return it."""
        return decoding.decoded(
            await self._connection.request("DELETE", f"/v1/changes/{change_id}", wait=wait), Change
        )

    async def answer(
        self,
        change_id: int,
        *,
        confirmation_code: str | None = None,
        decision: str | None = None,
        confirm: bool | None = None,
        wait: float = 0,
    ) -> Change:
        """Answer a change's question by a code, by `accept`, `reject` or `postpone`, or by yes or no."""
        body: dict[str, Any] = {}
        if confirmation_code is not None:
            body["confirmation_code"] = confirmation_code
        if decision is not None:
            body["decision"] = decision
        if confirm is not None:
            body["confirm"] = confirm
        return await self._connection.change("POST", f"/v1/changes/{change_id}/answer", body, wait=wait)

    async def confirm(self, change_id: int, *, wait: float = 0) -> Change:
        """Confirm a guarded switch that waits for a confirmation; its profile is kept."""
        return await self._connection.change("POST", f"/v1/changes/{change_id}/confirm", wait=wait)

    async def wait(self, change_id: int, *, seconds: float = LONGEST_WAIT) -> Change:
        """Return a change once it has ended or asks a question, at the latest after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            change = await self.change(change_id, wait=max(0.0, min(left, LONGEST_WAIT)))
            if change.ended or change.question is not None or left <= 0:
                return change

    async def events(
        self, *, change: int | None = None, euicc: str | None = None, after: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """Yield the daemon's events until the daemon stops.

        Args:
            change: yield only this change's events; None: those of all changes.
            euicc: yield only this card's events; None: those of all cards.
            after: the ID of the last event seen; None: yield only new events.
        """
        query = {"change": change, "euicc": euicc, "after": after}
        async for event in self._connection.stream("/v1/events", given(query) or {}):
            yield event

    async def cloud_events(
        self,
        *,
        change: int | None = None,
        euicc: str | None = None,
        after: int | None = None,
        listener: str | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Yield the events that leave the device, as CloudEvents, until the daemon stops.

        An event's `id` is its number. The first event is `listening`, with the number after which the other
        events follow; `lost` has the `count` of events that the outbox no longer has.

        Args:
            change: yield only this change's events; None: those of all changes.
            euicc: yield only this card's events; None: those of all cards.
            after: the number of the last event seen, even before a restart; None: only new events.
            listener: a name under which the daemon remembers which events this program has acknowledged;
                events without an acknowledgement count as awaited. With a name, `after` acknowledges the
                events up to this number, and None means all events after the last acknowledged one; see
                `listeners`.
        """
        query = {
            "form": "cloudevents",
            "change": change,
            "euicc": euicc,
            "after": after,
            "listener": listener,
        }
        async for event in self._connection.stream("/v1/events", given(query) or {}):
            yield event

    async def follow(self, change_id: int) -> AsyncIterator[Event]:
        """Yield a change's events, beginning with its present record and ending with its final record.

        Raises:
            DaemonUnreachable: the daemon ended before the change; lpad reconciles the change when it runs
                again.
        """
        later = f"once lpad runs again, it reports the outcome of change {change_id}"
        stream = self.events(change=change_id)
        try:
            # The stream is opened before the record is read, so that no event in between is missed.
            listening = await anext(stream)
            assert listening.type == "listening"
            change = await self.change(change_id)
            yield Event(id="", type="change", data=msgspec.to_builtins(change))
            if change.ended:
                return
            async for event in stream:
                if event.type == "lost":
                    change = await self.change(change_id)
                    event = Event(id=event.id, type="change", data=msgspec.to_builtins(change))  # noqa: PLW2901 - replaces the lost events
                yield event
                if event.type == "change" and event.change.ended:
                    return
        except DaemonUnreachable as error:
            raise DaemonUnreachable(f"{error.sentence}; {later}") from error
        finally:
            await stream.aclose()
        raise DaemonUnreachable(f"lpad at {self.socket} was stopped; {later}")


class AsyncListeners:
    """The methods of `Client.listeners`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self, *, limit: int | None = None, after: int | str | None = None) -> Page[Listener]:
        """Return the named listeners, sorted by name; `limit` and `after` as in `Client.euiccs`."""
        query = {"limit": limit, "after": after}
        return await self._connection.get_list("/v1/listeners", "listeners", Listener, query)

    async def acknowledge(self, name: str, position: int) -> Listener:
        """Report that a listener has processed all events up to the number `position`."""
        answer = await self._connection.request("PUT", _listener(name), {"position": position})
        return decoding.decoded(answer, Listener)

    async def forget(self, name: str) -> Listener:
        """Have the daemon forget a listener, whose events then no longer count as awaited."""
        return decoding.decoded(await self._connection.request("DELETE", _listener(name)), Listener)


class AsyncWebhooks:
    """The methods of `Client.webhooks`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self, *, limit: int | None = None, after: int | str | None = None) -> Page[Webhook]:
        """Return the endpoints, in the order of the settings; `limit` and `after` as in `Client.euiccs`."""
        query = {"limit": limit, "after": after}
        return await self._connection.get_list("/v1/webhooks", "webhooks", Webhook, query)

    async def test(self, name: str) -> WebhookTest:
        """Have lpad send a test event now, and return the result."""
        return decoding.decoded(await self._post(name, "test"), WebhookTest)

    async def pause(self, name: str) -> Webhook:
        """Have lpad send nothing to an endpoint until `resume`."""
        return decoding.decoded(await self._post(name, "pause"), Webhook)

    async def resume(self, name: str) -> Webhook:
        """Have lpad resume sending to a paused or ended endpoint, and try immediately."""
        return decoding.decoded(await self._post(name, "resume"), Webhook)

    async def redeliver(self, name: str, sequence: int | None = None) -> int:
        """Have lpad send one event again, or all set-aside events; return the number of events."""
        body = {} if sequence is None else {"sequence": sequence}
        return decoding.decoded(await self._post(name, "redeliver", body), Redelivered).events

    async def _post(self, name: str, action: str, body: dict[str, int] | None = None) -> bytes:
        path = f"/v1/webhooks/{quote(name, safe='')}/{action}"
        return await self._connection.request("POST", path, body)


def _card(euicc: str, rest: str = "") -> str:
    path = f"/v1/euiccs/{quote(euicc, safe='')}"
    return f"{path}/{rest}" if rest else path


def _profile(euicc: str, iccid: str) -> str:
    return _card(euicc, f"profiles/{quote(iccid, safe='')}")


def _listener(name: str) -> str:
    return f"/v1/listeners/{quote(name, safe='')}"
