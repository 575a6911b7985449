// Heat maps: a pixel of a canvas is a cell. Axes, lines and marks lie over it.

const ROOM = 9; // pixels that the name of a token takes on an axis

class HeatMap {
  // kind: "start" or "end"; title: a text; names: of the tokens; rows, columns: how many cells; label: for screen readers
  constructor(options) {
    Object.assign(this, options);
    this.canvas = el("canvas", { width: this.columns, height: this.rows, role: "img", "aria-label": this.label });
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(this.columns, this.rows);
    this.column = el("div", { class: "column", hidden: true });
    this.plot = el("div", { class: "plot" }, this.canvas, this.column);
    this.ticksY = el("div", { class: "ticks-y" });
    this.side = el("div", { class: "side" });
    this.scale = el("span", { class: "scale" });
    this.axisX = el("div", { class: "axis-x" });
    this.node = el("figure", { class: `map ${this.kind}` },
      el("figcaption", {}, el("b", { text: this.title }), this.scale),
      el("div", { class: "frame" }, this.ticksY, this.plot, this.side, this.axisX));
    new ResizeObserver(() => this.nameColumns(this.plot.clientWidth >= ROOM * this.columns)).observe(this.plot);
    this.plot.addEventListener("pointermove", (event) => this.over(event));
    this.plot.addEventListener("pointerleave", () => { hideTip(); this.point.over(null); });
    this.plot.addEventListener("click", (event) => this.click(event));
  }

  // Below the columns: the names of all tokens, or some of their places.
  nameColumns(areNamed) {
    if (areNamed === this.areNamed) return;
    this.areNamed = areNamed;
    const last = this.columns - 1;
    const quarters = [...new Set([0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * last)))];
    const places = areNamed ? this.names.map((_, place) => place) : quarters;
    const ticks = places.map((place) => {
      const text = areNamed ? short(this.names[place], 8) : String(place);
      const tick = el("span", { text, class: place === last ? "last" : "" });
      tick.style.left = `${(100 * (place + 0.5)) / this.columns}%`;
      return tick;
    });
    this.axisX.replaceChildren(el("div", { class: areNamed ? "ticks-x named" : "ticks-x" }, ...ticks), areNamed ? "token" : "place of the token");
  }

  nameRows(rows) { // [[row, text], ...]
    this.ticksY.replaceChildren(...rows.map(([row, text]) => {
      const tick = el("span", { text });
      tick.style.top = `${(100 * (row + 0.5)) / this.rows}%`;
      return tick;
    }));
  }

  cell(event) {
    const box = this.canvas.getBoundingClientRect();
    const inside = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    return {
      row: inside((event.clientY - box.top) / box.height, this.rows),
      column: inside((event.clientX - box.left) / box.width, this.columns),
    };
  }

  over(event) {
    const { row, column } = this.cell(event);
    showTip(event, this.describe(row, column));
    this.point.over(column);
  }

  click(event) {
    const { row, column } = this.cell(event);
    this.point.choose(column, this.stepOf ? this.stepOf(row) : null);
  }

  // numbers of a row are 0..255 (or 0..colours.length - 1): places in `colours`
  paint(shades, colours) {
    const data = this.image.data;
    for (let at = 0; at < shades.length; at++) {
      const colour = colours[shades[at]];
      data[4 * at] = colour[0];
      data[4 * at + 1] = colour[1];
      data[4 * at + 2] = colour[2];
      data[4 * at + 3] = 255;
    }
    this.context.putImageData(this.image, 0, 0);
  }

  // A box around columns; `first` may be `last`.
  addSpan(name, first, last) {
    const node = el("div", { class: name });
    this.plot.append(node);
    place(node, "left", first, last, this.columns);
    return node;
  }

  markColumn(at) {
    this.column.hidden = at === null;
    if (at !== null) place(this.column, "left", at, at, this.columns);
  }
}

function place(node, side, first, last, count) {
  node.style[side] = `${(100 * first) / count}%`;
  node.style[side === "left" ? "width" : "height"] = `${(100 * (last - first + 1)) / count}%`;
}

function showTip(event, text) {
  const tip = byId("tip");
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, innerWidth - box.width - 8);
  const above = event.clientY - box.height - 12;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above < 8 ? event.clientY + 18 : above}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

// Logits by token (to the right) and probe (downwards).
class LogitMap {
  constructor(sample, kind, point) {
    this.sample = sample;
    this.logits = sample.probes[kind];
    const rows = sample.steps.length;
    const [low, high] = limits(this.logits);
    this.map = new HeatMap({
      kind, rows, point,
      columns: sample.size,
      names: sample.names,
      title: `${kind} logit`,
      label: `Heat map of the ${kind} logits: ${several(sample.size, "token")} by ${several(rows, "probe")}. The numbers are in the table of each step.`,
      describe: (row, column) => this.describe(row, column, kind),
      stepOf: (row) => sample.steps[row],
    });
    const spread = high - low || 1;
    const shades = Uint8Array.from(this.logits, (logit) => Math.round(255 * Math.min(1, Math.max(0, (logit - low) / spread))));
    this.map.paint(shades, CIVIDIS_256);
    this.map.scale.replaceChildren(...scaleOf(CIVIDIS_256, signed(low, 3), signed(high, 3), ""));
    this.nameSteps(rows);
    if (sample.gold) this.map.addSpan("true-span", ...sample.gold);
    this.line = el("div", { class: "row-line" });
    this.map.plot.append(this.line);
    this.map.side.append(answersAsPixels(sample, "down"));
  }

  nameSteps(rows) {
    const places = [...new Set([0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * (rows - 1))))];
    this.map.nameRows(places.map((row) => [row, whole(this.sample.steps[row])]));
  }

  describe(row, column, kind) {
    const logit = this.logits[row * this.sample.size + column];
    return `step ${whole(this.sample.steps[row])}\ntoken ${column} “${short(this.sample.names[column])}”\n${kind} logit ${half(logit)}`;
  }

  show(row) {
    this.line.style.top = `calc(${(100 * (row + 0.5)) / this.map.rows}% - 1px)`;
  }
}

function limits(numbers) {
  let low = Infinity;
  let high = -Infinity;
  for (const number of numbers) {
    if (!Number.isFinite(number)) continue;
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return low <= high ? [low, high] : [0, 1];
}

// A strip with a pixel for each probe: green where the answer is right.
function answersAsPixels(sample, direction, canvas = el("canvas", { "aria-hidden": "true" })) {
  const count = sample.steps.length;
  canvas.width = direction === "down" ? 1 : count;
  canvas.height = direction === "down" ? count : 1;
  const context = canvas.getContext("2d");
  const colours = [themeColour("line"), themeColour("gold")];
  for (let at = 0; at < count; at++) {
    context.fillStyle = colours[Number(isRight(sample, at))];
    context.fillRect(direction === "down" ? 0 : at, direction === "down" ? at : 0, 1, 1);
  }
  return canvas;
}

// The head on each layer's output at one step: layer (upwards) by token.
class LensMap {
  constructor(sample, kind, point) {
    this.sample = sample;
    this.lens = sample.lens;
    this.steps = sample.lens[kind];
    this.kind = kind;
    const rows = this.lens.layers;
    this.map = new HeatMap({
      kind, rows, point,
      columns: sample.size,
      names: sample.names,
      title: `probability as ${kind}`,
      label: `The QA head on each of ${several(rows - 1 + this.lens.first, "layer")}: the probability of each of ${several(sample.size, "token")} as ${kind}.`,
      describe: (row, column) => this.describe(rows - 1 - row, column),
    });
    this.map.nameRows(layerTicks(rows).map((layer) => [rows - 1 - layer, String(this.lens.first + layer)]));
    if (sample.gold) this.map.addSpan("true-span", ...sample.gold);
    this.mark = el("div", { class: "layer-mark", hidden: true });
    this.map.plot.append(this.mark);
    this.place = 0;
    this.shades = new Uint8Array(rows * sample.size);
    this.useTheme();
  }

  useTheme() {
    const { pixels } = shadesOf(this.kind);
    this.pixels = pixels;
    this.ofStep = Uint8Array.from({ length: 256 }, (_, steps) => Math.round(shadeOf(Math.exp(-steps / PER_NAT)) * SHADES));
    this.map.scale.replaceChildren(...scaleOf(pixels, "≤ 0.001", "1", ""));
  }

  // The index of a token at a layer in the arrays.
  index(layer, column) {
    return (this.place * this.lens.layers + layer) * this.sample.size + column;
  }

  describe(layer, column) {
    const steps = this.steps[this.index(layer, column)];
    const number = this.lens.first + layer;
    const name = number === 0 ? "layer 0 (embeddings)" : `layer ${number}`;
    const token = `token ${column} “${short(this.sample.names[column])}”`;
    return `step ${whole(this.lens.step[this.place])}, ${name}\n${token}\nprobability as ${this.kind} ${likelihood(steps)}`;
  }

  show(step) {
    this.place = placeBefore(this.lens.step, step);
    const size = this.sample.size;
    const rows = this.lens.layers;
    for (let layer = 0; layer < rows; layer++) {
      const from = this.index(layer, 0);
      const to = (rows - 1 - layer) * size;
      for (let at = 0; at < size; at++) this.shades[to + at] = this.ofStep[this.steps[from + at]];
    }
    this.map.paint(this.shades, this.pixels);
    const lowest = this.lens.lowest_right[this.place];
    this.mark.hidden = lowest < 0;
    const row = rows - 1 - (lowest - this.lens.first);
    if (lowest >= 0) place(this.mark, "top", row, row, rows);
  }
}

function layerTicks(rows) {
  const every = 1 + Math.floor(rows / 8);
  const ticks = [];
  for (let layer = 0; layer < rows - every / 2; layer += every) ticks.push(layer);
  return [...new Set([...ticks, rows - 1])];
}

// A probability from its steps of -log p; the truth is within 3 %.
function likelihood(steps) {
  if (steps === 255) return "below 0.0000002";
  const value = Math.exp(-steps / PER_NAT);
  return `${steps === 0 ? "1" : value >= 0.001 ? value.toPrecision(2) : value.toExponential(0)} (± 3 %)`;
}
