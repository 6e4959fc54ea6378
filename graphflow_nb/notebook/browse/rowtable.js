// A page of rows: arrow keys move, Space selects, Enter opens, Shift extends, PageUp and PageDown
// turn pages. Texts are set as text, never as markup.

function render({ model, el }) {
  const table = document.createElement("table");
  table.className = "gfnb-rows";
  table.setAttribute("role", "grid");
  table.setAttribute("aria-multiselectable", "true");
  // Otherwise JupyterLab takes the arrow keys to move between cells.
  table.setAttribute("data-lm-suppress-shortcuts", "true");
  const head = table.createTHead();
  const body = table.createTBody();
  const empty = document.createElement("div");
  empty.className = "gfnb-empty";
  const frame = document.createElement("div");
  frame.className = "gfnb-frame";
  frame.append(table, empty);
  el.append(frame);

  let focus = 0; // the row that Tab leads to
  let anchor = 0; // where a selection with Shift began
  let selected = new Set();
  let stamp = 0; // when a person last selected: the kernel's answers to earlier ones are outdated

  const number = () => model.get("page").number ?? 0;
  const send = (event, value, stamp) => model.send({ event, value, number: number(), stamp });
  const count = () => body.rows.length;

  function choose(rows) {
    selected = new Set(rows);
    stamp = Math.max(stamp + 1, Date.now());
    paint();
    send("select", [...selected].sort((a, b) => a - b), stamp);
  }

  function between(a, b) {
    const [low, high] = a < b ? [a, b] : [b, a];
    return Array.from({ length: high - low + 1 }, (_, i) => low + i);
  }

  function toggle(row) {
    const rows = new Set(selected);
    rows.has(row) ? rows.delete(row) : rows.add(row);
    anchor = row;
    choose(rows);
  }

  function goTo(row, extend) {
    if (!count()) return;
    focus = Math.max(0, Math.min(count() - 1, row));
    if (extend) choose(between(anchor, focus));
    paint();
    show(body.rows[focus]);
  }

  // The browser would bring a row's middle into view, and with it lose the ids at its beginning.
  function show(row) {
    row.focus({ preventScroll: true });
    row.cells[0].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function open(row) {
    focus = anchor = row;
    choose([row]);
    send("open", row);
  }

  function paint() {
    const { opened, marked = [] } = model.get("page");
    const marks = new Set(marked);
    for (const [index, row] of [...body.rows].entries()) {
      row.setAttribute("aria-selected", selected.has(index));
      row.tabIndex = index === focus ? 0 : -1;
      row.classList.toggle("gfnb-open", index === opened);
      row.classList.toggle("gfnb-changed", marks.has(index));
      row.cells[0].firstChild.checked = selected.has(index);
      row.cells[1].textContent = marks.has(index) ? "●" : "";
      row.cells[1].title = marks.has(index) ? "changed since you looked" : "";
    }
  }

  function fillHead() {
    const { order = "" } = model.get("page");
    const row = document.createElement("tr");
    for (const label of ["selected", "changed"]) {
      const cell = document.createElement("th");
      cell.className = "gfnb-narrow";
      cell.setAttribute("aria-label", label);
      row.append(cell);
    }
    for (const column of model.get("columns")) {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (column.number) cell.className = "gfnb-number";
      if (column.sortable) {
        const button = document.createElement("button");
        const by = order.replace(/^-/, "") === column.name;
        const down = order.startsWith("-");
        button.textContent = column.label + (by ? (down ? " ▼" : " ▲") : "");
        button.title = "Order by this, in the store";
        button.addEventListener("click", () => send("sort", column.name));
        cell.setAttribute("aria-sort", by ? (down ? "descending" : "ascending") : "none");
        cell.append(button);
      } else {
        cell.textContent = column.label;
      }
      row.append(cell);
    }
    head.replaceChildren(row);
  }

  let shown = null;

  function newRow(texts) {
    const columns = model.get("columns");
    const row = document.createElement("tr");
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.tabIndex = -1;
    tick.setAttribute("aria-label", `select ${Array.isArray(texts[0]) ? texts[0][0] : texts[0]}`);
    const first = row.insertCell();
    first.className = "gfnb-narrow";
    first.append(tick);
    row.insertCell().className = "gfnb-narrow gfnb-mark";
    for (const i of texts.keys()) {
      const cell = row.insertCell();
      cell.dir = "auto";
      if (columns[i]?.number) cell.className = "gfnb-number";
    }
    return row;
  }

  function fill() {
    const page = model.get("page");
    const held = body.contains(document.activeElement);
    fillHead();
    const rows = page.rows ?? [];
    if (page.number !== shown) {
      shown = page.number;
      stamp = 0;
      body.replaceChildren(...rows.map(newRow));
      focus = anchor = Math.min(focus, Math.max(0, rows.length - 1));
    }
    // In place, so that a click under way still finds its row.
    rows.forEach((texts, index) => {
      texts.forEach((text, i) => {
        const [short, long] = Array.isArray(text) ? text : [text, text];
        const cell = body.rows[index].cells[i + 2];
        if (cell.textContent !== short) cell.textContent = short;
        cell.title = long;
      });
    });
    empty.textContent = rows.length ? "" : (page.empty ?? "");
    paint();
    if (held && count()) body.rows[focus].focus({ preventScroll: true });
  }

  function mark() {
    const { rows = [], number: of, stamp: then = 0 } = model.get("selection");
    if (of === number() && then >= stamp) selected = new Set(rows);
    paint();
  }

  // A person who selects a part of a cell's text wants to copy it.
  function dragged() {
    const picked = window.getSelection();
    return picked && !picked.isCollapsed && body.contains(picked.anchorNode);
  }

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row) return;
    const index = row.sectionRowIndex;
    focus = index;
    if (event.target.type === "checkbox" || event.ctrlKey || event.metaKey) toggle(index);
    else if (event.shiftKey) choose(between(anchor, index));
    else if (!dragged()) open(index);
    row.focus({ preventScroll: true });
  });

  body.addEventListener("keydown", (event) => {
    const keys = {
      ArrowDown: () => goTo(focus + 1, event.shiftKey),
      ArrowUp: () => goTo(focus - 1, event.shiftKey),
      Home: () => goTo(0, event.shiftKey),
      End: () => goTo(count() - 1, event.shiftKey),
      PageDown: () => send("turn", 1),
      PageUp: () => send("turn", -1),
      Enter: () => open(focus),
      " ": () => toggle(focus),
    };
    let act = keys[event.key];
    if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey))
      act = () => choose(between(0, count() - 1));
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });

  table.setAttribute("aria-label", model.get("label"));
  model.on("change:page", fill);
  model.on("change:selection", mark);
  fill();
  mark();
  // Buttons too: in JupyterLab Enter on one would go into the cell's text as well.
  queueMicrotask(() => {
    el.closest(".gfnb-browser")?.setAttribute("data-lm-suppress-shortcuts", "true");
  });
  return () => {
    model.off("change:page", fill);
    model.off("change:selection", mark);
  };
}

export default { render };
