"""The engine that `luckrig register` puts on the map; never one that its owner didn't start."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from luckrig.cli.engines import chosen_engine
from luckrig.cli.home import Home
from luckrig.cli.rig_plan import chosen
from luckrig.nodeproxy.engines.advice import what_to_do
from luckrig.nodeproxy.engines.detect import Examined, Found, Missed, examine, find_engines
from luckrig.nodeproxy.settings import engine_api_key, engine_context

LOADING_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0

Examine = Callable[[str], Awaitable[Examined]]


class NoEngine(Exception):
    """There is none to use. tried: every address, with what answered there."""

    def __init__(self, tried: list[Examined]) -> None:
        super().__init__("no engine to use")
        self.tried = tried


class Choice(NamedTuple):
    """engine: the one to use. others: addresses of further ones that could be used."""

    engine: Found
    others: list[str]


@asynccontextmanager
async def engine_of(
    wanted: str, home: Home, environ: Mapping[str, str], tell: Callable[[str], None]
) -> AsyncGenerator[Choice, None]:
    """An engine for the block's time. wanted: auto, tiny, or a URL. tell: shows a line meanwhile.

    Raises NoEngine. One that loads its model is waited for.
    """
    key, context = engine_api_key(environ), chosen(engine_context, environ)

    async def look(url: str) -> Examined:
        return await examine(url, api_key=key, num_ctx=context)

    if wanted == "auto":
        search = await find_engines(num_ctx=context)
        # The key goes to engines that ask for one, not to whatever listens at those ports.
        found = [
            await look(each.url) if key and each.state.status == "locked" else each
            for each in search.found
        ]
        yield await pick([*found, *search.missed], look, tell)
    elif wanted == "tiny":
        async with chosen_engine("tiny", home) as url:
            yield await pick([await look(url)], look, tell)
    else:
        yield await pick([await look(wanted)], look, tell)


async def pick(
    tried: list[Examined],
    look: Examine,
    tell: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Choice:
    """The first one that can be used, or will be within LOADING_SECONDS. Raises NoEngine."""
    found = [each for each in tried if isinstance(each, Found)]
    usable = [each for each in found if what_to_do(each.state) is None]
    if usable:
        return Choice(usable[0], [each.url for each in usable[1:]])
    loading = next((each for each in found if each.state.status == "loading"), None)
    if loading is None:
        raise NoEngine(tried)
    now = await _loaded(loading, look, tell, sleep)
    if isinstance(now, Missed) or what_to_do(now.state) is not None:
        raise NoEngine([now, *(each for each in tried if each.url != now.url)])
    return Choice(now, [])


async def _loaded(
    engine: Found,
    look: Examine,
    tell: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]],
) -> Examined:
    """How it is when it has loaded its model, or when that takes too long."""
    now: Examined = engine
    tell(f"The {engine.state.kind} at {engine.url} is loading its model; waiting for it…")
    for _ in range(round(LOADING_SECONDS / LOOK_SECONDS)):
        await sleep(LOOK_SECONDS)
        now = await look(engine.url)
        if isinstance(now, Missed) or now.state.status != "loading":
            break
    return now
