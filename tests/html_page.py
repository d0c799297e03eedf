"""A page, read as a parser reads it."""

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags with their attributes, scripts with their text, and the words that a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._words: list[str] = []
        self._hidden: tuple[str, dict[str, str | None]] | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._hidden = (tag, dict(attrs))

    def handle_data(self, data):
        if self._hidden is None:
            self._words.append(data)
        elif self._hidden[0] == "script":
            self.scripts.append((self._hidden[1], data))

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._hidden = None

    @property
    def words(self) -> str:
        return re.sub(r"[\s\u00a0]+", " ", " ".join(self._words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def policy(self) -> str:
        (policy,) = [
            a["content"] for a in self.all("meta") if "Policy" in (a.get("http-equiv") or "")
        ]
        assert policy is not None
        return policy
