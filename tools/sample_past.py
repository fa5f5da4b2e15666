"""What sample rigs went through before somebody looks at their pages.

80 days of hours, timings that users shared, notes that others reproduced.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Final

from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.notes import Note, Reproduction, sign_note, sign_reproduction
from luckrig.protocol.wire import NodeView
from luckrig.tracker.domain.receipts import TimingRecord
from luckrig.tracker.domain.records import NoteRecord, ReproductionRecord
from luckrig.tracker.store.memory import MemoryStore

DAYS: Final = 80
_DAY: Final = 86_400
_PROMPTS: Final = (40, 600, 2000, 9000)
_USERS: Final = 7
_NOTE: Final = (
    "Flash attention and a quantised KV cache give room for twice the context:\n"
    "$ llama-server --flash-attn on --cache-type-k q8_0 --cache-type-v q8_0\n",
    "Flash attention and a quantised KV cache give room for twice the context, and this card loses "
    "nothing at 200 W:\n"
    "$ llama-server --flash-attn on --cache-type-k q8_0 --cache-type-v q8_0\n"
    "$ nvidia-smi --power-limit 200\n",
)


def sample_key(seed: str) -> PrivateKey:
    """The same for the same seed."""
    return PrivateKey(hashlib.sha256(seed.encode()).digest())


async def give_past(
    store: MemoryStore, rigs: Sequence[tuple[str, NodeView]], *, clock: Callable[[], float]
) -> None:
    """rigs: (node id, what it is), in any order. Each is there most of the time."""
    chance = random.Random(8)  # noqa: S311 -- guards nothing, and pictures should repeat
    now = int(clock())
    await _live(store, [node_id for node_id, _ in rigs], now=now, chance=chance)
    await _share(store, rigs, now=now, chance=chance)
    for node_id, rig in rigs:
        if rig.hardware.gpu is not None:
            await _write_notes(store, node_id, now=now)


async def _live(
    store: MemoryStore, node_ids: Sequence[str], *, now: int, chance: random.Random
) -> None:
    today = now // _DAY
    for day in range(today - DAYS, today + 1):
        awake = {node_id: chance.choice((24, 24, 24, 23, 16, 8, 0)) for node_id in node_ids}
        for hour in range(day * 24, min(day * 24 + 24, now // 3600)):
            there = [node_id for node_id in node_ids if hour % 24 < awake[node_id]]
            await store.contributions.add_live(hour=hour, scarcities=dict.fromkeys(there, 500))
        if day < today:
            await store.contributions.close_day(day=day, entries=[])


async def _share(
    store: MemoryStore,
    rigs: Sequence[tuple[str, NodeView]],
    *,
    now: int,
    chance: random.Random,
) -> None:
    shared = [
        TimingRecord(
            node_id=node_id,
            request_id=f"sample-{number}-{prompt}-{user}",
            account=derive_id("u1", sample_key(f"reader {user}").public),
            model=rig.offers[0].model,
            prompt_tokens=prompt,
            completion_tokens=300,
            ttft_ms=round(90 + prompt * chance.uniform(0.35, 0.6), 1),
            tokens_per_second=round(speed * chance.uniform(0.85, 1.1) / (1 + prompt / 20_000), 1),
            shared_at=now - chance.randrange(30 * _DAY),
        )
        for number, (node_id, rig) in enumerate(rigs)
        for speed in (chance.uniform(6, 60),)
        for prompt in _PROMPTS
        for user in range(1 + (number * 3 + 4) % _USERS)
    ]
    await store.contributions.put_receipts([], shared, [])


async def _write_notes(store: MemoryStore, node_id: str, *, now: int) -> None:
    author, note_id = sample_key("author"), f"sample-note-{node_id[2:10]}"
    for version, text in enumerate(_NOTE, start=1):
        at = now - (40 - 20 * version + 20) * _DAY
        note = Note(
            note_id=note_id, version=version, node_id=node_id, text=text, references=[], iat=at
        )
        await store.notes.put_note(
            NoteRecord(
                note_id=note_id,
                version=version,
                author_id=derive_id("u1", author.public),
                node_id=node_id,
                signed=sign_note(note, author_key=author),
                created_at=at,
            )
        )
    for number in range(3):
        reader = sample_key(f"reader {number}")
        word = Reproduction(note_id=note_id, version=2, iat=now - number * _DAY)
        await store.notes.put_reproduction(
            ReproductionRecord(
                note_id=note_id,
                user_id=derive_id("u1", reader.public),
                version=2,
                signed=sign_reproduction(word, user_key=reader),
                created_at=now - number * _DAY,
            ),
            [],
        )
