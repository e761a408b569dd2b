"""The ES9+ client with a scripted server: functions, HTTP and deadlines."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.base.errors import ServerError, ServerFailed, ServerMalformed, ServerRefused, ServerUnreachable
from lpad.base.server_address import ServerAddress
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from remote.bench import NAME
from remote.scripted_server import SUCCESS, Reply, Seen

if TYPE_CHECKING:
    from lpad.remote.trust.trust_anchors import Trust
    from remote.bench import Bench

PLENTY = 30.0


def soon() -> Deadline:
    return Deadline.after(PLENTY)


def success(**fields: object) -> bytes:
    return json.dumps({**json.loads(SUCCESS), **fields}).encode()


def failed(subject: str, reason: str, message: str | None = None) -> bytes:
    data = {"subjectCode": subject, "reasonCode": reason, **({"message": message} if message else {})}
    return json.dumps(
        {"header": {"functionExecutionStatus": {"status": "Failed", "statusCodeData": data}}}
    ).encode()


INITIATED = success(
    transactionId="aBcD",
    serverSigned1="MAA=",
    serverSignature1="XzcA",
    euiccCiPKIdToBeUsed="BAA=",
    serverCertificate="MAA=",
)


def initiate(client: Es9Plus) -> str:
    answer = client.initiate_authentication(
        euicc_challenge=bytes(16), euicc_info1=b"\xbf\x20\x00", deadline=soon()
    )
    return answer.transaction_id_text


def notify(client: Es9Plus, *, deadline: Deadline | None = None) -> None:
    client.handle_notification(pending_notification=b"\x30\x00", deadline=deadline or soon())


def all_five(seen: Seen) -> Reply:
    bodies = {
        "initiateAuthentication": INITIATED,
        "authenticateClient": success(
            transactionId="aBcD",
            profileMetadata="vyUA",
            smdpSigned2="MAA=",
            smdpSignature2="XzcA",
            smdpCertificate="MAA=",
        ),
        "getBoundProfilePackage": success(transactionId="aBcD", boundProfilePackage="vzYA"),
        "cancelSession": SUCCESS,
    }
    function = seen.path.rpartition("/")[2]
    return Reply(204) if function == "handleNotification" else Reply(body=bodies[function])


def test_five_functions_over_one_connection(bench: Bench) -> None:
    """All five functions of ES9+ work over one TCP connection with one TLS handshake."""
    server = bench.server(all_five)
    client = bench.client(server)
    transaction = initiate(client)
    client.authenticate_client(
        transaction_id=transaction, authenticate_server_response=b"\xbf\x38\x00", deadline=soon()
    )
    package = client.get_bound_profile_package(
        transaction_id=transaction, prepare_download_response=b"\xbf\x21\x00", deadline=soon()
    )
    client.cancel_session(
        transaction_id=transaction, cancel_session_response=b"\xbf\x41\x00", deadline=soon()
    )
    notify(client)
    assert package.bound_profile_package == b"\xbf\x36\x00"
    assert [seen.path.rpartition("/")[2] for seen in server.seen] == [
        "initiateAuthentication",
        "authenticateClient",
        "getBoundProfilePackage",
        "cancelSession",
        "handleNotification",
    ]
    assert server.connects == server.handshakes == client.connects == 1


def test_requests_follow_the_specification(bench: Bench) -> None:
    """Path, headers and fields are as specified; the transaction ID is returned unchanged."""
    server = bench.server(all_five)
    client = bench.client(server, protocol_version="2.5.0")
    client.authenticate_client(
        transaction_id=initiate(client), authenticate_server_response=b"\xbf\x38\x00", deadline=soon()
    )
    first, second = server.seen
    assert first.path == "/gsma/rsp2/es9plus/initiateAuthentication"
    assert first.headers["Host"] == NAME
    assert first.headers["User-Agent"] == "gsma-rsp-lpad"
    assert first.headers["X-Admin-Protocol"] == "gsma/rsp/v2.5.0"
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["Accept-Encoding"] == "identity"  # asks for uncompressed answers
    assert first.fields == {
        "smdpAddress": NAME,
        "euiccChallenge": "AAAAAAAAAAAAAAAAAAAAAA==",
        "euiccInfo1": "vyAA",
    }
    assert second.fields["transactionId"] == "aBcD"


def test_default_protocol_version(bench: Bench) -> None:
    """By default, lpad reports the protocol version 2.2.2."""
    server = bench.server(all_five)
    notify(bench.client(server))
    assert server.seen[0].headers["X-Admin-Protocol"] == "gsma/rsp/v2.2.2"


def test_answer_in_chunks(bench: Bench) -> None:
    """An answer in chunks is read to its end, and the connection is kept."""
    chunks = [INITIATED[:7], INITIATED[7:100], INITIATED[100:]]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    server = bench.server(Reply(raw=raw))
    client = bench.client(server)
    assert initiate(client) == initiate(client) == "aBcD"
    assert client.connects == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json;charset=UTF-8", "X-Admin-Protocol": "gsma/rsp/v2.1.0"},
        {"Content-Type": "text/plain"},
        {"X-Admin-Protocol": "gsma/rsp/v3.1.0"},
    ],
)
def test_headers_of_the_answer(bench: Bench, headers: dict[str, str]) -> None:
    """An answer is read whatever its headers give as content type and protocol version."""
    assert initiate(bench.client(bench.server(Reply(200, INITIATED, headers)))) == "aBcD"


def test_closed_while_idle_connects_again(bench: Bench) -> None:
    """If the server has closed an idle connection, the next request opens a new one."""
    server = bench.server(Reply(204, keep=False))
    client = bench.client(server)
    notify(client)
    pool = client._connection._pool
    assert pool is not None
    deadline = Deadline.after(30)
    while not all(each.has_expired() for each in pool.connections):  # the client notices this after a moment
        assert not deadline.passed
        time.sleep(0.01)
    notify(client)
    assert len(server.seen) == 2
    assert client.connects == 2


def test_connection_close_is_honoured(bench: Bench) -> None:
    """After an answer with `Connection: close`, the next request opens a new connection."""
    server = bench.server(Reply(headers={"Connection": "close"}, keep=False))
    client = bench.client(server)
    notify(client)
    notify(client)
    assert client.connects == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(204),
        Reply(202, b""),
        *(Reply(200, body) for body in (b"", SUCCESS, SUCCESS.replace(b"Success", b"WithWarning"), b" {} ")),
    ],
)
def test_each_form_of_acceptance_is_read(bench: Bench, reply: Reply) -> None:
    """A 2xx answer without a body, with an empty object, or with a success header is acceptance."""
    notify(bench.client(bench.server(reply)))


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Log in",
        b" <!doctype html>",
        b"OK",
        b"Failed",
        b"null",
        b"[]",
        b'"ok"',
        b"200",
        b'{"header":{}}',
        b'{"header":{"functionExecutionStatus":{}}}',
        b'{"status":"Executed-Success"}',
        b'{"header":{"functionExecutionStatus":{"status":"Failed","status":"Executed-Success"}}}',
        SUCCESS[:-1] + b',"header":{}}',
        SUCCESS * 2,
        b'{"header":{"functionExecutionStatus":',
        b"\x1f\x8b\x08\x00",
        b"words\x00",
        b"long " * 100,
    ],
)
def test_another_answer_does_not_prove_acceptance(bench: Bench, body: bytes) -> None:
    """A 200 answer with another body is malformed, and does not count as acceptance."""
    client = bench.client(bench.server(Reply(200, body)))
    with pytest.raises(ServerMalformed, match=r"ES9\+.HandleNotification"):
        notify(client)


def test_notification_refused_with_200(bench: Bench) -> None:
    """A 200 answer with the status Failed is a refusal."""
    client = bench.client(bench.server(Reply(200, failed("8.10.1", "3.9"))))
    with pytest.raises(ServerRefused):
        notify(client)


def test_cancel_session_with_empty_answer(bench: Bench) -> None:
    """An empty answer to CancelSession is accepted."""
    client = bench.client(bench.server(Reply(200, b"")))
    client.cancel_session(transaction_id="01", cancel_session_response=b"\xbf\x41\x00", deadline=soon())


def test_an_empty_answer_lacks_its_fields(bench: Bench) -> None:
    """An empty answer to a function that has fields to return is malformed."""
    client = bench.client(bench.server(Reply(200, b"")))
    with pytest.raises(ServerMalformed, match=r"ES9\+.InitiateAuthentication"):
        initiate(client)


def test_refusal_says_all(bench: Bench) -> None:
    """The error of a refusal has function, codes and remedy, and explanations by lpad and the server."""
    client = bench.client(bench.server(Reply(body=failed("8.8.5", "4.10", "order\x07 12 is over"))))
    with pytest.raises(ServerRefused) as caught:
        initiate(client)
    error = caught.value
    assert error.details == {
        "function": "ES9+.InitiateAuthentication",
        "subject_code": "8.8.5",
        "reason_code": "4.10",
        "remedy": "permanent",
        "message": "order 12 is over",
    }
    assert not error.retryable
    assert "the download order has expired" in error.sentence
    assert '"order 12 is over"' in error.sentence
    assert "new activation code" in error.sentence


@pytest.mark.parametrize(
    ("pair", "remedy", "retryable"),
    [
        (("8.2", "1.2"), "retry", True),
        (("8.10.1", "3.9"), "restart-session", True),
        (("8.2.7", "3.8"), "confirmation-code", False),
        (("8.2.6", "3.8"), "permanent", False),
    ],
)
def test_remedy_decides_on_retrying(
    bench: Bench,
    pair: tuple[str, str],
    remedy: str,
    retryable: bool,  # noqa: FBT001  a table's column
) -> None:
    """A refusal is retryable if its remedy is a retry or a new session."""
    client = bench.client(bench.server(Reply(body=failed(*pair))))
    with pytest.raises(ServerRefused) as caught:
        notify(client)
    assert caught.value.details["remedy"] == remedy
    assert caught.value.retryable is retryable


def test_bare_name_for_a_server_behind_a_port(bench: Bench) -> None:
    """If a server refuses its address with the port, lpad sends it once more without the port."""

    def only_by_name(seen: Seen) -> Reply:
        known = seen.fields["smdpAddress"] == NAME
        return Reply(body=INITIATED if known else failed("8.8.1", "3.8"))

    server = bench.server(only_by_name)
    assert initiate(bench.client(server, address=f"{NAME}:8443")) == "aBcD"
    assert [seen.fields["smdpAddress"] for seen in server.seen] == [f"{NAME}:8443", NAME]
    assert server.seen[0].headers["Host"] == f"{NAME}:8443"
    assert server.connects == 1


@pytest.mark.parametrize(("address", "asked"), [(NAME, 1), (f"{NAME}:8443", 2)])
def test_wrong_address_stays_wrong(bench: Bench, address: str, asked: int) -> None:
    """If a server refuses each form of its address, the error is a refusal after one try of each."""
    server = bench.server(Reply(body=failed("8.8.1", "3.8")))
    with pytest.raises(ServerRefused, match="not its address"):
        initiate(bench.client(server, address=address))
    assert len(server.seen) == asked


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (401, False), (404, False), (408, True), (429, True)]
)
def test_4xx_is_an_unreachable_server(bench: Bench, status: int, retryable: bool) -> None:  # noqa: FBT001  a table's column
    """A 4xx status means an unreachable server; only 408 and 429 are retryable."""
    client = bench.client(bench.server(Reply(status, b"<html>no</html>")))
    with pytest.raises(ServerUnreachable) as caught:
        notify(client)
    assert caught.value.details == {"http_status": status}
    assert caught.value.retryable is retryable


@pytest.mark.parametrize("status", [500, 502, 503, 599])
def test_a_server_that_failed(bench: Bench, status: int) -> None:
    """A 5xx status means a failed server, which is retryable."""
    client = bench.client(bench.server(Reply(status, b"<html>no</html>")))
    with pytest.raises(ServerFailed, match=f"failed.*{status}") as caught:
        notify(client)
    assert caught.value.kind == "server-failed"
    assert caught.value.details == {"http_status": status}
    assert caught.value.retryable


def test_codes_in_an_http_error(bench: Bench) -> None:
    """If an HTTP error has a refusal in its body, the error is this refusal."""
    client = bench.client(bench.server(Reply(500, failed("8.2.6", "3.8"))))
    with pytest.raises(ServerRefused, match="matching ID"):
        notify(client)


def test_redirects_are_refused(bench: Bench) -> None:
    """A redirection to another server is not followed, and is not retryable."""
    elsewhere = bench.server(Reply(204))
    location = f"https://127.0.0.1:{elsewhere.port}/gsma/rsp2/es9plus/handleNotification"
    client = bench.client(bench.server(Reply(302, b"", {"Location": location})))
    with pytest.raises(ServerUnreachable, match="redirects") as caught:
        notify(client)
    assert not caught.value.retryable
    assert elsewhere.connects == 0


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"header":{}}', b"\x1f\x8b\x08\x00"])
def test_a_malformed_body_names_the_function(bench: Bench, body: bytes) -> None:
    """A 200 answer without the required JSON is malformed, and the error names the function."""
    client = bench.client(bench.server(Reply(200, body)))
    with pytest.raises(ServerMalformed, match=r"ES9\+.InitiateAuthentication"):
        initiate(client)


def test_an_oversized_body_is_not_read(bench: Bench) -> None:
    """An answer that is too large is malformed, and the next request works."""
    replies = iter([Reply(200, b" " * 300_000), Reply(204)])
    client = bench.client(bench.server(lambda _: next(replies)))
    with pytest.raises(ServerMalformed, match="larger than"):
        notify(client)
    notify(client)


def test_a_gzip_bomb_is_not_unpacked(bench: Bench) -> None:
    """A compressed answer is unpacked only up to the size limit."""
    bomb = gzip.compress(bytes(200 << 20), compresslevel=9)
    assert len(bomb) < 256 << 10
    client = bench.client(bench.server(Reply(200, bomb, headers={"Content-Encoding": "gzip"})))
    tracemalloc.start()
    try:
        with pytest.raises(ServerMalformed, match="larger than"):
            initiate(client)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"2000\r\n" + bytes(8192) + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-More: more\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    ],
    ids=["chunks", "headers", "a header", "100 Continue"],
)
def test_an_answer_without_end(bench: Bench, raw: bytes) -> None:
    """An answer with endless chunks or headers raises a ServerError."""
    client = bench.client(bench.server(Reply(raw=raw, keep=False)))
    with pytest.raises(ServerError):
        initiate(client)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"header":'])
def test_nesting_without_end(bench: Bench, opening: bytes) -> None:
    """JSON that is nested too deeply is malformed."""
    client = bench.client(bench.server(Reply(200, opening * 25_000)))
    with pytest.raises(ServerMalformed):
        initiate(client)


def test_large_package_is_not_an_oversized_body(bench: Bench) -> None:
    """A bound profile package of a megabyte is accepted."""
    package = success(transactionId="01", boundProfilePackage="AAAA" * 350_000)
    client = bench.client(bench.server(Reply(200, package)))
    answer = client.get_bound_profile_package(
        transaction_id="01", prepare_download_response=b"\xbf\x21\x00", deadline=soon()
    )
    assert len(answer.bound_profile_package) == 1_050_000


def test_a_server_without_http_is_malformed(bench: Bench) -> None:
    """An answer over TLS that is not HTTP is malformed."""
    client = bench.client(bench.server(Reply(raw=b"220 mail.example.com ESMTP\r\n\r\n", keep=False)))
    with pytest.raises(ServerMalformed, match="as HTTP"):
        notify(client)


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"]
)
def test_answer_cut_off(bench: Bench, raw: bytes) -> None:
    """If the connection ends within the answer, the server counts as unreachable, which is retryable."""
    client = bench.client(bench.server(Reply(raw=raw, keep=False)))
    with pytest.raises(ServerUnreachable) as caught:
        notify(client)
    assert caught.value.retryable


def test_no_request_is_sent_twice(bench: Bench) -> None:
    """A request whose answer was cut off is not sent again."""
    server = bench.server(Reply(raw=b"", keep=False))
    with pytest.raises(ServerUnreachable):
        notify(bench.client(server))
    assert len(server.seen) == 1


def test_a_silent_server_costs_only_the_deadline(bench: Bench) -> None:
    """If a server accepts the request and stays silent, the request ends at its deadline."""
    release = threading.Event()

    def silent(_: Seen) -> Reply:
        release.wait(PLENTY)
        return Reply(204)

    client = bench.client(bench.server(silent))
    with pytest.raises(ServerUnreachable, match="in time") as caught:
        notify(client, deadline=Deadline.after(0.2))
    assert caught.value.retryable
    release.set()


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
    ],
)
def test_a_dripping_server_is_abandoned(bench: Bench, start: bytes) -> None:
    """If a server sends its answer byte by byte without an end, the request ends at its deadline."""
    done = threading.Event()

    server = bench.server(Reply(204))

    def drip(connection: socket.socket) -> None:
        with server.context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(start)
            while not done.wait(0.02):
                try:
                    secured.sendall(b"1")
                except OSError:
                    return

    server.below_tls = drip
    deadline = Deadline.after(0.4)
    with pytest.raises(ServerUnreachable, match="in time"):
        notify(bench.client(server), deadline=deadline)
    assert deadline.passed
    done.set()


def test_deadline_that_has_passed(bench: Bench) -> None:
    """If the deadline has passed, no request is sent."""
    server = bench.server(Reply(204))
    with pytest.raises(ServerUnreachable):
        notify(bench.client(server), deadline=Deadline.after(0))
    assert server.seen == []


def test_a_refused_connection_is_an_unreachable_server(trust: Trust) -> None:
    """If the connection is refused, the server is unreachable, which is retryable."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hosts = HostOverrides.parse({NAME: f"127.0.0.1:{port}"})
    with (
        Es9Plus(ServerAddress.parse(NAME), trust=trust, route=Route(hosts)) as client,
        pytest.raises(ServerUnreachable, match="connection refused") as caught,
    ):
        notify(client)
    assert caught.value.retryable


def test_name_that_does_not_exist(trust: Trust) -> None:
    """If the server's name cannot be looked up, the server is unreachable."""
    with (
        Es9Plus(ServerAddress.parse("smdp.invalid"), trust=trust) as client,
        pytest.raises(ServerUnreachable, match=r"look up smdp\.invalid"),
    ):
        notify(client)


def test_environment_names_no_proxy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies in the environment are ignored."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server = bench.server(Reply(204))
    notify(bench.client(server))
    assert server.connects == 1


def test_close_and_go_on(bench: Bench) -> None:
    """A closed client connects again when used again."""
    server = bench.server(Reply(204))
    client = bench.client(server)
    notify(client)
    client.close()
    notify(client)
    assert client.connects == 2
