// The nodes that give most to a logit: bars that are made once and change with the step.

class Bars {
  constructor(colour, rows) {
    this.title = el("h4");
    this.rows = Array.from({ length: rows }, () => barRow());
    this.node = el("div", { class: "bars" }, this.title, ...this.rows.map((row) => row.node));
    this.node.style.setProperty("--bar-colour", colour);
  }

  // bars: [{name, value, kind}], sizes: the values whose bars fill half of the lane: of the named
  // nodes, and of the sums below them
  show(title, bars, sizes) {
    this.title.textContent = title;
    this.rows.forEach((row, at) => showBar(row, bars[at], bars[at] && bars[at].kind === "named" ? sizes.named : sizes.sums));
  }
}

function barRow() {
  const name = el("span", { class: "name" });
  const fill = el("span", { class: "fill" });
  const number = el("span", { class: "number" });
  return { name, fill, number, node: el("div", { class: "bar" }, name, el("span", { class: "lane" }, fill), number) };
}

// Decimals that show three digits of a size, at most five.
function decimalsFor(size) {
  return Math.min(5, Math.max(0, 2 - Math.floor(Math.log10(size))));
}

// A number with its sign, which a 0 has not.
function rounded(value, decimals) {
  const digits = Math.abs(value).toFixed(decimals);
  return `${Number(digits) === 0 ? "" : value < 0 ? "−" : "+"}${digits}`;
}

function showBar(row, bar, size) {
  row.node.hidden = !bar;
  if (!bar) return;
  const width = Math.min(50, (50 * Math.abs(bar.value)) / size) || 0;
  row.name.textContent = bar.name;
  row.number.textContent = Number.isFinite(bar.value) ? rounded(bar.value, decimalsFor(size)) : half(bar.value);
  row.node.className = `bar ${bar.kind} ${bar.value < 0 ? "below" : ""}`;
  row.fill.style.left = `${bar.value < 0 ? 50 - width : 50}%`;
  row.fill.style.width = `${width}%`;
}

class Shares {
  constructor(sample) {
    this.sample = sample;
    this.shares = sample.shares;
    this.top = this.shares.nodes.length / (this.shares.step.length * 2 * sample.size);
    this.ofLogit = { start: new Bars(themeColour("start"), this.top + 3), end: new Bars(themeColour("end"), this.top + 3) };
    this.ofMargin = this.shares.margin ? new Bars(themeColour("start"), this.top + 2) : null;
  }

  nodes(view) {
    return [this.ofLogit[view].node, ...(this.ofMargin ? [this.ofMargin.node] : [])];
  }

  placeOf(step) {
    return placeNearest(this.shares.step, step);
  }

  show(step, token, view) {
    const at = this.placeOf(step);
    const row = view === "start" ? 0 : 1;
    const cell = (at * 2 + row) * this.sample.size + token;
    const logit = this.shares.logits[cell];
    const bias = this.shares.bias[at * 2 + row];
    const bars = this.named(cell, this.shares.nodes, this.shares.values);
    const others = logit - bias - bars.reduce((sum, bar) => sum + bar.value, 0);
    bars.push(
      { name: `other ${this.shares.hidden - bars.length}`, value: others, kind: "rest" },
      { name: "bias", value: bias, kind: "rest" },
      { name: "logit", value: logit, kind: "sum" },
    );
    this.ofLogit[view].show(`${view} logit of “${short(this.sample.names[token], 24)}” (${token})`, bars, this.sizesOf(row, token));
    if (this.ofMargin) this.showMargin(at);
  }

  named(cell, nodes, values) {
    const bars = [];
    for (let at = cell * this.top; at < (cell + 1) * this.top; at++) bars.push({ name: `node ${nodes[at]}`, value: values[at], kind: "named" });
    return bars;
  }

  // The largest sizes at any snapshot, so that bars can be compared from step to step.
  sizesOf(row, token) {
    const size = this.sample.size;
    let named = 1e-9;
    let sums = 1e-9;
    for (let at = 0; at < this.shares.step.length; at++) {
      const cell = (at * 2 + row) * size + token;
      named = Math.max(named, largest(rowOf(this.shares.values, cell, this.top)));
      sums = Math.max(sums, 1.2 * Math.abs(this.shares.logits[cell]) || 0);
    }
    return { named, sums };
  }

  showMargin(at) {
    const margin = this.shares.margin;
    const { gold, names } = this.sample;
    const start = gold ? "true start" : "the answer’s start";
    const bars = this.named(at, margin.nodes, margin.values);
    const total = margin.total[at];
    const others = total - bars.reduce((sum, bar) => sum + bar.value, 0);
    bars.push(
      { name: `other ${this.shares.hidden - bars.length}`, value: others, kind: "rest" },
      { name: "margin", value: total, kind: "sum" },
    );
    const title = `${start} “${short(names[margin.start], 16)}” (${margin.start}) over “${short(names[margin.rival], 16)}” (${margin.rival})`;
    this.ofMargin.show(title, bars, { named: largest(margin.values), sums: 1.2 * largest(margin.total) });
  }
}

// The largest size of some numbers, but not 0.
function largest(numbers) {
  let size = 1e-9;
  for (const number of numbers) if (Number.isFinite(number)) size = Math.max(size, Math.abs(number));
  return size;
}
