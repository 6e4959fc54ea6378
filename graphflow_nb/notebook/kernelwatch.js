// A bar in a view whose kernel is gone. Notebooks mark a widget that lost its kernel by a class of
// the widgets' own library; one whose kernel died without a word is found out by asking it.

const GONE = "The kernel was restarted or has ended. ";
const SILENT = "The kernel does not answer. While it runs a cell, wait; "
  + "if it was restarted, run the cells up to this one again.";
const LOST = "jupyter-widgets-disconnected";
const PATIENCE = 6000; // milliseconds for an answer
const PAUSE = 3000; // between two questions
const TYPED = 'textarea, input:not([type]), input[type="text"], input[type="number"], input[type="search"]';

function render({ model, el }) {
  const bar = document.createElement("div");
  bar.className = "gfnb-watch-bar";
  bar.setAttribute("role", "alert");
  el.classList.add("gfnb-watch");
  el.appendChild(bar);
  const ended = new AbortController();
  let root = null;
  let gone = false;
  let asked = 0; // when; 0 for not waiting
  let timer = 0;

  function say(text) {
    if (bar.textContent !== text) bar.textContent = text;
  }

  function stop() {
    if (gone) return;
    gone = true;
    clearTimeout(timer);
    say(model.get("what_to_do") && GONE + model.get("what_to_do"));
    root.classList.add("gfnb-gone");
    freeze();
    // What a notebook draws again, or a script of ours was about to draw.
    watch(freeze, { childList: true, subtree: true });
  }

  function freeze() {
    for (const each of root.querySelectorAll("button, select, input, textarea")) {
      if (each.matches(TYPED)) each.readOnly = true; // so that it can be copied
      else each.disabled = true;
    }
  }

  function watch(action, what) {
    const observer = new MutationObserver(action);
    observer.observe(root, what);
    ended.signal.addEventListener("abort", () => observer.disconnect());
  }

  function check() {
    if (root.classList.contains(LOST)) stop();
  }

  function ask() {
    // Work that has ended needs no kernel.
    if (gone || Date.now() - asked < PAUSE || timer || !model.get("what_to_do")) return;
    asked = Date.now();
    timer = setTimeout(() => model.get("what_to_do") && say(SILENT), PATIENCE);
    try {
      model.send({ event: "ping" });
    } catch {
      stop(); // its connection is closed
    }
  }

  function answered() {
    clearTimeout(timer);
    timer = 0;
    if (!gone) say("");
  }

  // Nothing that our scripts would send, since nobody receives it.
  function refuse(event) {
    if (!gone || event.target.closest("summary, a")) return;
    if (event.type === "keydown") {
      const typed = event.target.matches(TYPED);
      if (event.ctrlKey || event.metaKey || event.key === "Tab" || (typed && event.key !== "Enter")) return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  function start() {
    if (ended.signal.aborted) return;
    if (!el.isConnected) {
      requestAnimationFrame(start); // a box puts its widgets in when all of them are made
      return;
    }
    root = el.closest(".gfnb-view") ?? el.parentElement;
    const options = { capture: true, signal: ended.signal };
    for (const kind of ["click", "dblclick", "keydown", "change"]) root.addEventListener(kind, refuse, options);
    for (const kind of ["pointerenter", "pointerdown", "keydown"]) root.addEventListener(kind, ask, options);
    watch(check, { attributes: true, attributeFilter: ["class"] });
    check();
  }

  function changed() {
    if (!model.get("what_to_do")) answered();
  }

  model.on("msg:custom", answered);
  model.on("change:what_to_do", changed);
  start();
  return () => {
    ended.abort();
    clearTimeout(timer);
    model.off("msg:custom", answered);
    model.off("change:what_to_do", changed);
  };
}

export default { initialize, render };
