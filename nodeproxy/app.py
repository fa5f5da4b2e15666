"""The application of a node proxy: finds a request's route, runs its steps, answers errors."""

import asyncio
import logging
import traceback
from typing import Final

import msgspec

from luckrig.nodeproxy.cors import PageRules
from luckrig.nodeproxy.counters import DONE, GONE, Counters
from luckrig.nodeproxy.exchange import EVENT_STREAM, TEXT, Connection, Exchange
from luckrig.nodeproxy.ids import RandomIds
from luckrig.nodeproxy.pipeline import Pipeline
from luckrig.nodeproxy.server.connection import RequestHead
from luckrig.nodeproxy.server.head import header_block, single_headers
from luckrig.protocol.errors import LuckrigError, error_body

_FINAL: Final = frozenset({"content_filter", "turn_timeout", "rig_paused"})
"""The same request would end the same way, as far as a client's two or three retries go."""

_log = logging.getLogger(__name__)


class NodeProxy:
    """Implements server.Application. hosts: the values of the Host header that it answers to.

    pages: which web pages may read the answers.
    """

    def __init__(
        self, pipeline: Pipeline, counters: Counters, *, hosts: frozenset[str], pages: PageRules
    ) -> None:
        self._pipeline = pipeline
        self._counters = counters
        self._hosts = hosts
        self._pages = pages
        self._ids = RandomIds()

    async def __call__(self, connection: Connection, head: RequestHead) -> None:
        """Answer one request. Its task is cancelled when the client leaves."""
        exchange = Exchange(
            connection=connection,
            headers={},
            request_id=self._ids.request_id(),
            method=head.method,
            path=head.path,
            rig_headers=self._pipeline.rig_headers,
        )
        outcome = GONE
        try:
            outcome = await self._answer(exchange, head)
        except asyncio.CancelledError:
            exchange.close()  # a client that doesn't read why holds nothing meanwhile
            if exchange.is_answered:  # the client left, or we stop, between the ending and here
                outcome = DONE
            elif exchange.cut_by is None:
                _log.info("%s client gone", exchange.request_id)
            else:
                outcome = exchange.cut_by.code
                _send_error(exchange, exchange.cut_by)
        finally:
            exchange.close()
            self._counters.end(exchange.endpoint, outcome, exchange.meter)

    async def _answer(self, exchange: Exchange, head: RequestHead) -> str:
        """The outcome: DONE, or the code of the error that was sent."""
        try:
            exchange.headers = single_headers(head.headers, self._hosts)
            if b"origin" in exchange.headers and self._admit_page(exchange):
                return DONE
            route = self._pipeline.route(head.method, head.path)
            exchange.endpoint = route.endpoint
            for step in route.steps:
                await step(exchange)
            if exchange.finish is not None:
                await exchange.finish()
            _log.info("%s %s done", exchange.request_id, exchange.endpoint)
        except LuckrigError as error:
            exchange.close()
            _send_error(exchange, error)
            return error.code
        except Exception as error:  # the one place where a bug of ours becomes an answer
            # Type and place alone: the message could quote the prompt.
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__qualname__
            _log.error("%s %s at %s:%s", exchange.request_id, kind, where.filename, where.lineno)
            _send_error(exchange, _internal(exchange.request_id))
            return "internal_error"
        else:
            return DONE

    def _admit_page(self, exchange: Exchange) -> bool:
        """Let a page of the rig's tracker read the answer.

        Whether it is answered already, because its browser only asked whether it may.
        """
        methods = self._pipeline.methods_for_pages(exchange.path)
        if exchange.method in methods:
            exchange.rig_headers += self._pages.readable(exchange.headers)
        elif exchange.method == "OPTIONS":
            permission = self._pages.permission(exchange.headers, methods)
            if permission is not None:
                exchange.endpoint = "preflight"
                exchange.start(TEXT, headers=permission, length=0)
                exchange.connection.write(b"", more=False)
                return True
        return False


def _send_error(exchange: Exchange, error: LuckrigError) -> None:
    _log.info("%s %s %s", exchange.request_id, exchange.endpoint or "-", error.code)
    body = msgspec.json.encode(error_body(error))
    if not exchange.started:
        exchange.send_json(body, status=error.status, headers=header_block(_error_headers(error)))
    elif exchange.started == EVENT_STREAM:  # too late for a status
        events = b"data: " + body + b"\n\n"
        if exchange.error_events is not None:
            events = exchange.error_events(error)
        exchange.connection.write(events, more=False)
    else:  # a document that was on its way stays unfinished
        exchange.connection.abort()


def _error_headers(error: LuckrigError) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", str(error.retry_after_seconds).encode("ascii")))
    if error.code in _FINAL:  # the stock openai client obeys it
        headers.append((b"x-should-retry", b"false"))
    return headers


def _internal(request_id: str) -> LuckrigError:
    return LuckrigError("internal_error", f"Internal error. Its number is {request_id}.")
