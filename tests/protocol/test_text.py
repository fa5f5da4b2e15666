"""Names that pass for others are refused, with the reason; names of all languages are not."""

import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.text import check_label, check_name

HONEST = [
    "attic",
    "Rig 7 (loud)",
    "地下室",
    "東京のGPU",
    "お父さんのPC",
    "ゲーミングPC",
    "서울 rig",
    "Ångström",
    "Łódź-2",
    "Café №5",
    "Сервер Иры",
    "Ελληνικό",
    "قديم",
    "ナノ・4090",
    "人々",
    "β",
    "ça va",
    "RTX 4090 · 24 GB",
    "AMD Radeon™ RX 7900",
]
SPOOFS = [
    ("attic", "аttic"),
    ("attic", "αttic"),
    ("apple", "аpple"),
    ("apple", "appӏe"),
    ("qwen3:8b", "qwеn3:8b"),
    ("qwen3", "ԛwen3"),
    ("llama", "lIаma"),
    ("llama", "l\u200blama"),
    ("llama", "ll\xadama"),
    ("mistral", "miѕtral"),
    ("mistral", "mіstral"),
    ("gemma", "gеmma"),
    ("gemma", "ɡеmma"),
    ("phi", "рhi"),
    ("phi", "ρhi"),
    ("deepseek", "dеepseek"),
    ("deepseek", "deepseeк"),
    ("RTX 4090", "RТX 4090"),
    ("RTX 4090", "RTХ 4090"),
    ("RTX 4090", "ᖇTX 4090"),
    ("NVIDIA", "ΝVIDIA"),
    ("NVIDIA", "NVІDIA"),
    ("attic", "𝐚ttic"),
    ("attic", "ａttic"),
    ("attic", "attiс"),
    ("attic", "\u202ecitta"),
    ("attic", "att️ic"),
    ("attic", "atti\U000e0063"),
    ("attic", "attic\u2066"),
    ("rig", "ríǵ́́"),
    ("rig", "Ꮢig"),
    ("fi", "ﬁ"),
    ("rig", "rig "),
    ("rig", "r\tig"),
]


@pytest.mark.parametrize("name", HONEST)
def test_names_of_all_languages_pass(name: str) -> None:
    check_name(name, field="name")


@pytest.mark.parametrize(("honest", "spoof"), SPOOFS)
def test_a_name_that_passes_for_another_is_refused(honest: str, spoof: str) -> None:
    check_name(honest, field="name")
    assert spoof != honest
    for check in (check_name, check_label):
        with pytest.raises(PeerError) as refused:
            check(spoof, field="name")
        assert refused.value.code == "unsafe_text"
        assert refused.value.param == "name"


def test_the_reason_is_told() -> None:
    with pytest.raises(
        PeerError, match=r"mixes the letters of several scripts \(Cyrillic, Latin\)"
    ):
        check_name("аttic", field="name")
    with pytest.raises(PeerError, match="a decorated letter"):
        check_name("𝐚ttic", field="name")
