"""The tiny model's network in torch, its start and its optimiser. Weights keep their GGUF names.

Same mathematics as llama.cpp's "llama" architecture: RMS norm, rotary positions on neighbouring
pairs, SwiGLU.
"""

from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor

from luckrig.engine.model_file import BOS_ID, NORM_EPSILON, ROPE_BASE, ModelShape, random_weights

Array: TypeAlias = NDArray[np.float32]

# Coefficients of the quintic Newton-Schulz iteration that makes a matrix nearly orthogonal;
# source: Keller Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024).
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


# Strengths of the planted copying heads, found by trying: with these the untrained network already
# continues a repeated random sequence correctly nine times of ten.
BIAS_DIMENSION = 0  # of the embedding: the same in each token, so that a query can be constant
SINK_DIMENSION = 1  # of the embedding: only in <s>, where a head looks that found nothing
BIAS_STRENGTH = 3.0
SINK_STRENGTH = 8.0
SINK_QUERY = 3.0
PREVIOUS_STRENGTH = 4.0
MATCH_STRENGTH = 2.5
COPY_STRENGTH = 5.0
NOTE_STRENGTH = 2.0
FAST_PAIRS = 6  # rotary pairs that turn enough from one position to the next to tell them apart
NOTE_WIDTH = 30  # dimensions in which a token notes down the token before it


def starting_weights(shape: ModelShape, vocabulary_size: int, *, seed: int) -> dict[str, Tensor]:
    """Random weights, silent blocks, and two heads that can copy.

    Repeating a name or a number needs two heads that find each other: one notes down the previous
    token, one looks for a note that equals the current token and copies what stands there. That
    takes thousands of steps to appear by chance and is known in advance, so it is planted: layer
    0 notes, layers 1 and 2 look up. Training keeps and refines it. All else starts at zero
    output, so that early layers do not drown the embeddings.
    """
    weights = random_weights(shape, vocabulary_size, seed=seed)
    embedding = weights["token_embd.weight"]
    embedding /= embedding.std()
    embedding[BOS_ID] = 0.0
    embedding[:, BIAS_DIMENSION] = BIAS_STRENGTH
    embedding[:, SINK_DIMENSION] = 0.0
    embedding[BOS_ID, SINK_DIMENSION] = SINK_STRENGTH
    for layer in range(shape.layers):
        weights[f"blk.{layer}.attn_output.weight"][:] = 0.0
        weights[f"blk.{layer}.ffn_down.weight"][:] = 0.0
    rng = np.random.default_rng(seed)
    # A token is written in turned directions: else each token would first of all predict itself.
    turn = random_directions(shape.width, rng)
    weights["output.weight"][:] = embedding @ turn.T * shape.width**-0.5
    plant_copying_heads(weights, shape, turn, rng)
    return {name: torch.tensor(array, requires_grad=True) for name, array in weights.items()}


def plant_copying_heads(
    weights: dict[str, Array], shape: ModelShape, turn: Array, rng: np.random.Generator
) -> None:
    """Write head 0 of layers 0, 1 and 2."""
    head = shape.width // shape.heads
    directions = random_directions(shape.width, rng)
    directions[[BIAS_DIMENSION, SINK_DIMENSION]] = 0.0
    content, note, *copies = np.split(
        directions.T, np.cumsum([NOTE_WIDTH, NOTE_WIDTH, head, head]), axis=0
    )

    angles = ROPE_BASE ** (-2 * np.arange(FAST_PAIRS) / head)
    query, key = np.zeros(head), np.zeros(head)
    query[: 2 * FAST_PAIRS : 2] = PREVIOUS_STRENGTH
    key[: 2 * FAST_PAIRS : 2] = PREVIOUS_STRENGTH * np.cos(angles)  # one position behind
    key[1 : 2 * FAST_PAIRS : 2] = PREVIOUS_STRENGTH * np.sin(angles)
    weights["blk.0.attn_q.weight"][:head] = 0.0
    weights["blk.0.attn_k.weight"][:head] = 0.0
    weights["blk.0.attn_q.weight"][:head, BIAS_DIMENSION] = query
    weights["blk.0.attn_k.weight"][:head, BIAS_DIMENSION] = key
    weights["blk.0.attn_v.weight"][:NOTE_WIDTH] = content
    weights["blk.0.attn_output.weight"][:, :NOTE_WIDTH] = NOTE_STRENGTH * note.T

    # The pairs that hardly turn: how far away a match is must not matter.
    slow, slowest = slice(head - 2 - NOTE_WIDTH, head - 2), head - 2
    for layer, copied in zip((1, 2), copies, strict=False):
        weights[f"blk.{layer}.attn_q.weight"][:head] = 0.0
        weights[f"blk.{layer}.attn_k.weight"][:head] = 0.0
        weights[f"blk.{layer}.attn_q.weight"][slow] = MATCH_STRENGTH * content
        weights[f"blk.{layer}.attn_k.weight"][slow] = MATCH_STRENGTH * note
        weights[f"blk.{layer}.attn_q.weight"][slowest, BIAS_DIMENSION] = SINK_QUERY
        weights[f"blk.{layer}.attn_k.weight"][slowest, SINK_DIMENSION] = 1.0
        weights[f"blk.{layer}.attn_v.weight"][:head] = copied
        weights[f"blk.{layer}.attn_output.weight"][:, :head] = COPY_STRENGTH * turn @ copied.T


def random_directions(width: int, rng: np.random.Generator) -> Array:
    """A random orthogonal matrix."""
    directions, _ = np.linalg.qr(rng.normal(size=(width, width)))
    return directions.astype(np.float32)


def rotary_table(positions: Tensor, head_width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (batch, 1, length, head_width / 2)."""
    frequencies = ROPE_BASE ** (-torch.arange(0, head_width, 2).float() / head_width)
    angles = positions[:, None, :, None].float() * frequencies
    return angles.cos(), angles.sin()


def rotate(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn each neighbouring pair by its angle: llama.cpp's NORMAL rope."""
    first, second = heads[..., 0::2], heads[..., 1::2]
    pairs = (first * cosines - second * sines, first * sines + second * cosines)
    return torch.stack(pairs, -1).flatten(-2)


def forward(
    weights: dict[str, Tensor], shape: ModelShape, tokens: Tensor, positions: Tensor, mask: Tensor
) -> Tensor:
    """The last states, (batch, length, width). mask: True where a token may look, (batch, 1, q, k).

    Times output.weight they are the logits: the caller does that only where it needs them.
    """
    batch, length = tokens.shape
    head_width = shape.width // shape.heads
    cosines, sines = rotary_table(positions, head_width)

    def split(projected: Tensor) -> Tensor:
        return projected.view(batch, length, shape.heads, head_width).transpose(1, 2)

    def norm(values: Tensor, name: str) -> Tensor:
        return functional.rms_norm(values, (shape.width,), weights[f"{name}.weight"], NORM_EPSILON)

    def project(values: Tensor, name: str) -> Tensor:
        return functional.linear(values, weights[f"{name}.weight"])

    state = functional.embedding(tokens, weights["token_embd.weight"])
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        normed = norm(state, f"{block}.attn_norm")
        query = rotate(split(project(normed, f"{block}.attn_q")), cosines, sines)
        key = rotate(split(project(normed, f"{block}.attn_k")), cosines, sines)
        value = split(project(normed, f"{block}.attn_v"))
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined = seen.transpose(1, 2).reshape(batch, length, shape.width)
        state = state + project(joined, f"{block}.attn_output")
        normed = norm(state, f"{block}.ffn_norm")
        gate = functional.silu(project(normed, f"{block}.ffn_gate"))
        state = state + project(gate * project(normed, f"{block}.ffn_up"), f"{block}.ffn_down")
    return norm(state, "output_norm")


class Muon:
    """Momentum, made orthogonal, for the matrices inside the blocks.

    About twice as many lessons from each step as AdamW on a model of this size, which matters
    when training has minutes. Matrices of one shape are handled as one stack: that is faster.
    """

    def __init__(self, matrices: list[Tensor], momentum: float = 0.95) -> None:
        self._momentum = momentum
        self._stacks: dict[torch.Size, list[Tensor]] = {}
        for matrix in matrices:
            self._stacks.setdefault(matrix.shape, []).append(matrix)
        self._averages = {
            shape: torch.zeros(len(stack), *shape) for shape, stack in self._stacks.items()
        }

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every matrix once along its gradient."""
        for shape, stack in self._stacks.items():
            gradients = torch.stack([matrix.grad for matrix in stack])
            average = self._averages[shape].lerp_(gradients, 1 - self._momentum)
            update = orthogonalise(gradients.lerp(average, self._momentum))
            scale = learning_rate * max(1.0, shape[0] / shape[1]) ** 0.5
            for matrix, change in zip(stack, update, strict=True):
                matrix.sub_(change, alpha=scale)
                matrix.grad = None


def orthogonalise(stack: Tensor) -> Tensor:
    """Nearly U V^T of each matrix's U S V^T."""
    tall = stack.shape[1] > stack.shape[2]
    values = stack.mT if tall else stack
    values = values / (values.norm(dim=(1, 2), keepdim=True) + 1e-7)
    first, second, third = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = values @ values.mT
        values = first * values + (second * square + third * square @ square) @ values
    return values.mT if tall else values
