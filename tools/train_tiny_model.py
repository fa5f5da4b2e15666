"""Train luckrig-tiny on rule-made dialogues and write engine/tiny.gguf.

    pip install torch gguf numpy
    PYTHONPATH=.links python tools/train_tiny_model.py --out engine/tiny.gguf

About 15 minutes on two idle CPU cores. The number of steps, not the clock, ends the training, so
one seed gives the same model again on the same machine and torch version.
"""

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as functional
from tiny_corpus import Conversation, Corpus
from tiny_network import Muon, forward, starting_weights
from tiny_tokenizer import Encoder, learn_vocabulary
from torch import Tensor

from luckrig.engine.model_file import (
    ASSISTANT_ID,
    BOS_ID,
    EOS_ID,
    SYSTEM_ID,
    USER_ID,
    ModelCard,
    ModelShape,
    Vocabulary,
    write_model,
)

CARD = ModelCard(
    name="luckrig-tiny",
    version="1.0",
    description="Tiny model of the luckrig demo, trained on rule-made dialogues; simple talk only.",
)
SHAPE = ModelShape(width=192, layers=4, heads=4, feed_forward=352, context_length=4096)
PIECE_COUNT = 700
VOCABULARY_SAMPLE = 15_000  # turns
ROW_LENGTH = 400  # tokens; the longest story has about 380
BATCH_SIZE = 8
LONG_ROW_LENGTH = 3200  # with as many fewer rows; long chats are another skill than long answers
LONG_ROW_INTERVAL = 6  # steps
STEPS = 1200
POOL_SIZE = 40  # conversations to choose from when a row is filled
MATRIX_RATE = 0.01  # twice as much learns as fast, but loses the planted heads
OTHER_RATE = 3e-3
WARM_UP_STEPS = 30
NO_LOSS = -100  # functional.cross_entropy ignores this target

# A jump in the positions between turns: the model is trained on short rows but must stay calm in
# a chat that has already filled the context, where the first tokens are thousands away.
JUMP_SHARE = 0.3
MAX_JUMP = 400

TURN_COUNTS = [1, 1, 1, 2, 3, 5]
LONG_TURN_COUNTS = [2, 5, 10, 20, 40, 60]


class Example(NamedTuple):
    """One encoded conversation; three lists of the same length."""

    tokens: list[int]
    targets: list[int]  # the next token where it belongs to an answer, else NO_LOSS
    positions: list[int]


def encode_conversation(
    conversation: Conversation, encoder: Encoder, rng: random.Random, max_length: int
) -> Example:
    """The conversation as the chat template writes it, cut at max_length."""
    tokens, answered, positions = [BOS_ID], [False], [0]

    def extend(ids: list[int], *, is_answer: bool) -> None:
        start = positions[-1] + 1
        tokens.extend(ids)
        answered.extend([is_answer] * len(ids))
        positions.extend(range(start, start + len(ids)))

    if conversation.system:
        extend([SYSTEM_ID, *encoder.encode(conversation.system)], is_answer=False)
    for turn in conversation.turns:
        if rng.random() < JUMP_SHARE:
            positions[-1] += rng.randrange(MAX_JUMP)
        extend([USER_ID, *encoder.encode(turn.ask), ASSISTANT_ID], is_answer=False)
        extend([*encoder.encode(turn.reply), EOS_ID], is_answer=True)
    targets = [
        token if is_answer else NO_LOSS
        for token, is_answer in zip(tokens[1:], answered[1:], strict=True)
    ]
    tokens, positions = tokens[:-1], positions[:-1]
    return Example(tokens[:max_length], targets[:max_length], positions[:max_length])


def rows(
    corpus: Corpus, encoder: Encoder, rng: random.Random, *, length: int, turn_counts: list[int]
) -> Iterator[list[Example]]:
    """Endless rows: the longest examples of a pool that still fit, so that few are cut."""
    pool: list[Example] = []
    while True:
        row: list[Example] = []
        room = length
        while True:
            while len(pool) < POOL_SIZE:
                conversation = corpus.conversation(rng.choice(turn_counts))
                pool.append(encode_conversation(conversation, encoder, rng, length))
            fitting = [example for example in pool if len(example.tokens) <= room]
            if not fitting:
                break
            chosen = max(fitting, key=lambda example: len(example.tokens))
            if not row:
                chosen = rng.choice(fitting)  # else short ones would wait in the pool for ever
            pool.remove(chosen)
            row.append(chosen)
            room -= len(chosen.tokens)
        yield row


def batch_of(
    source: Iterator[list[Example]], *, length: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tokens, targets, positions and the mask. No conversation sees another one of its row."""
    size = (BATCH_SIZE * ROW_LENGTH // length, length)
    tokens = torch.full(size, EOS_ID)
    targets = torch.full(size, NO_LOSS)
    positions = torch.zeros(size, dtype=torch.long)
    numbers = torch.full(size, -1)
    for index, row in zip(range(size[0]), source, strict=False):
        start = 0
        for number, example in enumerate(row):
            span = slice(start, start + len(example.tokens))
            tokens[index, span] = torch.tensor(example.tokens)
            targets[index, span] = torch.tensor(example.targets)
            positions[index, span] = torch.tensor(example.positions)
            numbers[index, span] = number
            start = span.stop
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    mask = (numbers[:, None, :, None] == numbers[:, None, None, :]) & earlier
    return tokens, targets, positions, mask


def train(
    vocabulary: Vocabulary, *, steps: int, seed: int
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Trained weights by GGUF name."""
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - a corpus, not a secret
    corpus, encoder = Corpus(rng), Encoder(vocabulary)
    short = rows(corpus, encoder, rng, length=ROW_LENGTH, turn_counts=TURN_COUNTS)
    long = rows(corpus, encoder, rng, length=LONG_ROW_LENGTH, turn_counts=LONG_TURN_COUNTS)
    weights = starting_weights(SHAPE, len(vocabulary), seed=seed)
    inside = [value for name, value in weights.items() if value.ndim == 2 and "blk." in name]
    outside = [value for name, value in weights.items() if value.ndim == 1 or "blk." not in name]
    muon = Muon(inside)
    adam = torch.optim.AdamW(outside, betas=(0.9, 0.98), weight_decay=0.0)
    began_at = time.monotonic()
    for step in range(steps):
        is_long = step % LONG_ROW_INTERVAL == LONG_ROW_INTERVAL - 1
        batch = (
            batch_of(long, length=LONG_ROW_LENGTH)
            if is_long
            else batch_of(short, length=ROW_LENGTH)
        )
        tokens, targets, positions, mask = batch
        states = forward(weights, SHAPE, tokens, positions, mask)
        known = targets != NO_LOSS
        logits = functional.linear(states[known], weights["output.weight"])
        loss = functional.cross_entropy(logits, targets[known])
        loss.backward()
        pace = min(1.0, (step + 1) / WARM_UP_STEPS, 1.15 * (1 - step / steps))
        for group in adam.param_groups:
            group["lr"] = OTHER_RATE * pace
        adam.step()
        adam.zero_grad()
        muon.step(MATRIX_RATE * pace)
        if step % 25 == 0 or step == steps - 1:
            seconds = time.monotonic() - began_at
            print(f"step {step} loss {loss.item():.3f} after {seconds:.0f} s", flush=True)
    return {name: value.detach().numpy() for name, value in weights.items()}


def vocabulary_for(seed: int) -> Vocabulary:
    """The vocabulary that suits a sample of the corpus."""
    corpus = Corpus(random.Random(seed))  # noqa: S311 - a corpus, not a secret
    turns = [corpus.turn() for _ in range(VOCABULARY_SAMPLE)]
    return learn_vocabulary(
        [turn.ask for turn in turns], [turn.reply for turn in turns], PIECE_COUNT
    )


def main() -> None:
    """Learn the vocabulary, train, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("engine/tiny.gguf"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    vocabulary = vocabulary_for(options.seed)
    weights = train(vocabulary, steps=options.steps, seed=options.seed)
    write_model(
        options.out,
        weights,
        shape=SHAPE,
        vocabulary=vocabulary,
        card=CARD,
        quantisation="q8_0",
    )
    count = sum(array.size for array in weights.values())
    size = options.out.stat().st_size
    print(f"{options.out}: {count} parameters, {len(vocabulary)} tokens, {size} bytes")


if __name__ == "__main__":
    main()
