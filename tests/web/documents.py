"""Reads a rendered page the way a strict reader would: every tag closed, every id known."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(("meta", "link", "input", "br", "img", "hr"))


@dataclass
class Element:
    """One start tag, with the text directly or deeper inside it."""

    tag: str
    attributes: dict[str, str | None]
    path: tuple[str, ...]
    text: str = ""

    def get(self, name: str) -> str:
        return self.attributes.get(name) or ""


@dataclass
class Document:
    """A page, flat. problems: tags left open or closed out of order, attributes given twice."""

    elements: list[Element] = field(default_factory=list[Element])
    problems: list[str] = field(default_factory=list[str])

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def having(self, attribute: str) -> list[Element]:
        return [element for element in self.elements if attribute in element.attributes]

    def of_class(self, name: str) -> list[Element]:
        return [element for element in self.elements if name in element.get("class").split()]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.document = Document()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = self._element(tag, attrs)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._element(tag, attrs)
        if not any(element.tag == "svg" for element in self.open):
            self.document.problems.append(f"<{tag}/> outside of SVG")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            self.document.problems.append(f"</{tag}> in {[e.tag for e in self.open]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def _element(self, tag: str, attrs: list[tuple[str, str | None]]) -> Element:
        if len({name for name, _ in attrs}) != len(attrs):
            self.document.problems.append(f"<{tag}> has an attribute twice")
        element = Element(tag, dict(attrs), tuple(element.tag for element in self.open))
        self.document.elements.append(element)
        return element


def read(html: str) -> Document:
    """The page, with what is wrong about it."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.document.problems += [f"<{element.tag}> is never closed" for element in reader.open]
    return reader.document
