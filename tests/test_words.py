"""Words that we never use as claims, whatever we mean by them: nobody could keep such a promise.

The rig that answers reads what it answers, the tracker knows who asked for which rig, and rules
catch what is plain. So: no "end-to-end encrypted", "anonymous", "safe", "filtered" and their kin,
in any text that people read. We say "without your name", "sealed to the node", "checked".
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, cast

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("cli", "client", "engine", "nodeproxy", "protocol", "tracker", "web")

_TEXTS: Final = (
    r"(?:prompt|repl(?:y|ie)|chat|conversation|message|request|question|text|data|word)s?"
)
CLAIMS: Final = {
    "end-to-end encrypted": r"\bend[ -]to[ -]end[ -]encrypt\w*|\be2ee\b|\be2e[ -]encrypt\w*",
    "anonymous": r"\banonymous(?:ly)?\b|\banonymity\b",
    "safe": r"\b(?:safe(?:ly|r|st)?|safety[ -]first|harmless (?:network|rigs?|models?))\b",
    "filtered": r"\bfiltered\b|\b(?:uncensored|censorship-free)\b",
    "100 % secure": r"\b100 ?(?:%|percent) ?(?:secure|private|protected|reliable)"
    r"|\b(?:fully|completely|totally|perfectly|absolutely|truly|always) (?:secure|private)\b"
    r"|\b(?:unhackable|unbreakable|bullet-?proof|tamper-?proof|fool-?proof)\b",
    "private": rf"\bprivate (?!data){_TEXTS}\b|\b{_TEXTS} (?:\w+ )?(?:is|are|stays?|remains?|kept) "
    r"(?:\w+ ){0,2}private\b|\bprivate (?:ai|inference|llms?|by (?:default|design))\b"
    r"|\b(?:nobody|no one|no-one) (?:else )?can (?:ever )?(?:read|see) (?:your|what you|my)\b",
    "military-grade": r"\b(?:military|bank|enterprise)[ -]grade\b",
    "guaranteed": r"\bguarantee\w*|\brisk-free\b",
    "untraceable": r"\buntrace?able\b|\b(?:can['’]t|cannot|impossible to) be traced\b",
    "zero-knowledge": r"\bzero[ -](?:knowledge|trust)\b",
    "匿名": r"匿名(?!化)",
    "エンドツーエンド暗号化": r"エンド・?ツー・?エンド(?:の)?暗号|E2E(?:E)?(?:の)?暗号",
    "安全": r"安全(?:です|な(?!ら)|に(?!関|つい)|である|性が高|を保証|で(?:す|、|安心))"
    r"|安心(?:して|です|な)",
    "フィルター済み": r"フィルタ(?:ー|リング)?(?:済み|され|をかけた)",
    "保証": r"保証(?:します|され(?:た|て|ます)|付き)|100 ?[%％] ?(?:安全|安心)",
    "軍用": r"軍(?:用|事)(?:レベル|級|グレード)",
    "追跡不可能": r"追跡(?:不可能|不能|できません|されません)"
    r"|誰にも(?:読ま|見ら|知ら)れ(?:ない|ません|ず)",
}  # fmt: skip
"""The claim -> what says it. Case doesn't matter."""
PATTERNS: Final = {claim: re.compile(text, re.IGNORECASE) for claim, text in CLAIMS.items()}

ALLOWED: Final[dict[tuple[str, str], str]] = {
    ("nodeproxy/sensors.py", "Anonymous pages"): "what macOS calls a kind of memory in vm_stat",
}
"""(file, the exact text) -> why it is no claim."""


def claims(text: str) -> set[str]:
    """The claims in a text. Line breaks are spaces, and so is markup between two words."""
    plain = re.sub(r"</?[a-z][^<>]*>|[*_`]+", "", text)
    joined = re.sub(r"\s+", " ", plain)
    return {claim for claim, pattern in PATTERNS.items() if pattern.search(joined)}


@cache
def texts() -> frozenset[tuple[str, str]]:
    """(file, text) of all that people read."""
    return frozenset(_read())


def _read() -> Iterator[tuple[str, str]]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]
    pages += (ROOT / "web" / "templates").rglob("*.html")
    for path in pages:
        for paragraph in re.split(r"\n\s*\n", path.read_text("utf-8")):
            yield str(path.relative_to(ROOT)), paragraph
    for path in (ROOT / "web").rglob("*.toml"):
        for text in _strings(tomllib.loads(path.read_text("utf-8"))):
            yield str(path.relative_to(ROOT)), text
    for path in (ROOT / "web" / "static").rglob("*.js"):
        code = re.sub(r"/\*.*?\*/|^\s*//.*$", "", path.read_text("utf-8"), flags=re.S | re.M)
        yield str(path.relative_to(ROOT)), code
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            for text in visible_strings(path.read_text("utf-8")):
                yield str(path.relative_to(ROOT)), text


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _strings(each)


def visible_strings(source: str) -> Iterator[str]:
    """Every string of a module, whole where it is put together, but for docstrings nobody is shown.

    The docstring of something decorated is shown: it is a command's help.
    """
    tree = ast.parse(source)
    hidden = {id(node) for node in _hidden_docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pieces = [each for each in node.values if isinstance(each, ast.Constant)]
            hidden |= {id(each) for each in pieces}
            yield " … ".join(str(each.value) for each in pieces)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in hidden:
                yield node.value


def _hidden_docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        body: object = getattr(node, "body", None)
        if not isinstance(body, list) or getattr(node, "decorator_list", None):
            continue
        for each in cast("list[object]", body):
            # Also the texts under a constant, which only those see who read the source.
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                yield each.value


def test_nothing_that_people_read_makes_such_a_claim() -> None:
    found = [
        f"{file}: {sorted(claims(text))} in {' '.join(text.split())[:300]}"
        for file, text in sorted(texts())
        if (file, text) not in ALLOWED and claims(text)
    ]
    assert found == []


def test_what_is_allowed_is_still_there() -> None:
    assert set(ALLOWED) <= texts()


def test_every_kind_of_text_is_read() -> None:
    files = {file for file, _ in texts()}
    for expected in (
        "README.md",
        "COMPLIANCE.md",
        "docs/PROTOCOL.md",
        "web/templates/terms.html",
        "web/templates/_parts.html",
        "web/words/ja.toml",
        "web/static/app.js",
        "web/static/subtext/rig.js",
        "cli/main.py",
        "web/snippets.py",
    ):
        assert expected in files


@pytest.mark.parametrize(
    ("sentence", "claim"),
    [
        ("Your chats are end-to-end encrypted.", "end-to-end encrypted"),
        ("End to end encryption for everybody", "end-to-end encrypted"),
        ("Protected by E2EE.", "end-to-end encrypted"),
        ("Report anonymously.", "anonymous"),
        ("You stay\nanonymous here.", "anonymous"),
        ("<strong>Anonymous</strong> browsing", "anonymous"),
        ("Full **anonymity**.", "anonymous"),
        ("This network is safe.", "safe"),
        ("Safely ask anything.", "safe"),
        ("A safer way to chat", "safe"),
        ("All replies are filtered.", "filtered"),
        ("Filtered, moderated content only", "filtered"),
        ("Your connection is 100% secure", "100 % secure"),
        ("completely private inference", "100 % secure"),
        ("The log is tamper-proof.", "100 % secure"),
        ("Your prompts stay private.", "private"),
        ("Private conversations with a rig", "private"),
        ("prompts are always kept private", "private"),
        ("Nobody can read your prompts.", "private"),
        ("Private AI", "private"),
        ("military-grade encryption", "military-grade"),
        ("Uptime is guaranteed.", "guaranteed"),
        ("We guarantee it", "guaranteed"),
        ("untraceable requests", "untraceable"),
        ("zero-knowledge relay", "zero-knowledge"),
        ("匿名で報告できます。", "匿名"),
        ("エンドツーエンド暗号化されています。", "エンドツーエンド暗号化"),
        ("このネットワークは安全です。", "安全"),
        ("安全に使えます", "安全"),
        ("安心してご利用ください", "安全"),
        ("返信はフィルタリングされています。", "フィルター済み"),
        ("動作を保証します。", "保証"),
        ("軍用レベルの暗号", "軍用"),
        ("追跡不可能な通信", "追跡不可能"),
        ("内容は誰にも読まれません。", "追跡不可能"),
    ],
)
def test_planted_claims_are_found(sentence: str, claim: str) -> None:
    assert claim in claims(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Reports are anonymised after a year.",
        "You can report child safety without your name.",
        "Unsafe text is refused.",
        "luckrig filter test says which rule a text breaks.",
        "A request to a private network is refused.",
        "Your private key never leaves this machine.",
        "The ticket's address is private: keep it.",
        "End-to-end tests run the real thing.",
        "Sealed to the node that answers.",
        "報告は匿名化されます。",
        "児童の安全",
        "保証はありません。",
        "フィルター",
    ],
)
def test_honest_words_are_let_through(sentence: str) -> None:
    assert claims(sentence) == set()


def test_strings_that_people_are_shown_are_found_in_code() -> None:
    source = '''
"""Hidden: safe."""
WORDS = "It is safe."
"""Hidden too: safe."""

@command
def shown() -> None:
    """Shown: safely."""

def hidden(name: str) -> str:
    """Hidden: safe."""
    return f"{name} is safe, {name}"
'''
    found = [text for text in visible_strings(source) if claims(text)]
    assert sorted(found) == [" is safe, ", "It is safe.", "Shown: safely."]
