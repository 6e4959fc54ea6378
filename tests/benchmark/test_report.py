"""The report is one page that needs nothing else."""

from __future__ import annotations

from html.parser import HTMLParser


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_report_is_one_page_that_needs_nothing_else(measured):
    html = measured.to_html()
    page = _Page()
    page.feed(html)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "object"} & set(names)
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith("data:image/png;base64,"), (tag, name)
    assert names.count("img") == 1
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert "url(" not in html
    assert "Python" in html
    assert len(html) < 3_000_000
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
