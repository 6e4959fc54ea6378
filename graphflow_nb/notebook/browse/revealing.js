// A text in which secrets are hidden. A button shows it with them: they come by a message to this
// view alone, and not as a value of the widget, which a notebook would save.

function render({ model, el }) {
  const bar = document.createElement("div");
  const button = document.createElement("button");
  const note = document.createElement("span");
  const body = document.createElement("div");
  const view = crypto.randomUUID?.() ?? String(Math.random());
  const ended = new AbortController();
  let shown = false;
  button.className = "gfnb-reveal-all";
  button.type = "button";
  el.tabIndex = 0; // it scrolls, also by the keyboard
  note.className = "gfnb-quiet";
  bar.append(button, " ", note);
  el.append(bar, body);

  function hide() {
    shown = false;
    body.innerHTML = model.get("value"); // made and escaped by the kernel
    bar.hidden = !model.get("secrets");
    say();
  }

  function say() {
    button.textContent = shown ? "Hide secrets" : "Show secrets";
    button.title = shown ? "Show ••• instead of them" : "Show them here; they are not saved in the notebook";
    button.setAttribute("aria-pressed", shown);
    note.textContent = shown ? "secrets are shown, and not saved in the notebook" : "";
  }

  function take(message) {
    if (message.view !== view) return;
    shown = true;
    body.innerHTML = message.revealed; // as above
    say();
  }

  button.addEventListener("click", () => {
    if (shown) hide();
    else model.send({ event: "reveal", view });
  }, { signal: ended.signal });
  model.on("change:value change:secrets", hide);
  model.on("msg:custom", take);
  hide();
  return () => {
    ended.abort();
    model.off("change:value change:secrets", hide);
    model.off("msg:custom", take);
  };
}

export default { initialize, render };
