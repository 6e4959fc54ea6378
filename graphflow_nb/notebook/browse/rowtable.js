// A page of rows: arrow keys move, Space selects, Enter opens, Shift extends, PageUp and PageDown
// turn pages, Ctrl+C copies ids. Texts are set as text, never as markup. Where nothing can be done to
// selected rows, none can be selected, and there are neither boxes to tick nor marks.

function render({ model, el }) {
  const table = document.createElement("table");
  table.className = "gfnb-rows";
  table.setAttribute("role", "grid");
  const selectable = model.get("selectable");
  if (selectable) table.setAttribute("aria-multiselectable", "true");
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

  const first = selectable ? 2 : 0; // the place of a row's first text
  const send = (event, value, stamp) => model.send({ event, value, stamp });
  const indexOf = (handle) => Math.max(0, handles.indexOf(handle));

  function pick(chosen) {
    selected = new Set(chosen);
    stamp = Math.max(stamp + 1, Date.now());
    paint();
  }

  function choose(chosen) {
    if (!selectable) return;
    pick(chosen);
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
    if (selectable) pick([handle]); // the kernel takes it back if it can't be opened
    send("open", handle, stamp);
    bringIntoView();
  }

  // What was opened is under the list where the view is narrow. It comes in several messages, so it
  // is followed while it grows, until the person does something else or a moment has passed.
  let leave = () => {};

  function bringIntoView() {
    leave();
    const opened = el.closest(".gfnb-browser")?.querySelector(".gfnb-opened");
    if (!opened) return;
    const growth = new ResizeObserver(() => {
      const shown = [...opened.children].filter((part) => part.offsetHeight).pop();
      shown?.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    const others = ["wheel", "pointerdown", "keydown"];
    const end = () => {
      growth.disconnect();
      clearTimeout(late);
      for (const name of others) window.removeEventListener(name, end, true);
    };
    const late = setTimeout(end, 3000);
    for (const name of others) window.addEventListener(name, end, true);
    leave = end;
    for (const part of opened.children) growth.observe(part);
  }

  function paint() {
    const { opened, marked = [] } = model.get("page");
    const marks = new Set(marked);
    for (const [handle, row] of rowOf) {
      row.tabIndex = handle === focus ? 0 : -1;
      row.classList.toggle("gfnb-open", handle === opened);
      row.setAttribute("aria-current", handle === opened);
      row.classList.toggle("gfnb-changed", marks.has(handle));
      if (!selectable) continue;
      row.setAttribute("aria-selected", selected.has(handle));
      row.cells[0].firstChild.checked = selected.has(handle);
      row.cells[1].textContent = marks.has(handle) ? "●" : "";
      row.cells[1].title = marks.has(handle) ? "changed since you looked" : "";
    }
  }

  // Columns: a person drags the edge of a heading, or presses Shift and an arrow key on it.

  const MIN_WIDTH = 40;
  const MAX_WIDTH = 1200;
  const NARROW = selectable ? [26, 18] : []; // of the boxes to tick and of the marks
  const sizes = document.createElement("colgroup");
  table.prepend(sizes);
  let drawn = ""; // the columns and the order of the headings
  let headed = 0; // the heading that Tab leads to

  const columnsNow = () => model.get("columns");
  const widthOf = (column) => model.get("widths")[column.name] ?? column.width;

  function setWidth(column, width) {
    const pixels = Math.round(Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, width)));
    model.set("widths", { ...model.get("widths"), [column.name]: pixels });
    layOut();
  }

  function unsetWidth(column) {
    const { [column.name]: _, ...others } = model.get("widths");
    model.set("widths", others);
    layOut();
    model.save_changes();
  }

  function layOut() {
    const columns = columnsNow();
    const fixed = columns.every((column) => column.width);
    table.classList.toggle("gfnb-fixed", fixed);
    if (!fixed) return;
    const given = model.get("widths");
    // What is left goes to the column that may grow, or to the last one.
    const growing = columns.find((c) => c.grow && !(c.name in given)) ?? columns[columns.length - 1];
    const widths = [...NARROW, ...columns.map((c) => (c === growing ? 0 : widthOf(c)))];
    sizes.replaceChildren(
      ...widths.map((width) => {
        const col = document.createElement("col");
        if (width) col.style.width = `${width}px`;
        return col;
      }),
    );
    const least = growing ? widthOf(growing) : 0;
    table.style.minWidth = `${widths.reduce((sum, width) => sum + width, least)}px`;
  }

  function drag(event, column, cell) {
    event.preventDefault();
    event.stopPropagation();
    const [from, width] = [event.clientX, cell.offsetWidth];
    const move = (now) => setWidth(column, width + now.clientX - from);
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      model.save_changes();
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  function makeHeading(column, order) {
    const cell = document.createElement("th");
    cell.scope = "col";
    if (column.number) cell.className = "gfnb-number";
    const button = document.createElement("button");
    const by = order.replace(/^-/, "") === column.name;
    const down = order.startsWith("-");
    button.type = "button";
    button.textContent = column.label;
    const hints = [column.label];
    if (column.sortable) {
      hints.push("Order by this, in the store");
      button.addEventListener("click", () => send("sort", column.name));
      cell.setAttribute("aria-sort", by ? (down ? "descending" : "ascending") : "none");
      if (by) {
        const arrow = document.createElement("span");
        arrow.setAttribute("aria-hidden", "true");
        arrow.textContent = down ? " ▼" : " ▲";
        button.append(arrow);
      }
    } else {
      button.setAttribute("aria-disabled", "true");
    }
    if (column.why) hints.push(column.why);
    if (column.width) {
      hints.push("Shift+← and Shift+→ change the width");
      button.setAttribute("aria-keyshortcuts", "Shift+ArrowLeft Shift+ArrowRight");
      const edge = document.createElement("span");
      edge.className = "gfnb-edge";
      edge.setAttribute("aria-hidden", "true"); // its text would be a part of the column's name
      edge.title = "Drag to change the width; double-click for the first one";
      edge.addEventListener("pointerdown", (event) => drag(event, column, cell));
      edge.addEventListener("dblclick", () => unsetWidth(column));
      cell.append(edge);
    }
    button.title = hints.join("\n");
    button.setAttribute("aria-description", hints.slice(1).join(". "));
    cell.prepend(button);
    return cell;
  }

  const headings = () => [...head.querySelectorAll("button")];

  function goToHeading(index) {
    const buttons = headings();
    headed = Math.max(0, Math.min(buttons.length - 1, index));
    buttons.forEach((button, i) => (button.tabIndex = i === headed ? 0 : -1));
    return buttons[headed];
  }

  head.addEventListener("keydown", (event) => {
    const at = headings().indexOf(event.target);
    const column = columnsNow()[at];
    if (!column) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && event.shiftKey && column.width) {
      setWidth(column, event.target.closest("th").offsetWidth + 16 * step);
      model.save_changes();
    } else if (step) goToHeading(at + step)?.focus();
    else if (event.key === "Home") goToHeading(0)?.focus();
    else if (event.key === "End") goToHeading(Infinity)?.focus();
    else if (event.key === "ArrowDown") goTo(indexOf(focus), false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  function fillHead() {
    const { order = "" } = model.get("page");
    const columns = columnsNow();
    const now = JSON.stringify([columns, order]);
    if (now === drawn) return;
    const names = JSON.stringify(columns.map((column) => column.name));
    if (names !== head.dataset.names) rowOf.clear(); // the cells are of other columns
    head.dataset.names = names;
    drawn = now;
    const held = head.contains(document.activeElement);
    const row = document.createElement("tr");
    for (const label of selectable ? ["selected", "changed"] : []) {
      const cell = document.createElement("th");
      cell.className = "gfnb-narrow";
      cell.setAttribute("aria-label", label);
      row.append(cell);
    }
    row.append(...columns.map((column) => makeHeading(column, order)));
    row.cells[first]?.classList.add("gfnb-name");
    head.replaceChildren(row);
    layOut();
    const button = goToHeading(headed);
    if (held) button?.focus();
  }

  // The end of a long text stays visible, and a copy of the cell has all of it.
  const TAIL = 8;

  function write(cell, text, middle) {
    if (cell.textContent === text) return;
    if (!middle || text.length < 2 * TAIL) {
      cell.textContent = text;
      return;
    }
    const characters = [...text];
    const [start, end] = [document.createElement("span"), document.createElement("span")];
    start.className = "gfnb-start";
    start.textContent = characters.slice(0, -TAIL).join("");
    end.textContent = characters.slice(-TAIL).join("");
    cell.replaceChildren(start, end);
  }

  function newRow(handle, texts) {
    const columns = columnsNow();
    const row = document.createElement("tr");
    row.dataset.handle = handle;
    if (selectable) addNarrow(row, texts[0]);
    for (const i of texts.keys()) {
      const cell = row.insertCell();
      cell.dir = "auto";
      if (columns[i]?.number) cell.className = "gfnb-number";
      if (columns[i]?.middle) cell.className = "gfnb-id";
    }
    row.cells[first]?.classList.add("gfnb-name");
    return row;
  }

  // The box to tick, and the mark of a row that changed.
  function addNarrow(row, name) {
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.tabIndex = -1;
    tick.setAttribute("aria-label", `select ${Array.isArray(name) ? name[0] : name}`);
    const cell = row.insertCell();
    cell.className = "gfnb-narrow";
    cell.append(tick);
    row.insertCell().className = "gfnb-narrow gfnb-mark";
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
    const columns = columnsNow();
    const known = new Map(rowOf);
    rowOf.clear();
    rows.forEach((texts, index) => {
      const row = known.get(now[index]) ?? newRow(now[index], texts);
      rowOf.set(now[index], row);
      texts.forEach((text, i) => {
        const [short, long, share] = Array.isArray(text) ? text : [text, text];
        const cell = row.cells[i + first];
        write(cell, short, columns[i]?.middle);
        cell.title = long;
        if (share !== undefined) cell.style.setProperty("--share", share);
        cell.classList.toggle("gfnb-share", share !== undefined);
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

  // The first cells of the selected rows, or of this one, a line each.
  function copy() {
    const rows = handles.filter((handle) => selected.has(handle));
    const texts = (rows.length ? rows : [focus]).map((handle) => rowOf.get(handle)?.cells[first].title);
    navigator.clipboard?.writeText(texts.filter(Boolean).join("\n"));
  }

  table.addEventListener("pointerdown", press);
  window.addEventListener("pointerup", release);
  window.addEventListener("pointercancel", release);

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row) return;
    const handle = Number(row.dataset.handle);
    focus = handle;
    if (event.target.type === "checkbox" || (selectable && (event.ctrlKey || event.metaKey))) toggle(handle);
    else if (event.shiftKey && selectable) choose(between(anchor, handle));
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
    if (event.ctrlKey || event.metaKey) {
      const letter = event.key.toLowerCase();
      if (letter === "a") act = () => choose(handles);
      if (letter === "c" && !dragged()) act = copy;
    }
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });

  let before = null; // what had the focus before a dialog was opened

  // Where a person goes on after an action. What was shown by it may come some frames later.
  function lead({ lead: goal }, tries = 60) {
    const view = el.closest(".gfnb-browser");
    const active = el.getRootNode().activeElement;
    // Whoever clicked or typed elsewhere meanwhile stays there.
    if (!goal || !view || (active && !view.contains(active) && !active.contains(view))) return;
    if (goal === "dialog" && view.contains(active)) before = active;
    const row = rowOf.get(focus);
    const back = usable(before) ? before : row;
    const target = goal === "row" ? row : goal === "back" ? back : find(view, goal);
    if (target) target.focus();
    else if (tries) requestAnimationFrame(() => lead({ lead: goal }, tries - 1));
  }

  table.setAttribute("aria-label", model.get("label"));
  model.on("change:page", fill);
  model.on("change:widths", layOut);
  model.on("change:selection", mark);
  model.on("msg:custom", lead);
  fill();
  // Buttons too: in JupyterLab Enter on one would go into the cell's text as well.
  let gone = false;
  (function join() {
    if (gone) return;
    if (!el.isConnected) return void requestAnimationFrame(join); // boxes in boxes are put in later
    const view = el.closest(".gfnb-browser");
    if (!view || view.hasAttribute("data-lm-suppress-shortcuts")) return;
    view.setAttribute("data-lm-suppress-shortcuts", "true");
    const watch = { childList: true, subtree: true, attributeFilter: ["class"] };
    const follow = followSaving(view);
    const look = () => {
      describe(view);
      follow();
    };
    new MutationObserver(look).observe(view, watch); // it ends with the view
    look();
  })();
  return () => {
    gone = true;
    model.off("change:page", fill);
    model.off("change:widths", layOut);
    model.off("change:selection", mark);
    model.off("msg:custom", lead);
    clearTimeout(timer);
    leave();
    window.removeEventListener("pointerup", release);
    window.removeEventListener("pointercancel", release);
  };
}

const usable = (element) => element?.offsetParent && !element.disabled;

// Return what can have the focus, first in the box of this name that is shown. A box is filled when
// it is first shown, and there is nothing yet while a widget in it is not drawn.
function find(view, name) {
  const box = [...view.querySelectorAll(`.gfnb-${name}`)].find((box) => box.offsetParent);
  if (!box || box.querySelector(".lm-Widget:empty:not(.widget-box)")) return undefined;
  return [...box.querySelectorAll("button, input, select, textarea, [tabindex='0']")].find(usable);
}

// Preview and Save are under what is changed: when that grows they are brought into view, unless
// there is no room for both.
function followSaving(view) {
  let followed = null;
  let height = 0;
  const growth = new ResizeObserver(() => {
    const grown = followed.offsetHeight > height;
    height = followed.offsetHeight;
    const active = view.getRootNode().activeElement;
    const saving = followed.querySelector(".gfnb-saving");
    // A button that disappears when it is pressed leaves the focus to the page.
    const elsewhere = active && active !== document.body && !followed.contains(active);
    if (!grown || !saving?.offsetHeight || elsewhere) return;
    const from = followed.contains(active) ? active : saving;
    const needed = saving.getBoundingClientRect().bottom - from.getBoundingClientRect().top;
    if (needed > 0.85 * window.innerHeight) return;
    saving.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  return () => {
    // Not the comparison, nor a dialog, which look like it.
    const reader = view.querySelector(".gfnb-reader:has(.gfnb-saving)");
    if (!reader || reader === followed) return;
    growth.disconnect();
    followed = reader;
    growth.observe(reader);
  };
}

// What ipywidgets leaves out for those who do not see it: what a slider is for, which button is the
// pressed one, that an icon is no part of a name, and what is to be read out when it changes. A
// region that came in together with its text would not be.
function describe(view) {
  for (const icon of view.querySelectorAll("button > i:not([aria-hidden])")) {
    icon.setAttribute("aria-hidden", "true");
  }
  for (const region of view.querySelectorAll(".gfnb-live:not([aria-live])")) {
    region.setAttribute("aria-live", "polite");
  }
  for (const handle of view.querySelectorAll(".noUi-handle:not([aria-label])")) {
    const label = handle.closest(".widget-hslider").querySelector(".widget-label");
    if (label?.textContent) handle.setAttribute("aria-label", label.textContent);
  }
  for (const button of view.querySelectorAll(".widget-toggle-button")) {
    const pressed = String(button.classList.contains("mod-active"));
    if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
  }
}

export default { initialize, render };
