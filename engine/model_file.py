"""Write a Llama-architecture GGUF that llama.cpp loads: vocabulary, chat template, metadata.

Pure over numpy arrays, except for the one file it writes. Needs `gguf` and `numpy`, which are
test dependencies: nothing else in luckrig.engine imports this module. Training lives in
tools/train_tiny_model.py.

Layout of the vocabulary, which is SentencePiece-style ("llama" tokenizer) without a space prefix:

    id           token                                          kind
    0 1 2        <unk> <s> </s>                                 unknown, control, control
    3 ... 6      <|system|> <|user|> <|assistant|> <|tool|>     control, one before each turn
    7 ... 262    <0x00> ... <0xFF>                              byte: any UTF-8 text tokenises
    263 ...      single characters                              normal
    then         merged pieces, the earliest merge first        normal, falling scores
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import gguf
import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = Mapping[str, NDArray[np.float32]]
"""Tensors by GGUF name, in torch layout: (outputs, inputs), or (width,) for norms."""

Quantisation: TypeAlias = Literal["f16", "q8_0"]

SPACE = "\u2581"  # SentencePiece writes a space as this visible sign
SPECIAL_TOKENS = ("<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
UNKNOWN_ID, BOS_ID, EOS_ID, SYSTEM_ID, USER_ID, ASSISTANT_ID, TOOL_ID = range(7)
BYTES_START = len(SPECIAL_TOKENS)
CHARACTERS_START = BYTES_START + 256
ASCII_CHARACTERS = SPACE + "\n" + "".join(chr(code) for code in range(33, 127))

# A large base lets half of each head hardly turn within the context: room for matching a word with
# the same word at any distance. With 10,000 the tiny model never learned to repeat a name.
ROPE_BASE = 1_000_000.0
NORM_EPSILON = 1e-5

# One control token opens each turn and </s> closes an answer. Content may be text, a list of
# parts, or null (an assistant turn that only holds tool calls).
CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- set marks = {
    'system': '<|system|>', 'developer': '<|system|>', 'assistant': '<|assistant|>',
    'tool': '<|tool|>', 'function': '<|tool|>'} -%}
{%- for message in messages -%}
  {{- marks.get(message['role'], '<|user|>') -}}
  {%- if message['content'] is string -%}
    {{- message['content'] -}}
  {%- elif message['content'] -%}
    {%- for part in message['content'] if part['type'] == 'text' -%}
      {{- part['text'] -}}
    {%- endfor -%}
  {%- endif -%}
  {%- if message['role'] == 'assistant' -%}{{- eos_token -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """Sizes of the network. width and feed_forward must be multiples of 32 for q8_0."""

    width: int = 64
    layers: int = 2
    heads: int = 2
    feed_forward: int = 128
    context_length: int = 4096


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What the file says about itself."""

    name: str
    version: str
    description: str
    license: str = "CC0-1.0"


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """characters: single signs with a token of their own; every other sign becomes UTF-8 bytes.

    pieces: merged tokens, the earliest merge first. A piece must be the concatenation of two
    tokens that exist before it, otherwise the tokenizer can never reach it.
    """

    characters: str = ASCII_CHARACTERS
    pieces: tuple[str, ...] = ()

    def tokens(self) -> list[str]:
        """All token texts; the index is the token id."""
        byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
        return [*SPECIAL_TOKENS, *byte_tokens, *self.characters, *self.pieces]

    def kinds(self) -> list[int]:
        """gguf.TokenType of each token."""
        normal_count = len(self.characters) + len(self.pieces)
        control_count = len(SPECIAL_TOKENS) - 1
        kinds = [gguf.TokenType.UNKNOWN] + [gguf.TokenType.CONTROL] * control_count
        kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * normal_count
        return [int(kind) for kind in kinds]

    def scores(self) -> list[float]:
        """The tokenizer merges the neighbours whose joined piece has the highest score first."""
        first_piece = CHARACTERS_START + len(self.characters)
        return [0.0] * first_piece + [-float(rank) for rank in range(1, len(self.pieces) + 1)]

    def __len__(self) -> int:
        return CHARACTERS_START + len(self.characters) + len(self.pieces)


def tensor_shapes(shape: ModelShape, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    """Every tensor's name and shape."""
    width, feed_forward = shape.width, shape.feed_forward
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary_size, width)}
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        shapes[f"{block}.attn_norm.weight"] = (width,)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"{block}.{part}.weight"] = (width, width)
        shapes[f"{block}.ffn_norm.weight"] = (width,)
        shapes[f"{block}.ffn_gate.weight"] = (feed_forward, width)
        shapes[f"{block}.ffn_up.weight"] = (feed_forward, width)
        shapes[f"{block}.ffn_down.weight"] = (width, feed_forward)
    shapes["output_norm.weight"] = (width,)
    shapes["output.weight"] = (vocabulary_size, width)
    return shapes


def random_weights(
    shape: ModelShape, vocabulary_size: int, *, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Untrained weights: ones for norms, normally distributed elsewhere."""
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.float32]] = {}
    for name, tensor_shape in tensor_shapes(shape, vocabulary_size).items():
        if len(tensor_shape) == 1:
            weights[name] = np.ones(tensor_shape, dtype=np.float32)
            continue
        scale = 0.02 if name == "token_embd.weight" else tensor_shape[-1] ** -0.5
        weights[name] = rng.normal(0.0, scale, tensor_shape).astype(np.float32)
    return weights


def write_model(
    path: Path,
    weights: Weights,
    *,
    shape: ModelShape,
    vocabulary: Vocabulary,
    card: ModelCard,
    quantisation: Quantisation = "f16",
) -> None:
    """Write the GGUF. Raises ValueError when the weights do not fit shape and vocabulary."""
    found = {name: array.shape for name, array in weights.items()}
    if found != tensor_shapes(shape, len(vocabulary)):
        raise ValueError("the weights do not fit the model's shape and vocabulary")
    writer = gguf.GGUFWriter(path, "llama")
    _add_card(writer, card, parameter_count=sum(array.size for array in weights.values()))
    _add_architecture(writer, shape, vocabulary_size=len(vocabulary), quantisation=quantisation)
    _add_tokenizer(writer, vocabulary)
    for name, array in weights.items():
        _add_tensor(writer, name, array, quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_random_model(
    path: Path,
    seed: int,
    *,
    shape: ModelShape | None = None,
    quantisation: Quantisation = "f16",
) -> None:
    """Write an untrained model: it loads and runs like any other and answers gibberish."""
    shape = shape or ModelShape()
    vocabulary = Vocabulary()
    write_model(
        path,
        random_weights(shape, len(vocabulary), seed=seed),
        shape=shape,
        vocabulary=vocabulary,
        card=ModelCard(name="luckrig-random", version="0", description="Random weights for tests."),
        quantisation=quantisation,
    )


def _add_card(writer: gguf.GGUFWriter, card: ModelCard, *, parameter_count: int) -> None:
    writer.add_name(card.name)
    writer.add_version(card.version)
    writer.add_description(card.description)
    writer.add_license(card.license)
    writer.add_size_label(f"{parameter_count / 1e6:.1f}M")


def _add_architecture(
    writer: gguf.GGUFWriter, shape: ModelShape, *, vocabulary_size: int, quantisation: Quantisation
) -> None:
    file_types = {
        "f16": gguf.LlamaFileType.MOSTLY_F16,
        "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    }
    writer.add_file_type(file_types[quantisation])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(vocabulary_size)
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_token_list(vocabulary.tokens())
    writer.add_token_scores(vocabulary.scores())
    writer.add_token_types(vocabulary.kinds())
    writer.add_unk_token_id(UNKNOWN_ID)
    writer.add_bos_token_id(BOS_ID)
    writer.add_eos_token_id(EOS_ID)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_tensor(
    writer: gguf.GGUFWriter, name: str, array: NDArray[np.float32], quantisation: Quantisation
) -> None:
    """Matrices are quantised; norms stay float32, as llama.cpp expects."""
    kind = "F32" if array.ndim == 1 else quantisation.upper()
    tensor_type = gguf.GGMLQuantizationType[kind]
    data = gguf.quants.quantize(np.ascontiguousarray(array, dtype=np.float32), tensor_type)
    writer.add_tensor(name, data, raw_dtype=tensor_type)
