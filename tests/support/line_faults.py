"""Every way in which a connection or a store goes wrong, as a `Deed` of the proxy.

Put here: one function for each kind of fault. Keep out: the proxy and when it applies a fault
(faulty_proxy.py); what an ingest must make of it (test_faults.py).
"""

from __future__ import annotations

from collections.abc import Callable

from tests.support.faulty_proxy import FOREVER, Answer, Deed, Exchange

_ERROR = "<Error><Code>{}</Code><Message>{}</Message></Error>"


def resets(after: int) -> Deed:
    """The line is reset after some bytes of the body."""

    def deed(to: Exchange) -> None:
        answer = to.forward()
        to.begin(answer)
        to.send(answer.body[:after])
        to.reset()

    return deed


def refuses() -> Deed:
    """The connection is reset before anything is answered."""

    def deed(to: Exchange) -> None:
        to.reset()

    return deed


def cuts(after: int) -> Deed:
    """The header promises all, the body ends early, in order."""

    def deed(to: Exchange) -> None:
        answer = to.forward()
        to.begin(answer)
        to.send(answer.body[:after])
        to.hang_up()

    return deed


def says(status: int, code: str, message: str = "made up") -> Deed:
    """The store answers with an error of S3's."""

    def deed(to: Exchange) -> None:
        body = _ERROR.format(code, message).encode()
        to.answer(Answer(status, body, {"Content-Type": "application/xml"}))

    return deed


def gives(body: bytes, status: int = 200) -> Deed:
    """Something else answers: a login page, nothing at all."""

    def deed(to: Exchange) -> None:
        to.answer(Answer(status, body, {"Content-Type": "text/html"}))

    return deed


def trickles(piece: int, pause: float, pieces: int = FOREVER) -> Deed:
    """The body comes in tiny pieces with pauses between them; the rest at once."""

    def deed(to: Exchange) -> None:
        answer = to.forward()
        to.begin(answer)
        begin = 0
        while begin < len(answer.body) and begin < piece * pieces and not to.calm.is_set():
            to.send(answer.body[begin : begin + piece])
            begin += piece
            to.wait(pause)
        to.send(answer.body[begin:])

    return deed


def stalls(after: int, seconds: float = 60) -> Deed:
    """After some bytes nothing comes any more, and the line stays open."""

    def deed(to: Exchange) -> None:
        answer = to.forward()
        to.begin(answer)
        to.send(answer.body[:after])
        to.wait(seconds)
        to.hang_up()

    return deed


def is_mute(seconds: float = 60) -> Deed:
    """The request is taken and never answered."""

    def deed(to: Exchange) -> None:
        to.wait(seconds)
        to.hang_up()

    return deed


def flips(where: float = 0.5) -> Deed:
    """Other bytes of the same number, under the same etag."""

    def deed(to: Exchange) -> None:
        answer = to.forward()
        body = bytearray(answer.body)
        body[int(len(body) * where)] ^= 0x55
        answer.body = bytes(body)
        to.answer(answer)

    return deed


def marks(etag: str) -> Deed:
    """The object has another etag than was listed."""

    def deed(to: Exchange) -> None:
        answer = to.forward()
        named = {k: v for k, v in answer.headers.items() if k.lower() != "etag"}
        to.answer(Answer(answer.status, answer.body, {**named, "ETag": f'"{etag}"'}))

    return deed


def ignores_ranges() -> Deed:
    """A store that does not know ranges: 200 and the whole body (as it was once sent)."""

    def deed(to: Exchange) -> None:
        to.answer(to.server.whole.get(to.store_request.key) or to.forward())

    return deed


def meanwhile(act: Callable[[], object]) -> Deed:
    """Something happens in the store just before the request arrives there."""

    def deed(to: Exchange) -> None:
        act()
        to.answer(to.forward())

    return deed
