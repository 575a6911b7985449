// Curves by step with one cursor, drawn by uPlot. A click goes to a step.

class Chart {
  // series: [{label, colour, x, y, width, dash, dots, format}], lastStep: of the axis
  constructor({ title, unit, series, lastStep, go, missing, range }) {
    this.series = series.filter((each) => each.y.some(Number.isFinite));
    this.key = el("p", { class: "key" });
    this.plotted = el("div", { class: "plotted" });
    this.node = el("div", { class: "chart" }, el("h3", { text: title }));
    if (!this.series.length) {
      this.node.append(missingLine(missing || "no such number was recorded"));
      return;
    }
    this.values = this.series.map((each) => this.entry(each));
    this.node.append(this.key, this.plotted);
    this.options = { unit, lastStep, go, range };
  }

  entry(each) {
    const swatch = el("i", { class: each.dash ? "dotted" : "" });
    swatch.style.setProperty("--key", each.colour);
    const value = el("span");
    this.key.append(el("span", {}, swatch, `${each.label} `, value));
    return value;
  }

  // The plot can be made only when its place on the page is known.
  draw() {
    if (!this.series.length) return;
    const { unit, lastStep, go, range } = this.options;
    const box = this.plotted.getBoundingClientRect();
    const data = uPlot.join(this.series.map((each) => [Array.from(each.x), each.y]));
    const axis = { stroke: themeColour("quiet"), grid: { stroke: themeColour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", labelSize: 18 };
    this.plot = new uPlot({
      width: Math.max(200, box.width),
      height: Math.max(120, box.height),
      legend: { show: false },
      scales: { x: { time: false, range: [0, Math.max(1, lastStep)] }, y: range ? { range } : {} },
      axes: [{ ...axis, label: "step", size: 30, gap: 2 }, { ...axis, label: unit, size: 54, gap: 4, values: (_, ticks) => ticks.map(shortNumber) }],
      series: [{}, ...this.series.map((each) => lineOf(each))],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, sync: { key: "step" } },
      hooks: { setCursor: [(plot) => this.hover(plot)] },
    }, data, this.plotted);
    this.line = el("div", { class: "now-line" });
    this.plot.over.append(this.line);
    this.plot.over.addEventListener("click", (event) => go(this.plot.posToVal(event.offsetX, "x")));
  }

  hover(plot) {
    const left = plot.cursor.left;
    this.say(left >= 0 ? plot.posToVal(left, "x") : this.step);
  }

  say(step) {
    this.series.forEach((each, at) => {
      const value = each.y[placeBefore(each.x, step)];
      this.values[at].textContent = value === null || value === undefined ? "–" : each.format(value, placeBefore(each.x, step));
    });
  }

  show(step) {
    if (!this.plot) return;
    this.step = step;
    this.line.style.transform = `translateX(${Math.round(this.plot.valToPos(step, "x")) - 1}px)`;
    if (!(this.plot.cursor.left >= 0)) this.say(step);
  }

  resize() {
    if (!this.plot) return;
    const box = this.plotted.getBoundingClientRect();
    this.plot.setSize({ width: Math.max(200, box.width), height: Math.max(120, box.height) });
    this.show(this.step);
  }

  destroy() {
    if (this.plot) this.plot.destroy();
  }
}

function shortNumber(value) {
  if (value === null) return "";
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential() : String(Number(value.toPrecision(6)));
}

function lineOf({ colour, width = 1.5, dash, dots }) {
  const points = dots ? { show: true, size: 6, fill: colour } : { show: false };
  return { stroke: colour, width, dash: dash || [], points, spanGaps: false };
}

// Typed arrays may hold NaN, which uPlot draws as gaps if it is null.
function gapped(numbers) {
  return Array.from(numbers, (number) => (Number.isFinite(number) ? number : null));
}

// playing: [{run, curves, sample}], of one or two runs
function chartsOf(playing, go) {
  const lastStep = Math.max(...playing.map(({ curves }) => curves.step[curves.step.length - 1] || 0));
  const colours = { ink: themeColour("ink"), quiet: themeColour("quiet"), start: themeColour("start"), end: themeColour("end"), other: themeColour("other-run"), asked: themeColour("asked") };
  const kinds = [lossChart, rateChart, marginChart, scoreChart];
  return kinds.map((chart) => new Chart({ ...chart(playing, colours), lastStep, go }));
}

const digits = (count) => (value) => signed(value, count);
const named = (playing, at, label) => (playing.length > 1 ? `${"AB"[at]}: ${label}` : label);

// A 95 % interval, read behind the number that it is of.
const within = (interval) => ` (${interval.map((end) => signed(end, 3)).join(" to ")})`;

function lossChart(playing, colours) {
  const series = playing.flatMap(({ run, curves }, at) => {
    const colour = at ? colours.other : colours.ink;
    const each = { x: curves.step, y: gapped(curves.loss), label: named(playing, at, "of each batch"), colour: at ? `${colour}66` : `${colours.quiet}77`, width: 1, format: digits(4) };
    const mean = { x: curves.step, y: gapped(curves.mean), label: named(playing, at, "running mean"), colour, width: 2, format: digits(4) };
    const rows = run.scores.filter((score) => score.loss !== null);
    const spread = (row) => rows[row].loss_spread === null ? "" : within([-1, 1].map((side) => rows[row].loss + side * rows[row].loss_spread));
    const validation = { x: rows.map((row) => row.step), y: rows.map((row) => row.loss), label: named(playing, at, "validation"), colour: colours.asked, dash: at ? [4, 3] : null, dots: true, format: (value, row) => signed(value, 4) + spread(row) };
    return rows.length > 1 ? [each, mean, validation] : [each, mean];
  });
  return { title: "Loss", unit: "nats", series };
}

function rateChart(playing, colours) {
  const series = playing.map(({ curves }, at) => ({
    x: curves.step, y: gapped(curves.learning_rate), label: named(playing, at, "learning rate"), colour: at ? colours.other : colours.ink, width: 1.5, format: (value) => shortNumber(Number(value.toPrecision(4))),
  }));
  return { title: "Learning rate", unit: "learning rate", series };
}

function marginChart(playing, colours) {
  const series = playing.flatMap(({ sample }, at) => {
    if (!sample || !sample.probes || !sample.gold) return [];
    return ["start", "end"].map((kind, row) => ({
      x: sample.steps, y: gapped(sample.probes.margin.filter((_, place) => place % 2 === row)), label: named(playing, at, `true ${kind}`), colour: colours[kind], dash: at ? [4, 3] : null, width: 1.8, format: digits(4),
    }));
  });
  const missing = "the question has no answer in this window, or no probe was recorded";
  return { title: "Margin: the true answer over its best rival", unit: "logit difference", series, missing };
}

function scoreChart(playing, colours) {
  const series = playing.flatMap(({ run }, at) => {
    const sets = [...new Set(run.scores.map((score) => score.data))];
    return sets.flatMap((data) => ["em", "f1"].map((kind) => {
      const rows = run.scores.filter((score) => score.data === data);
      const label = `${kind.toUpperCase()} ${sets.length > 1 ? `(${short(data, 24)})` : ""}`;
      return { x: rows.map((row) => row.step), y: rows.map((row) => row[kind]), label: named(playing, at, label), colour: colours.asked, dash: at || kind === "f1" ? [4, 3] : null, dots: true, format: (value, row) => `${signed(value, 3)} %${within(rows[row][`${kind}_interval`])}` };
    }));
  });
  const missing = playing[0].run.missing.scores || "the model was not evaluated";
  return { title: "Exact match and F1 on the questions that were asked", unit: "%", series, missing, range: [0, 100] };
}
