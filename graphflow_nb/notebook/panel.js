// Rows of buttons, each with a place for a notice that a screen reader watches. All texts are set
// as texts. Buttons and places stay while their labels stay, so that the focus does.

const KINDS = { "": "", primary: "mod-primary", danger: "mod-danger" };

function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function render({ model, el }) {
  const root = make("div", "gfnb-actions");
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", model.get("label"));
  el.appendChild(root);
  const rows = []; // {element, buttons, beside, said}
  let sent = false; // a click was sent, and the page after it has not come

  function disable(button, off) {
    // Not the attribute "disabled", with which a button loses the focus.
    button.setAttribute("aria-disabled", String(off));
    button.classList.toggle("gfnb-off", off);
  }

  function click(event, row, at) {
    // The second click of a double click is none of its own.
    if (sent || event.detail > 1) return;
    if (rows[row].buttons[at].getAttribute("aria-disabled") === "true") return;
    sent = true;
    for (const each of rows) each.buttons.forEach((button) => disable(button, true));
    // The kernel may be busy with a cell.
    say(row, { kind: "info", row, text: `${rows[row].buttons[at].textContent}: waiting for the kernel …` });
    model.send({ stamp: model.get("page").stamp, row, at });
  }

  function addRow() {
    const element = make("div", "gfnb-row");
    const buttons = make("div", "gfnb-buttons");
    const beside = make("div", "gfnb-beside");
    beside.setAttribute("role", "status");
    beside.setAttribute("aria-live", "polite");
    element.append(buttons, beside);
    root.appendChild(element);
    rows.push({ element, place: buttons, buttons: [], beside, said: "" });
  }

  function setButtons(row, specs) {
    const now = rows[row];
    const labels = specs.map((spec) => spec.label);
    if (labels.join("\n") !== now.buttons.map((button) => button.textContent).join("\n")) {
      const active = el.getRootNode().activeElement;
      const focused = now.buttons.includes(active) ? active.textContent : null;
      now.buttons = specs.map((spec, at) => {
        const button = make("button", "", spec.label);
        button.type = "button";
        button.addEventListener("click", (event) => click(event, row, at));
        return button;
      });
      now.place.replaceChildren(...now.buttons);
      const again = now.buttons.find((button) => button.textContent === focused);
      if (focused !== null && now.buttons.length) (again || now.buttons[0]).focus();
    }
    specs.forEach((spec, at) => {
      const button = now.buttons[at];
      button.className = `jupyter-button widget-button gfnb-button ${KINDS[spec.style] || ""}`;
      disable(button, !spec.enabled);
    });
  }

  function say(row, notice) {
    const { beside } = rows[row];
    const mine = notice.row === row ? notice : {};
    const said = JSON.stringify(mine);
    if (said === rows[row].said) return;
    rows[row].said = said;
    beside.className = `gfnb-beside${mine.text ? ` gfnb-notice gfnb-${mine.kind}` : ""}`;
    beside.setAttribute("aria-live", mine.kind === "error" ? "assertive" : "polite");
    const parts = mine.text ? [make("span", "", `${mine.kind === "error" ? "Error: " : ""}${mine.text}`)] : [];
    if (mine.detail) {
      const details = make("details", "");
      details.append(make("summary", "", "details"), make("pre", "", mine.detail));
      parts.push(details);
    }
    beside.replaceChildren(...parts);
  }

  function draw() {
    const page = model.get("page");
    if (!page.rows) return;
    sent = page.working;
    root.setAttribute("aria-busy", String(page.working));
    while (rows.length < page.rows.length) addRow();
    while (rows.length > page.rows.length) rows.pop().element.remove();
    page.rows.forEach((specs, row) => setButtons(row, specs));
    page.rows.forEach((_, row) => say(row, page.notice));
  }

  model.on("change:page", draw);
  draw();
  return () => model.off("change:page", draw);
}

export default { initialize, render };
