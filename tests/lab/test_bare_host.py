"""Our widgets in a page with no notebook at all: a host of anywidget's modules and nothing else.

It is what the notebooks of VS Code and Colab have in common with JupyterLab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anywidget
import pytest
from playwright.sync_api import expect

import graphflow_nb as g
from graphflow_nb.lessons.course import snapshot_and_event_log as lesson
from graphflow_nb.notebook.kernelwatch import View
from graphflow_nb.notebook.saved import static_html

from ..scope import only_complete

# The model as the specification of anywidget's modules has it, with the kernel as two functions.
_HOST = """
window.models = {};
window.show = async (id, esm, css, state, parent) => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const listeners = [];
  const model = {
    get: name => state[name],
    set: (name, value) => { state[name] = value; },
    save_changes: () => {},
    send: content => window.receive(id, content),
    on: (event, listener) => { listeners.push([event, listener]); },
    off: (event, listener) => {},
    widget_manager: null,
  };
  window.models[id] = {
    update(name, value) {
      state[name] = value;
      for (const [event, listener] of listeners) if (event === `change:${name}`) listener();
    },
    hear(content) {
      for (const [event, listener] of listeners) if (event === "msg:custom") listener(content, []);
    },
  };
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: { render } } = await import(url);
  const el = document.createElement("div");
  el.id = id;
  document.querySelector(parent).append(el);
  await render({ model, el });
};
"""


class Host:
    """A page that shows widgets of ours, and the kernel's end of them.

    Args:
        page: The page.
    """

    def __init__(self, page: Any):
        self.page = page
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self._widgets: dict[str, Any] = {}
        self._receivers: dict[str, Callable[[Any], None]] = {}
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.expose_function("receive", self._receive)
        page.set_content('<body><div id="view" class="gfnb-view"></div></body>')
        page.add_script_tag(content=_HOST)

    def show(self, widget: anywidget.AnyWidget, receive: Callable[[Any], None]) -> Any:
        """Show a widget whose messages go to a function, and return its element."""
        id = f"w{len(self._widgets)}"
        self._widgets[id] = widget
        self._receivers[id] = receive
        state = {name: value for name, value in widget.get_state().items() if name[0] != "_"}
        state.pop("layout", None)
        arguments = [id, widget.get_state()["_esm"], widget.get_state()["_css"], state]
        widget.send = lambda content: self.page.evaluate(
            "([id, content]) => models[id].hear(content)", [id, content]
        )
        self.page.evaluate(
            "([id, esm, css, state]) => show(id, esm, css, state, '#view')", arguments
        )
        return self.page.locator(f"#{id}")

    def _receive(self, id: str, content: dict[str, Any]) -> None:
        """Take a message as the kernel does; what it changed is sent by ``push``."""
        self._receivers[id](content)

    def push(self, widget: anywidget.AnyWidget, *names: str) -> None:
        """Send what the kernel's end has now."""
        id = next(key for key, value in self._widgets.items() if value is widget)
        for name in names:
            self.page.evaluate(
                "([id, name, value]) => models[id].update(name, value)",
                [id, name, widget.get_state(name)[name]],
            )


@pytest.fixture
def host(chromium: Any) -> Iterator[Host]:
    page = chromium.new_page()
    host = Host(page)
    yield host
    page.close()
    assert host.wrong == []
    # A module's own text is asked for in the page itself.
    assert [url for url in host.asked if not url.startswith("blob:")] == []


def eventually(page: Any, condition: Any) -> None:
    """Let the page work until a condition holds."""
    for _ in range(2_000):
        if condition():
            return
        page.wait_for_timeout(5)
    raise AssertionError("it did not come")


@only_complete
def test_every_widget_of_ours_works_in_a_page_without_jupyter(host: Host):
    page = host.page
    wb = g.open("demo")
    browser = wb.browse(session="claim-0014")
    table = host.show(browser.table, browser.table.receive)
    expect(table.get_by_role("row")).to_have_count(51)
    table.get_by_role("row").nth(3).click()
    id = browser.listing.ids()[2]
    eventually(page, lambda: browser.session is not None and browser.session.id == id)
    host.push(browser.table, "page", "selection")
    expect(table.locator('[aria-selected="true"]')).to_have_count(1)

    trees = [each for each in _widgets_of(browser) if type(each).__name__ == "ValueTree"]
    trees = [each for each in trees if each.page]
    assert trees
    tree = host.show(trees[0], trees[0].receive)
    expect(tree.get_by_role("treeitem").first).to_be_visible()

    panel = lesson.predict_rows.panel
    bar = host.show(panel.bar, panel.receive)
    bar.get_by_role("button", name="five", exact=True).click()
    eventually(page, lambda: lesson.predict_rows.choice == "five" and not panel.bar.page["working"])
    host.push(panel.bar, "page")
    expect(bar.get_by_text(panel.said)).to_be_visible()
    browser.close()


@only_complete
def test_a_kernel_that_is_gone_or_silent_is_said_there_too(host: Host):
    page = host.page
    page.clock.install()
    view = View([])
    questions: list[Any] = []
    host.show(view.watch, questions.append)
    page.evaluate("""() => {
        const button = document.createElement("button");
        button.textContent = "Refresh";
        button.addEventListener("click", () => { window.pressed = true; });
        document.querySelector("#view").append(button);
    }""")
    alert = page.get_by_role("alert")
    page.get_by_role("button").hover()
    eventually(page, lambda: questions == [{"event": "ping"}])
    expect(alert).to_be_empty()
    page.clock.fast_forward(7_000)
    expect(alert).to_contain_text("The kernel does not answer. While it runs a cell, wait")
    view.watch.receive(questions[0])
    expect(alert).to_be_empty()
    page.evaluate("document.querySelector('#view').classList.add('jupyter-widgets-disconnected')")
    expect(alert).to_contain_text(
        "The kernel was restarted or has ended. Run the cells up to this one again."
    )
    expect(page.get_by_role("button")).to_be_disabled()
    page.get_by_role("button").click(force=True)
    assert page.evaluate("window.pressed") is None


@only_complete
def test_the_saved_form_is_hidden_while_the_view_is_there(host: Host):
    page = host.page
    page.evaluate(
        "html => { document.querySelector('#view').innerHTML = html; }",
        static_html("<p>3 sessions</p>", "abc"),
    )
    saved = page.get_by_text("3 sessions")
    expect(saved).to_be_visible()
    page.evaluate("document.body.classList.add('gfnb-view-abc')")
    expect(saved).to_be_hidden()


def _widgets_of(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _widgets_of(child)
