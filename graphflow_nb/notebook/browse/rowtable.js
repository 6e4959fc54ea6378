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

  // Rows are meant by their handles, which stay with a session wherever its row moves.
  let focus = 0; // the row that Tab leads to
  let anchor = 0; // where a selection with Shift began
  let selected = new Set();
  let stamp = 0; // when a person last selected: the kernel's answers to earlier ones are outdated
  let handles = []; // of the rows that are shown, in order
  const rowOf = new Map(); // from a handle to its row

  const send = (event, value, stamp) => model.send({ event, value, stamp });
  const indexOf = (handle) => Math.max(0, handles.indexOf(handle));

  function choose(chosen) {
    selected = new Set(chosen);
    stamp = Math.max(stamp + 1, Date.now());
    paint();
    send("select", handles.filter((handle) => selected.has(handle)), stamp);
  }

  function between(a, b) {
    const [low, high] = [indexOf(a), indexOf(b)].sort((x, y) => x - y);
    return handles.slice(low, high + 1);
  }

  function toggle(handle) {
    const chosen = new Set(selected);
    chosen.has(handle) ? chosen.delete(handle) : chosen.add(handle);
    anchor = handle;
    choose(chosen);
  }

  function goTo(index, extend) {
    if (!handles.length) return;
    focus = handles[Math.max(0, Math.min(handles.length - 1, index))];
    if (extend) choose(between(anchor, focus));
    paint();
    show(rowOf.get(focus));
  }

  // The browser would bring a row's middle into view, and with it lose the ids at its beginning.
  function show(row) {
    row.focus({ preventScroll: true });
    row.cells[0].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function open(handle) {
    focus = anchor = handle;
    choose([handle]);
    send("open", handle);
    bringIntoView();
  }

  // What was opened is under the list where the view is narrow. It comes in several messages, so it
  // is followed while it grows, until the person does something else or a moment has passed.
  let leave = () => {};

  function bringIntoView() {
    leave();
    const opened = el.closest(".gfnb-browser")?.querySelector(".gfnb-opened");
    if (!opened) return;
    const sizes = new ResizeObserver(() => {
      if (opened.offsetHeight) opened.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    const others = ["wheel", "pointerdown", "keydown"];
    const end = () => {
      sizes.disconnect();
      clearTimeout(late);
      for (const name of others) window.removeEventListener(name, end, true);
    };
    const late = setTimeout(end, 3000);
    for (const name of others) window.addEventListener(name, end, true);
    leave = end;
    sizes.observe(opened);
  }

  function paint() {
    const { opened, marked = [] } = model.get("page");
    const marks = new Set(marked);
    for (const [handle, row] of rowOf) {
      row.setAttribute("aria-selected", selected.has(handle));
      row.tabIndex = handle === focus ? 0 : -1;
      row.classList.toggle("gfnb-open", handle === opened);
      row.classList.toggle("gfnb-changed", marks.has(handle));
      row.cells[0].firstChild.checked = selected.has(handle);
      row.cells[1].textContent = marks.has(handle) ? "●" : "";
      row.cells[1].title = marks.has(handle) ? "changed since you looked" : "";
    }
  }

  let headOrder = null;

  function fillHead() {
    const { order = "" } = model.get("page");
    if (order === headOrder) return;
    headOrder = order;
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

  function newRow(handle, texts) {
    const columns = model.get("columns");
    const row = document.createElement("tr");
    row.dataset.handle = handle;
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

  // While a button of the mouse is down nothing moves, or it would come up on another row.
  let pressed = false;
  let waiting = false;

  function fill() {
    waiting = pressed;
    if (waiting) return;
    const held = body.contains(document.activeElement);
    const before = indexOf(focus);
    fillHead();
    const { rows = [], handles: now = [], empty: lack = "" } = model.get("page");
    const known = new Map(rowOf);
    rowOf.clear();
    rows.forEach((texts, index) => {
      const row = known.get(now[index]) ?? newRow(now[index], texts);
      rowOf.set(now[index], row);
      texts.forEach((text, i) => {
        const [short, long] = Array.isArray(text) ? text : [text, text];
        const cell = row.cells[i + 2];
        if (cell.textContent !== short) cell.textContent = short;
        cell.title = long;
      });
    });
    // Rows that stay where they are keep the focus, and a click under way finds its row.
    if (now.some((handle, index) => body.rows[index] !== rowOf.get(handle)))
      body.replaceChildren(...now.map((handle) => rowOf.get(handle)));
    while (body.rows.length > now.length) body.lastChild.remove();
    handles = now;
    const near = handles[Math.min(before, handles.length - 1)] ?? 0;
    if (!rowOf.has(focus)) focus = near;
    if (!rowOf.has(anchor)) anchor = near;
    empty.textContent = rows.length ? "" : lack;
    mark();
    if (held && handles.length) rowOf.get(focus).focus({ preventScroll: true });
  }

  function mark() {
    if (waiting) return;
    const { handles: chosen = [], stamp: then = 0 } = model.get("selection");
    if (then >= stamp) selected = new Set(chosen);
    paint();
  }

  let timer = 0;

  function press(event) {
    if (event.button) return;
    pressed = true;
    clearTimeout(timer);
    timer = setTimeout(release, 2000); // in case it comes up where nobody is told
  }

  function release() {
    pressed = false;
    clearTimeout(timer);
    // After the click that belongs to it.
    if (waiting) setTimeout(fill);
  }

  // A person who selects a part of a cell's text wants to copy it.
  function dragged() {
    const picked = window.getSelection();
    return picked && !picked.isCollapsed && body.contains(picked.anchorNode);
  }

  table.addEventListener("pointerdown", press);
  window.addEventListener("pointerup", release);
  window.addEventListener("pointercancel", release);

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row) return;
    const handle = Number(row.dataset.handle);
    focus = handle;
    if (event.target.type === "checkbox" || event.ctrlKey || event.metaKey) toggle(handle);
    else if (event.shiftKey) choose(between(anchor, handle));
    else if (!dragged()) open(handle);
    row.focus({ preventScroll: true });
  });

  body.addEventListener("keydown", (event) => {
    const at = indexOf(focus);
    const keys = {
      ArrowDown: () => goTo(at + 1, event.shiftKey),
      ArrowUp: () => goTo(at - 1, event.shiftKey),
      Home: () => goTo(0, event.shiftKey),
      End: () => goTo(handles.length - 1, event.shiftKey),
      // A key that is held down does not turn on and on: its pages come later than its repeats.
      PageDown: () => event.repeat || send("turn", 1),
      PageUp: () => event.repeat || send("turn", -1),
      Enter: () => open(focus),
      " ": () => toggle(focus),
    };
    let act = keys[event.key];
    if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey))
      act = () => choose(handles);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });

  table.setAttribute("aria-label", model.get("label"));
  model.on("change:page", fill);
  model.on("change:selection", mark);
  fill();
  // Buttons too: in JupyterLab Enter on one would go into the cell's text as well.
  queueMicrotask(() => {
    el.closest(".gfnb-browser")?.setAttribute("data-lm-suppress-shortcuts", "true");
  });
  return () => {
    model.off("change:page", fill);
    model.off("change:selection", mark);
    clearTimeout(timer);
    leave();
    window.removeEventListener("pointerup", release);
    window.removeEventListener("pointercancel", release);
  };
}

export default { render };
