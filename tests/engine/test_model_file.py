"""What the GGUF says about itself, read back with gguf's own reader."""

from pathlib import Path

import gguf
import pytest

from luckrig.engine.model_file import (
    BOS_ID,
    CHARACTERS_START,
    EOS_ID,
    ModelCard,
    ModelShape,
    Vocabulary,
    random_weights,
    write_model,
    write_random_model,
)
from tests.engine.conftest import SHIPPED_MODEL

MAX_SHIPPED_BYTES = 2_000_000  # everybody who installs luckrig downloads it


# gguf's reader is untyped where it hands out values.
def field(path: Path, name: str) -> object:
    """One metadata value."""
    found = gguf.GGUFReader(path).get_field(name)
    assert found is not None, name
    value: object = found.contents()
    return value


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    """Tests that compare answers may rely on it."""
    write_random_model(tmp_path / "one.gguf", seed=3)
    write_random_model(tmp_path / "two.gguf", seed=3)
    write_random_model(tmp_path / "other.gguf", seed=4)
    one, two, other = ((tmp_path / f"{name}.gguf").read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_q8_0_halves_the_file(tmp_path: Path) -> None:
    """8 bits and a scale for 32 weights, against 16 bits."""
    write_random_model(tmp_path / "f16.gguf", seed=3)
    write_random_model(tmp_path / "q8.gguf", seed=3, quantisation="q8_0")
    ratio = (tmp_path / "q8.gguf").stat().st_size / (tmp_path / "f16.gguf").stat().st_size
    assert 0.5 < ratio < 0.65


def test_metadata_describes_the_model(tmp_path: Path) -> None:
    """llama.cpp builds the network from these fields alone."""
    path = tmp_path / "model.gguf"
    write_random_model(path, seed=3, shape=ModelShape(width=96, heads=3, context_length=1024))
    assert field(path, "general.architecture") == "llama"
    assert field(path, "general.license") == "CC0-1.0"
    assert field(path, "llama.embedding_length") == 96
    assert field(path, "llama.context_length") == 1024
    assert field(path, "llama.rope.dimension_count") == 32
    assert field(path, "tokenizer.ggml.bos_token_id") == BOS_ID
    assert field(path, "tokenizer.ggml.eos_token_id") == EOS_ID


def test_vocabulary_layout_matches_its_table() -> None:
    """Ids, kinds and scores are three lists of one length."""
    vocabulary = Vocabulary(characters="\u2581ab", pieces=("ab", "\u2581ab"))
    tokens = vocabulary.tokens()
    assert tokens[BOS_ID] == "<s>"
    assert tokens[CHARACTERS_START:] == ["\u2581", "a", "b", "ab", "\u2581ab"]
    assert len(tokens) == len(vocabulary) == len(vocabulary.kinds()) == len(vocabulary.scores())
    assert vocabulary.scores()[-2:] == [-1.0, -2.0]


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    """llama.cpp would only say so when the file is loaded."""
    vocabulary = Vocabulary()
    weights = random_weights(ModelShape(layers=1), len(vocabulary), seed=1)
    with pytest.raises(ValueError, match="do not fit"):
        write_model(
            tmp_path / "model.gguf",
            weights,
            shape=ModelShape(layers=2),
            vocabulary=vocabulary,
            card=ModelCard(name="x", version="1", description=""),
        )


def test_shipped_model_is_small_and_says_what_it_is() -> None:
    """Name, version, licence and context, as the demo promises."""
    assert SHIPPED_MODEL.stat().st_size <= MAX_SHIPPED_BYTES
    assert field(SHIPPED_MODEL, "general.name") == "luckrig-tiny"
    assert field(SHIPPED_MODEL, "general.version") == "1.0"
    assert field(SHIPPED_MODEL, "general.license") == "CC0-1.0"
    assert field(SHIPPED_MODEL, "llama.context_length") == 4096
