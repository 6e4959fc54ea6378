// Operations on a canvas: dots or a heat map. Pointing at a dot says what it is; a drag or + zooms
// in, - zooms out, 0 shows all; arrow keys go from dot to dot, Enter or a click opens its session.
// Texts are set as text, never as markup.

const LEFT = 64, BOTTOM = 26, TOP = 8, RIGHT = 12, SIZE = 4;

function say(ns) {
  if (!ns) return "0";
  for (const [unit, size] of [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]])
    if (ns / size < 999.5 || unit === "s") return `${+(ns / size).toPrecision(3)} ${unit}`;
}

// Draw a mark of matplotlib's name around a place, on a path of a canvas or of SVG alike.
function mark(path, name, x, y, r) {
  const poly = (n, turn, inner = 1) => {
    const steps = inner === 1 ? n : 2 * n;
    for (let i = 0; i < steps; i++) {
      const a = turn + (2 * Math.PI * i) / steps, q = i % 2 && inner !== 1 ? r * inner : r;
      path[i ? "lineTo" : "moveTo"](x + q * Math.sin(a), y - q * Math.cos(a));
    }
    path.closePath();
  };
  if (name === "s") path.rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7);
  else if (name === "^") poly(3, 0);
  else if (name === "v") poly(3, Math.PI);
  else if (name === "D") poly(4, 0);
  else if (name === "*") poly(5, 0, 0.45);
  else if (name === "h") poly(6, 0);
  else { path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI); }
}

function cross(path, x, y, r) {
  path.moveTo(x - r, y - r); path.lineTo(x + r, y + r);
  path.moveTo(x - r, y + r); path.lineTo(x + r, y - r);
}

function render({ model, el }) {
  const make = (tag, name, parent) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    parent.append(made);
    return made;
  };
  const root = make("div", "gfnb-chart", el);
  const bar = make("div", "gfnb-chart-bar", root);
  const names = make("div", "gfnb-chart-names", root);
  const place = make("div", "", root);
  place.style.position = "relative";
  const canvas = make("canvas", "", place);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  // Otherwise JupyterLab takes the arrow keys to move between cells.
  canvas.setAttribute("data-lm-suppress-shortcuts", "true");
  const tip = make("div", "gfnb-chart-tip", place);
  tip.setAttribute("role", "status");
  const note = make("div", "", root);
  const keys = make("div", "", root);
  keys.textContent =
    "Drag to zoom in, double-click for all. Keys: ← → next dot, ↑ ↓ the next slower or faster, " +
    "Enter opens its session, + and − zoom, 0 all.";

  const button = (text, act) => {
    const made = make("button", "", bar);
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  };
  let heat = false, chosen = -1, drag = null, view = null, timer = null;
  const more = button("Zoom in", () => zoom(0.5));
  const less = button("Zoom out", () => zoom(2));
  const all = button("Show all", () => ask(null));
  const toggle = button("Heat map", () => {
    heat = !heat;
    toggle.setAttribute("aria-pressed", heat);
    paint();
  });
  toggle.setAttribute("aria-pressed", "false");

  const chart = () => model.get("chart");
  const width = () => canvas.clientWidth - LEFT - RIGHT;
  const height = () => canvas.clientHeight - TOP - BOTTOM;
  const toX = (at) => LEFT + ((at - view[0]) / (view[1] - view[0])) * width();
  const toY = (took) =>
    TOP + height() * (1 - Math.log(Math.max(took, 1) / view[2]) / Math.log(view[3] / view[2]));
  const fromX = (x) => view[0] + ((x - LEFT) / width()) * (view[1] - view[0]);
  const fromY = (y) => view[2] * Math.pow(view[3] / view[2], 1 - (y - TOP) / height());
  const time = (at) => new Date(chart().origin + at / 1e6).toISOString().replace("T", " ").slice(0, 23);

  // What was sent is shown at once; the kernel then sends what the new part holds.
  function ask(range) {
    chosen = -1;
    const whole = chart().whole;
    if (!whole) return;
    view = range ? [...range] : roomy(whole);
    paint();
    clearTimeout(timer);
    timer = setTimeout(() => model.send({ event: "range", value: range }), 80);
  }

  function roomy([a, b, c, d]) {
    const more = (b - a || 1) * 0.02, factor = Math.max(Math.pow(d / c, 0.04), 1.15);
    return [a - more, b + more, c / factor, d * factor];
  }

  function zoom(by) {
    if (!view) return;
    const dots = chart().dots;
    const x = chosen >= 0 ? dots.at[chosen] : (view[0] + view[1]) / 2;
    const y = chosen >= 0 ? Math.max(dots.took[chosen], 1) : Math.sqrt(view[2] * view[3]);
    const half = ((view[1] - view[0]) / 2) * by, factor = Math.pow(view[3] / view[2], by / 2);
    const [a, b, c, d] = roomy(chart().whole);
    const next = [
      Math.max(x - half, a), Math.min(x + half, b), Math.max(y / factor, c), Math.min(y * factor, d),
    ];
    if (next[0] <= a && next[1] >= b && next[2] <= c && next[3] >= d) ask(null);
    else if (next[1] - next[0] > 10 && next[3] / next[2] > 1.001) ask(next);
  }

  function ticks(low, high, log) {
    const found = [];
    if (log) {
      const steps = high / low > 1000 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5];
      for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++)
        for (const step of steps) found.push(step * Math.pow(10, e));
      const inside = found.filter((tick) => low <= tick && tick <= high);
      if (inside.length > 1) return inside;
      found.length = 0;
    }
    const raw = (high - low) / 8, size = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = [1, 2, 5, 10].map((n) => n * size).find((n) => n >= raw);
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) found.push(tick);
    return found;
  }

  function paint() {
    const { dots, cells, series } = chart();
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(canvas.clientWidth * ratio, 1);
    canvas.height = Math.max(canvas.clientHeight * ratio, 1);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!dots || !view || width() < 50) return;
    const ink = getComputedStyle(root).color;
    pen.font = `12px ${getComputedStyle(root).fontFamily}`;
    pen.fillStyle = pen.strokeStyle = ink;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const tick of ticks(view[2], view[3], true)) {
      pen.fillText(say(tick), LEFT - 6, toY(tick));
      pen.globalAlpha = 0.18;
      pen.fillRect(LEFT, toY(tick), width(), 1);
      pen.globalAlpha = 1;
    }
    pen.textAlign = "center";
    pen.textBaseline = "top";
    let end = -1e9;
    for (const tick of ticks(view[0], view[1], false)) {
      const text = say(Math.max(tick, 0)), half = pen.measureText(text).width / 2;
      pen.globalAlpha = 0.18;
      pen.fillRect(toX(tick), TOP, 1, height());
      pen.globalAlpha = 1;
      if (tick < 0 || toX(tick) - half < end + 8) continue;
      pen.fillText(text, toX(tick), TOP + height() + 6);
      end = toX(tick) + half;
    }
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, TOP, width(), height());
    pen.clip();
    if (heat) {
      const most = Math.log1p(Math.max(...cells.n)), [a, b, c, d] = chart().range;
      cells.cell.forEach((cell, i) => {
        const x = cell % cells.across, y = Math.floor(cell / cells.across);
        const low = c * Math.pow(d / c, y / cells.up), high = c * Math.pow(d / c, (y + 1) / cells.up);
        const left = toX(a + ((b - a) * x) / cells.across);
        const right = toX(a + ((b - a) * (x + 1)) / cells.across);
        pen.fillStyle = "#2b7fc4";
        pen.globalAlpha = 0.2 + 0.8 * (Math.log1p(cells.n[i]) / most);
        pen.fillRect(left, toY(high), Math.max(right - left, 1), Math.max(toY(low) - toY(high), 1));
      });
    } else {
      pen.globalAlpha = 0.75;
      series.forEach((each, number) => {
        pen.beginPath();
        dots.at.forEach((at, i) => {
          if (dots.series[i] === number) mark(pen, each.marker, toX(at), toY(dots.took[i]), SIZE);
        });
        pen.fillStyle = each.colour;
        pen.fill();
      });
    }
    pen.globalAlpha = 1;
    pen.beginPath();
    dots.at.forEach((at, i) => {
      if (dots.failed[i]) cross(pen, toX(at), toY(dots.took[i]), SIZE);
    });
    pen.lineWidth = 2;
    pen.stroke();
    if (chosen >= 0) {
      pen.beginPath();
      pen.arc(toX(dots.at[chosen]), toY(dots.took[chosen]), SIZE + 4, 0, 2 * Math.PI);
      pen.stroke();
    }
    if (drag && drag.moved) {
      pen.lineWidth = 1;
      pen.strokeRect(drag.x, drag.y, drag.x2 - drag.x, drag.y2 - drag.y);
    }
    pen.restore();
  }

  function choose(i) {
    chosen = i;
    const { dots, series } = chart();
    if (i < 0) {
      tip.textContent = "";
    } else {
      const parts = [
        `${series[dots.series[i]].name}, ${say(dots.took[i])}${dots.failed[i] ? ", failed" : ""}`,
        dots.id[i] === null ? "no single session" : dots.id[i],
        `${time(dots.at[i])} UTC`,
      ];
      tell(parts.join("\n"), toX(dots.at[i]), toY(dots.took[i]));
    }
    paint();
  }

  function tell(text, x, y) {
    tip.textContent = text;
    tip.style.left = `${Math.min(Math.max(x + 12, 0), Math.max(canvas.clientWidth - 250, 0))}px`;
    tip.style.top = `${y > 90 ? y - 78 : y + 14}px`;
  }

  // In the heat map a place means its cell, which counts all operations, not those that are dots.
  function tellCell(x, y) {
    const { cells, range: [a, b, c, d] } = chart();
    const column = Math.floor(((fromX(x) - a) / (b - a)) * cells.across);
    const row = Math.floor((Math.log(fromY(y) / c) / Math.log(d / c)) * cells.up);
    const within = column >= 0 && column < cells.across && row >= 0 && row < cells.up;
    const i = within ? cells.cell.indexOf(row * cells.across + column) : -1;
    if (i < 0) return choose(-1);
    const [low, high] = [row, row + 1].map((n) => say(c * Math.pow(d / c, n / cells.up)));
    const from = time(a + ((b - a) * column) / cells.across);
    tell(`${cells.n[i].toLocaleString("en")} operations, ${low} to ${high}\nfrom ${from} UTC`, x, y);
  }

  function visible(i) {
    const { at, took } = chart().dots;
    return view[0] <= at[i] && at[i] <= view[1] && view[2] <= Math.max(took[i], 1) && took[i] <= view[3];
  }

  function nearest(x, y) {
    const { at, took } = chart().dots;
    let best = -1, least = 14 * 14;
    for (let i = 0; i < at.length; i++) {
      const far = (toX(at[i]) - x) ** 2 + (toY(took[i]) - y) ** 2;
      if (far < least && visible(i)) [best, least] = [i, far];
    }
    return best;
  }

  function step(values, way) {
    const order = values.map((_, i) => i).filter(visible).sort((a, b) => values[a] - values[b] || a - b);
    if (!order.length) return;
    const at = order.indexOf(chosen);
    choose(order[at < 0 ? (way > 0 ? 0 : order.length - 1) : Math.min(Math.max(at + way, 0), order.length - 1)]);
  }

  const open = () => {
    if (chosen >= 0) model.send({ event: "open", value: chart().dots.row[chosen] });
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!view || event.button) return;
    const [x, y] = at(event);
    drag = { x, y, x2: x, y2: y, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!view) return;
    const [x, y] = at(event);
    if (!drag) return heat ? tellCell(x, y) : choose(nearest(x, y));
    [drag.x2, drag.y2] = [x, y];
    drag.moved ||= Math.hypot(x - drag.x, y - drag.y) > 6;
    paint();
  });
  canvas.addEventListener("pointerup", (event) => {
    const done = drag;
    drag = null;
    if (!done) return;
    if (!done.moved) {
      choose(nearest(...at(event)));
      return open();
    }
    const [a, b] = [done.x, done.x2].sort((p, q) => p - q).map(fromX);
    const [d, c] = [done.y, done.y2].sort((p, q) => p - q).map(fromY);
    if (b - a > 10 && d / c > 1.001) ask([a, b, c, d]);
    else paint();
  });
  canvas.addEventListener("pointercancel", () => { drag = null; paint(); });
  canvas.addEventListener("pointerleave", () => { if (!drag && view) choose(-1); });
  canvas.addEventListener("dblclick", () => ask(null));
  canvas.addEventListener("keydown", (event) => {
    if (!view || event.ctrlKey || event.metaKey || event.altKey) return;
    const { at, took } = chart().dots;
    const act = {
      ArrowRight: () => step(at, 1), ArrowLeft: () => step(at, -1),
      ArrowUp: () => step(took, 1), ArrowDown: () => step(took, -1),
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => ask(null),
      Enter: open, Escape: () => choose(-1),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });

  function show() {
    const { series, note: text, range, whole, n } = chart();
    const asked = whole && range && range.some((value, i) => value !== whole[i]);
    view = range ? (asked ? [...range] : roomy(whole)) : null;
    chosen = -1;
    tip.textContent = "";
    note.textContent = view ? `${text}. Times are since ${time(0)} UTC.` : text;
    for (const each of [more, less, all, toggle]) each.disabled = !view;
    canvas.hidden = !view;
    canvas.setAttribute(
      "aria-label",
      `Chart of ${n} operations, how long each took at the time it began; arrow keys go from one to the next`,
    );
    names.textContent = "";
    const ns = "http://www.w3.org/2000/svg";
    const sample = (text, colour, shape) => {
      const item = make("span", "", names), svg = document.createElementNS(ns, "svg");
      const path = document.createElementNS(ns, "path");
      let d = "";
      const pen = {
        moveTo: (x, y) => (d += `M${x} ${y}`), lineTo: (x, y) => (d += `L${x} ${y}`),
        closePath: () => (d += "Z"), rect: (x, y, w, h) => (d += `M${x} ${y}h${w}v${h}h${-w}Z`),
        arc: (x, y, r) => (d += `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`),
      };
      shape(pen);
      path.setAttribute("d", d);
      path.setAttribute("fill", colour);
      path.setAttribute("stroke", colour);
      svg.setAttribute("aria-hidden", "true");
      svg.append(path);
      item.append(svg, text);
    };
    for (const each of series)
      sample(`${each.name}, n = ${each.n.toLocaleString("en")}`, each.colour, (pen) => mark(pen, each.marker, 6, 6, 4.5));
    if (series.length) sample("failed", "currentColor", (pen) => cross(pen, 6, 6, 4));
    paint();
  }

  model.on("change:chart", show);
  const watcher = new ResizeObserver(paint);
  watcher.observe(place);
  show();
  return () => {
    watcher.disconnect();
    model.off("change:chart", show);
    clearTimeout(timer);
  };
}

export default { initialize, render };
