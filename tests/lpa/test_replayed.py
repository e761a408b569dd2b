"""If a server replays or swaps answers, nothing is installed."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lpa.bench import DEVICE, OTHER_ICCID, Bench, Caller, soon
from lpad.base.errors import ServerError, ServerMalformed
from lpad.lpa.download import Download, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.remote.es9plus import Es9Plus
    from lpad.remote.https.connection import HttpAnswer
    from lpad.simulator.smdp.store.order import Order as ServersOrder

FUNCTIONS = ("initiateAuthentication", "authenticateClient", "getBoundProfilePackage")


@contextmanager
def between(server: Es9Plus, say: Callable[[str, HttpAnswer], HttpAnswer]) -> Iterator[None]:
    """Have `say` replace the real server's answers, by function, until the block ends."""
    post = server._connection.post

    def said(path: str, *words: object, **more: object) -> HttpAnswer:
        answer = post(path, *words, **more)  # type: ignore[arg-type]  # passed on
        return say(path.rpartition("/")[2], answer)

    server._connection.post = said  # type: ignore[method-assign]  # replaced on purpose
    yield


def download(bench: Bench, order: ServersOrder, say: Callable[[str, HttpAnswer], HttpAnswer]) -> None:
    wanted = Order.from_activation_code(bench.code(order))
    with bench.euicc() as euicc, bench.server() as server, between(server, say):
        Download(euicc, server, wanted, device=DEVICE, listener=Caller()).run(deadline=soon())


def answers_of_a_download(bench: Bench) -> dict[str, HttpAnswer]:
    """Carry out a download, and return the server's answers by function."""
    heard: dict[str, HttpAnswer] = {}

    def listen(function: str, answer: HttpAnswer) -> HttpAnswer:
        heard[function] = answer
        return answer

    download(bench, bench.order(), listen)
    return heard


@pytest.mark.parametrize("replayed", FUNCTIONS)
def test_an_answer_of_another_session(bench: Bench, replayed: str) -> None:
    """A download in which the server replays an answer of an earlier download installs nothing."""
    heard = answers_of_a_download(bench)
    held = bench.card.profiles
    with pytest.raises(ServerMalformed):
        download(
            bench,
            bench.order(OTHER_ICCID),
            lambda function, answer: heard[function] if function == replayed else answer,
        )
    assert bench.card.profiles == held


@pytest.mark.parametrize(("place", "other"), list(itertools.permutations(FUNCTIONS, 2)))
def test_answers_in_each_other_s_place(bench: Bench, place: str, other: str) -> None:
    """If a server gives the answer to another function of an earlier download, nothing is installed."""
    heard = answers_of_a_download(bench)
    held = bench.card.profiles
    with pytest.raises(ServerError):
        download(
            bench,
            bench.order(OTHER_ICCID),
            lambda function, answer: heard[other] if function == place else answer,
        )
    assert bench.card.profiles == held
