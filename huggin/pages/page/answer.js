// What only the page of one answer has: attention, and the words that made it.

// Where the attention heads of every layer read from, for one token that reads.
class AttentionMap {
  constructor(sample, reader, point) {
    const { of, layers, heads, weights } = sample.attention;
    this.sample = sample;
    this.heads = heads;
    this.weights = weights.subarray(reader * layers * heads * sample.size, (reader + 1) * layers * heads * sample.size);
    const token = of[reader];
    const title = `read by ${readerOf(sample, token)} “${short(sample.names[token], 20)}” (${token})`;
    this.map = new HeatMap({
      kind: "attention", point, title,
      rows: layers * heads,
      columns: sample.size,
      names: sample.names,
      label: `Attention ${title}: ${several(layers, "layer")} of ${several(heads, "head")} by ${several(sample.size, "token")}.`,
      describe: (row, column) => this.describe(row, column),
    });
    const paper = channels(themeColour("panel").slice(1));
    const ink = channels(themeColour("attention").slice(1));
    const pixels = Array.from({ length: SHADES + 1 }, (_, at) => mixed(paper, ink, at / SHADES));
    this.map.paint(Uint8Array.from(this.weights, (weight) => Math.round(shadeOf(weight) * SHADES)), pixels);
    this.map.scale.replaceChildren(...scaleOf(pixels, "≤ 0.001", "1", "weight"));
    this.map.nameRows(Array.from({ length: layers }, (_, layer) => [layer * heads + (heads - 1) / 2, `layer ${layer + 1}`]));
    if (sample.gold) this.map.addSpan("true-span", ...sample.gold);
  }

  describe(row, column) {
    const weight = this.weights[row * this.sample.size + column];
    const head = `layer ${Math.floor(row / this.heads) + 1}, attention head ${(row % this.heads) + 1}`;
    return `${head}\nreads token ${column} “${short(this.sample.names[column])}”\nweight ${half(weight)}`;
  }
}

function readerOf(sample, token) {
  const { gold, probes } = sample;
  const whose = gold ? "the true" : "the answer’s";
  const [start, end] = gold || [probes.first[0], probes.last[0]];
  if (end <= 0) return "the token";
  if (token === start) return start === end ? `${whose} start and end` : `${whose} start`;
  return token === end ? `${whose} end` : "the token";
}

function attentionPanel(sample, point) {
  const panel = el("section", { class: "panel attention-panel" }, el("h3", { text: "From where the attention heads read" }));
  if (!sample.attention) return [panel, missingIn(panel, sample.missing.attention)];
  const maps = sample.attention.of.map((_, reader) => new AttentionMap(sample, reader, point));
  panel.style.setProperty("--lens-height", `${Math.min(30, Math.max(6, 0.45 * maps[0].map.rows))}rem`);
  panel.append(
    el("p", { class: "hint", text: "A row is an attention head of a layer. Attention says from where a head reads. It is not importance: a head that finds nothing to read often looks at [CLS], [SEP] or a full stop." }),
    el("div", { class: "pair" }, ...maps.map((each) => each.map.node)),
  );
  return [panel, maps];
}

function missingIn(panel, why) {
  panel.append(missingLine(why));
  return [];
}

const MOST_WORDS = 12;

// The words with the largest coefficients, those that speak for the answer first.
function wordsPanel(sample) {
  const panel = el("section", { class: "panel words-panel" }, el("h3", { text: "The words that made the answer" }));
  if (!sample.words) {
    missingIn(panel, sample.missing.words);
    return panel;
  }
  const { segments, believe, score } = sample.words;
  const clear = segments.filter((one) => one.is_clear);
  const largestFirst = [...clear].sort((one, other) => Math.abs(other.coefficient) - Math.abs(one.coefficient));
  const shown = new Set(largestFirst.slice(0, MOST_WORDS));
  const bars = segments.filter((one) => shown.has(one)).map((one) => ({ name: one.text, value: one.coefficient, kind: "named" }));
  const list = new Bars(themeColour("for"), bars.length);
  list.show("words beyond chance, largest first", bars, { named: largest(bars.map((bar) => bar.value)), sums: 1 });
  panel.append(el("p", { class: "hint", text: `What LIME found: how much the ${score} of the answer falls when a word is hidden. ${believe}` }), bars.length ? list.node : missingLine("no word is beyond chance"));
  return panel;
}
