// Values as lines: arrow keys move and fold, a click, Enter or F2 opens a value in place, Enter
// keeps what was typed, Escape leaves it. Texts are set as text, never as markup, and numbers stay
// texts: a number of JavaScript would lose digits. A secret is asked for when a person wants to see
// it, and comes as a message: what is a value of the widget is saved in the notebook.

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// The text of a JSON string; of one that JavaScript does not take, such as with a bare line break,
// what is between its quotes.
function decode(raw) {
  try {
    return JSON.parse(raw);
  } catch {
    return raw.slice(1, -1);
  }
}

// A string without needless escapes, as a person reads it; the rest to the letter.
function readable(line) {
  if (line.kind !== "text" || line.cut || line.secret) return line.raw;
  return line.head ? decode(line.raw) : JSON.stringify(decode(line.raw));
}

function render({ model, el }) {
  const tree = element("div", "gfnb-tree");
  tree.setAttribute("role", "tree");
  // Otherwise JupyterLab takes the keys to move between cells.
  tree.setAttribute("data-lm-suppress-shortcuts", "true");
  const help = element("div", "gfnb-tree-help");
  el.append(tree, help);

  let focus = ""; // the key of the line that Tab leads to
  let shown = []; // the lines that are not folded away, in order
  let folds = new Map(); // from the key of a branch to whether a person opened it
  let what = ""; // what the folds are of
  let open = null; // the value that is open: its line and its controls
  let stamp = 0;

  const rowOf = new Map();
  const lineOf = (key) => shown.find((line) => line.key === key);
  const isOpen = (line) => folds.get(line.key) ?? line.open;
  const ask = (event, more) => {
    stamp = Math.max(stamp + 1, Date.now());
    model.send({ event, stamp, ...more });
    return stamp;
  };

  function fill() {
    const page = model.get("page");
    const is = (name) => open[name] === page[name];
    // A value that is open stays so; what came meanwhile is shown when it is closed.
    if (open && is("of") && is("label") && is("turn")) return;
    if (open?.typed) model.send({ event: "left" });
    open = null;
    const now = JSON.stringify([page.of, page.label]);
    if (now !== what) {
      what = now;
      folds = new Map();
      focus = "";
    }
    const held = tree.contains(document.activeElement);
    tree.setAttribute("aria-label", page.label || "");
    shown = [];
    let hidden = Infinity; // the level below which lines are folded away
    for (const line of page.lines || []) {
      if (line.level > hidden) continue;
      hidden = line.count && !isOpen(line) ? line.level : Infinity;
      shown.push(line);
    }
    if (!lineOf(focus)) focus = shown[0]?.key ?? "";
    rowOf.clear();
    tree.replaceChildren(...shown.map(draw));
    if (!shown.length && page.empty) {
      const row = element("div", "gfnb-line gfnb-quiet", page.empty);
      row.setAttribute("role", "treeitem");
      tree.append(row);
    }
    help.textContent =
      page.editable && shown.length
        ? "Click a value to change it. Keys: ↑ ↓ move, ← → fold, Enter or F2 change."
        : "";
    if (shown.some((line) => line.secret))
      help.append(" R shows a secret until the values are shown again.");
    if (held) rowOf.get(focus)?.focus({ preventScroll: true });
  }

  function draw(line) {
    const row = element("div", line.head ? `gfnb-message ${line.role || ""}` : "");
    row.classList.add("gfnb-line");
    row.style.setProperty("--level", line.level);
    row.setAttribute("role", "treeitem");
    row.setAttribute("aria-level", line.level);
    row.tabIndex = line.key === focus ? 0 : -1;
    row.dataset.key = line.key;
    if (line.more) {
      row.append(element("span", "gfnb-quiet", line.more));
      return row;
    }
    rowOf.set(line.key, row);
    if (line.head) {
      row.append(element("div", "gfnb-quiet", line.head));
    } else {
      const fold = element("span", "gfnb-fold", line.count ? (isOpen(line) ? "▾" : "▸") : "");
      fold.setAttribute("aria-hidden", "true");
      row.append(fold, element("span", "gfnb-name", line.name === "" ? '""' : line.name));
    }
    if (line.count) {
      row.setAttribute("aria-expanded", isOpen(line));
      row.append(element("span", "gfnb-quiet", ` ${line.count}`));
    } else {
      const value = element("span", "gfnb-value", readable(line));
      value.dir = "auto";
      if (can(line)) value.classList.add("gfnb-can");
      row.append(line.head ? "" : ": ", value);
      if (line.cut) row.append(element("span", "gfnb-quiet", ` ${line.cut}`));
      if (line.secret) {
        const button = element("button", "gfnb-reveal");
        label(button, "show", line);
        button.title = "Show it here; it is not saved in the notebook";
        button.tabIndex = -1;
        row.append(button);
      }
      if (line.was) row.append(element("span", "gfnb-was", line.was));
    }
    if (!line.head && line.place !== line.name) {
      const place = element("span", "gfnb-place", line.place);
      place.title = "path: click and copy";
      row.append(place);
    }
    if (line.count && can(line)) {
      const button = element("button", "gfnb-branch-edit", "edit as JSON");
      button.tabIndex = -1;
      row.append(button);
    }
    return row;
  }

  const can = (line) => model.get("page").editable && !line.fixed && !line.more;

  // The value that is open

  function start(line) {
    if (!can(line)) return;
    if (open) {
      if (open.line.key === line.key) return;
      if (open.typed) return keep(() => start(lineOf(line.key) ?? line));
      leave();
      line = lineOf(line.key) ?? line;
    }
    const { of, label, turn, kinds } = model.get("page");
    const row = rowOf.get(line.key);
    if (!row) return;
    focus = line.key;
    const box = element("span", "gfnb-edit");
    const kind = element("select");
    kind.setAttribute("aria-label", `Kind of ${line.place}`);
    for (const name of line.head ? ["text"] : kinds) kind.append(new Option(name, name));
    kind.value = line.kind;
    const text = element("textarea");
    text.setAttribute("aria-label", `Value of ${line.place}`);
    text.spellcheck = false;
    const hint = element("span", "gfnb-quiet", "Enter keeps, Esc leaves, Shift+Enter: new line");
    const wrong = element("div", "gfnb-wrong");
    const buttons = [element("button", "", "Keep"), element("button", "", "Leave")];
    box.append(...(line.head ? [] : [kind]), text, ...buttons, hint, wrong);
    const value = row.querySelector(".gfnb-value");
    if (value) value.replaceWith(box);
    else row.append(box);
    open = { line, of, label, turn, kind, text, wrong, mark: line.mark, typed: false, before: null };
    const known = !line.count && !line.cut;
    if (known) put(line.kind === "text" && !line.secret ? decode(line.raw) : line.raw);
    else {
      text.disabled = true;
      text.value = "Reading …";
      open.asked = ask("read", { key: line.key });
    }
    kind.addEventListener("change", () => {
      adapt();
      note();
      if (!text.hidden) text.focus();
    });
    text.addEventListener("input", () => {
      size();
      note();
    });
    buttons[0].addEventListener("click", () => keep());
    buttons[1].addEventListener("click", () => leave());
    adapt();
    (text.hidden ? kind : text).focus();
    text.select();
    row.scrollIntoView({ block: "nearest" });
  }

  function put(value) {
    open.text.disabled = false;
    open.text.value = value;
    open.before = [open.kind.value, open.text.value];
    size();
    adapt();
  }

  function size() {
    open.text.rows = Math.min(14, open.text.value.split("\n").length);
  }

  // What is said of true, false and null is said by their kind.
  function adapt() {
    open.text.hidden = ["true", "false", "null"].includes(open.kind.value);
  }

  // The kernel knows that something is typed, so that nothing drops it without a question.
  function note() {
    const typed =
      open.before !== null &&
      (open.kind.value !== open.before[0] ||
        (!open.text.hidden && open.text.value !== open.before[1]));
    if (typed === open.typed) return;
    open.typed = typed;
    model.send({ event: typed ? "typing" : "left", place: open.line.place });
  }

  function keep(then) {
    if (!open || open.text.disabled) return;
    if (!open.typed) {
      leave();
      return then?.();
    }
    open.then = then;
    const { of, line, kind, text, mark } = open;
    const set = { of, key: line.key, kind: kind.value, text: text.hidden ? "" : text.value, mark };
    open.asked = ask("set", set);
  }

  function leave(back = true) {
    if (!open) return;
    if (open.typed) model.send({ event: "left" });
    close(back);
  }

  function close(back = true) {
    open = null;
    fill();
    if (back) rowOf.get(focus)?.focus({ preventScroll: true });
  }

  function answer() {
    const { stamp: to, error, mark, text } = model.get("answer");
    if (!open || to !== open.asked) return;
    open.asked = 0;
    const setting = open.before !== null;
    if (error) {
      open.wrong.replaceChildren(notice(error));
      open.mark = mark || open.mark;
      (open.text.hidden ? open.kind : open.text).focus();
    } else if (!setting) {
      open.mark = mark;
      put(text);
      open.text.focus();
      open.text.setSelectionRange(0, 0);
    } else {
      const { then } = open;
      close();
      then?.();
    }
  }

  function label(button, word, line) {
    button.textContent = word;
    button.setAttribute("aria-label", `${word} ${line.place}`);
  }

  // A secret that a person asked for, or what hides it again.
  function reveal(line) {
    const row = rowOf.get(line.key);
    const value = row?.querySelector(".gfnb-value");
    if (!value) return;
    if (row.dataset.revealed === undefined) return ask("reveal", { key: line.key });
    delete row.dataset.revealed;
    value.textContent = line.raw;
    label(row.querySelector(".gfnb-reveal"), "show", line);
  }

  function showRevealed({ revealed, text }) {
    const row = rowOf.get(revealed);
    const value = row?.querySelector(".gfnb-value");
    const line = lineOf(revealed);
    if (!value || !line?.secret) return;
    row.dataset.revealed = "";
    value.textContent = text;
    label(row.querySelector(".gfnb-reveal"), "hide", line);
  }

  function notice(text) {
    const box = element("div", "gfnb-notice gfnb-error");
    box.setAttribute("role", "alert");
    box.append(element("b", "", "Error: "), text);
    return box;
  }

  // What a person does

  function goTo(index) {
    const line = shown[Math.max(0, Math.min(shown.length - 1, index))];
    if (!line || !rowOf.has(line.key)) return;
    if (rowOf.has(focus)) rowOf.get(focus).tabIndex = -1;
    focus = line.key;
    const row = rowOf.get(focus);
    row.tabIndex = 0;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function fold(line, wanted) {
    folds.set(line.key, wanted);
    focus = line.key;
    fill();
    rowOf.get(focus)?.focus({ preventScroll: true });
  }

  tree.addEventListener("click", (event) => {
    const row = event.target.closest(".gfnb-line");
    const line = row && lineOf(row.dataset.key);
    if (!line || event.target.closest(".gfnb-edit, .gfnb-place")) return;
    if (event.target.closest(".gfnb-branch-edit")) return start(line);
    if (event.target.closest(".gfnb-reveal")) {
      goTo(shown.indexOf(line));
      return reveal(line);
    }
    if (line.count) return fold(line, !isOpen(line));
    const picked = window.getSelection();
    // A person who selects a part of a text wants to copy it.
    if (picked && !picked.isCollapsed && tree.contains(picked.anchorNode)) return;
    if (event.target.closest(".gfnb-value")) start(line);
    else goTo(shown.indexOf(line));
  });

  tree.addEventListener("keydown", (event) => {
    if (open && event.target.closest(".gfnb-edit")) {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key === "Escape") leave();
      else if (event.key === "Enter" && !event.shiftKey && !event.target.closest("button")) keep();
      else return;
      event.preventDefault();
      return;
    }
    const at = shown.findIndex((line) => line.key === focus);
    const line = shown[at];
    if (!line) return;
    const parent = () => {
      for (let i = at - 1; i >= 0; i--) if (shown[i].level < line.level) return i;
      return at;
    };
    const step = (by) => {
      let i = at + by;
      while (shown[i]?.more) i += by;
      goTo(i);
    };
    const keys = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Home: () => goTo(0),
      End: () => goTo(shown.length - 1),
      ArrowRight: () => (line.count && !isOpen(line) ? fold(line, true) : step(1)),
      ArrowLeft: () => (line.count && isOpen(line) ? fold(line, false) : goTo(parent())),
      Enter: () => (line.count ? fold(line, !isOpen(line)) : start(line)),
      F2: () => start(line),
      ...(line.secret ? { r: () => reveal(line) } : {}),
    };
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });

  model.on("change:page", fill);
  model.on("change:answer", answer);
  model.on("msg:custom", showRevealed);
  fill();
  return () => {
    model.off("change:page", fill);
    model.off("change:answer", answer);
    model.off("msg:custom", showRevealed);
  };
}

export default { initialize, render };
