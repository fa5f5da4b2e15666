"""What is wanted, from every place where it can be said; nonsense is a 400 that names the field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.client.wanted import MAX_NODE_CHARS, Wanted, read_wanted
from luckrig.protocol.errors import PeerError

NODE = "n1" + "a" * 32


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("qwen3:8b", Wanted(model="qwen3:8b")),
        ("Qwen/Qwen3-8B", Wanted(model="Qwen/Qwen3-8B")),
        (f"qwen3:8b@{NODE}", Wanted(model="qwen3:8b", node=NODE)),
        ("qwen3:8b@n1ab", Wanted(model="qwen3:8b", node="n1ab")),
        ("qwen3:8b@RTX 4090 rig", Wanted(model="qwen3:8b", node="RTX 4090 rig")),
        ("luckrig/auto", Wanted()),
        (f"luckrig/auto@{NODE}", Wanted(node=NODE)),
        ("a@b@n1ab", Wanted(model="a@b", node="n1ab")),
    ],
)
def test_a_models_name_says_model_and_rig(model: str, wanted: Wanted) -> None:
    assert read_wanted(model, None, {}) == wanted


def test_the_object_goes_before_the_headers() -> None:
    headers = {
        "luckrig-gpu": "4090",
        "luckrig-quant": ">=Q5",
        "luckrig-ctx": "4096",
        "luckrig-min-tps": "12.5",
        "luckrig-subtext": "TRUE",
        "luckrig-node": "attic",
    }
    assert read_wanted("m", None, headers) == Wanted(
        model="m", node="attic", gpu="4090", quant=">=Q5", ctx=4096, min_tps=12.5, subtext=True
    )
    extra = {
        "gpu": "RTX 5090", "quant": "Q4_K_M", "ctx": 8192, "min_tps": 40, "subtext": False,
        "node": "cellar", "capability": "tools",
    }  # fmt: skip
    assert read_wanted("m", extra, headers) == Wanted(
        model="m", node="cellar", gpu="RTX 5090", quant="Q4_K_M", ctx=8192, min_tps=40,
        capability="tools",
    )  # fmt: skip


def test_null_is_as_good_as_absent() -> None:
    assert read_wanted("m", dict.fromkeys(("gpu", "ctx", "subtext")), {}) == Wanted(model="m")


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"gpu": 5090}, "luckrig.gpu"),
        ({"gpu": ""}, "luckrig.gpu"),
        ({"gpu": "x" * 65}, "luckrig.gpu"),
        ({"quant": ["Q4"]}, "luckrig.quant"),
        ({"ctx": "8192"}, "luckrig.ctx"),
        ({"ctx": 0}, "luckrig.ctx"),
        ({"ctx": 8192.5}, "luckrig.ctx"),
        ({"ctx": True}, "luckrig.ctx"),
        ({"ctx": 2**70}, "luckrig"),
        ({"min_tps": -1}, "luckrig.min_tps"),
        ({"min_tps": "40"}, "luckrig.min_tps"),
        ({"subtext": "yes"}, "luckrig.subtext"),
        ({"subtext": 1}, "luckrig.subtext"),
        ({"capability": "magic"}, "luckrig.capability"),
        ({"node": "x" * (MAX_NODE_CHARS + 1)}, "luckrig.node"),
        ({"node": "  "}, "luckrig.node"),
        ({"GPU": "4090"}, "luckrig.GPU"),
        ({"gpus": "4090"}, "luckrig.gpus"),
        ([], "luckrig"),
        ("gpu", "luckrig"),
        (5, "luckrig"),
    ],
)
def test_a_bad_object_is_refused_by_field(extra: Any, param: str) -> None:
    with pytest.raises(PeerError) as raised:
        read_wanted("m", extra, {})
    assert raised.value.code == "invalid_request"
    assert raised.value.param == param


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("luckrig-ctx", "many"), ("luckrig-ctx", "-1"), ("luckrig-min-tps", "nan"),
        ("luckrig-min-tps", "inf"), ("luckrig-subtext", "maybe"), ("luckrig-gpu", "x" * 65),
        ("luckrig-node", "x" * 41),
    ],
)  # fmt: skip
def test_a_bad_header_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(PeerError) as raised:
        read_wanted("m", None, {name: value})
    assert raised.value.param == name


@pytest.mark.parametrize(
    "model",
    ["", "@n1ab", "m@", "m@ ", "m" * 257, "m@" + "n" * 41, "luckrig/subtext", "luckrig/x", "@"],
)
def test_a_bad_model_is_refused(model: str) -> None:
    with pytest.raises(PeerError) as raised:
        read_wanted(model, None, {})
    assert (raised.value.code, raised.value.param) == ("invalid_request", "model")


def test_two_rigs_are_one_too_many() -> None:
    assert read_wanted("m@attic", {"node": "attic"}, {"luckrig-node": "cellar"}).node == "attic"
    with pytest.raises(PeerError, match="two rigs"):
        read_wanted("m@attic", {"node": "cellar"}, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["gpu", "quant", "ctx", "min_tps", "capability", "subtext", "node"])


@given(
    model=st.text(max_size=300)
    | st.from_regex(r"(luckrig/auto|[a-z]+:[0-9]+b)@?.*", fullmatch=True),
    extra=JSON | st.dictionaries(FIELDS, JSON),
    headers=st.dictionaries(
        st.sampled_from(["luckrig-gpu", "luckrig-ctx", "luckrig-min-tps", "luckrig-subtext"]),
        st.text(max_size=20),
    ),
)
def test_anything_is_read_or_refused(model: str, extra: Any, headers: dict[str, str]) -> None:
    try:
        wanted = read_wanted(model, extra, headers)
    except PeerError as error:
        assert error.code == "invalid_request"
        assert error.param
        return
    assert wanted.model is None or 0 < len(wanted.model) <= 256
    assert wanted.node is None or 0 < len(wanted.node) <= MAX_NODE_CHARS
    assert 0 <= wanted.ctx <= 10**9
    assert 0 <= wanted.min_tps <= 10**6
