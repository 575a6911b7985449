// The question and its context: a span for each token, shaded by its probability at a step.

class TokenText {
  constructor(root, sample, point) {
    this.sample = sample;
    this.spans = sample.pieces.map(([, text], at) => this.span(text, at));
    this.gaps = sample.pieces.map(([before]) => el("span", { text: before }));
    this.shown = new Int16Array(sample.size).fill(-1);
    this.marked = [];
    root.replaceChildren(...this.parts());
    root.addEventListener("pointerover", (event) => point.over(this.at(event)));
    root.addEventListener("pointerleave", () => point.over(null));
    root.addEventListener("click", (event) => { if (this.at(event) !== null) point.choose(this.at(event)); });
  }

  span(text, at) {
    const isSpecial = this.sample.parts[at] === "s";
    const node = el("span", { class: isSpecial ? "token special" : "token", text });
    node.dataset.at = at;
    return node;
  }

  at(event) {
    const node = event.target.closest("[data-at]");
    return node ? Number(node.dataset.at) : null;
  }

  // The question and the context as blocks; the special tokens stand at their ends.
  parts() {
    const blocks = [];
    let block = null;
    for (let at = 0; at < this.sample.size; at++) {
      const part = this.sample.parts[at];
      if (!block || (part !== "s" && block.part && block.part !== part)) {
        block = { part: "", node: el("span", { class: "part", dir: "auto" }) };
        blocks.push(block);
      }
      if (part !== "s") block.part = part;
      block.node.classList.toggle("question", block.part === "q");
      this.append(block.node, at);
    }
    return blocks.map((each) => each.node);
  }

  append(node, at) {
    const gold = this.sample.gold;
    if (gold && at > gold[0] && at <= gold[1]) {
      this.box.append(this.gaps[at], this.spans[at]);
    } else if (gold && at === gold[0]) {
      this.box = el("span", { class: "gold" }, this.spans[at]);
      node.append(this.gaps[at], this.box);
    } else {
      node.append(this.gaps[at], this.spans[at]);
    }
  }

  show(place, probabilities, shades) {
    for (let at = 0; at < this.spans.length; at++) {
      const shade = Math.round(shadeOf(probabilities[at]) * SHADES);
      if (shade === this.shown[at]) continue;
      this.shown[at] = shade;
      this.spans[at].style.backgroundColor = shades[shade];
    }
    this.underline(place);
  }

  underline(place) {
    const first = this.sample.probes.first[place];
    const last = this.sample.probes.last[place];
    if (this.first === first && this.last === last) return;
    this.first = first;
    this.last = last;
    for (const node of this.marked) node.classList.remove("model");
    this.marked = [];
    if (last <= 0 || first < 0) return;
    for (let at = first; at <= last; at++) this.marked.push(this.spans[at], ...(at > first ? [this.gaps[at]] : []));
    for (const node of this.marked) node.classList.add("model");
  }

  forgetShades() {
    this.shown.fill(-1);
  }

  mark(name, at) {
    const before = this[name];
    if (before === at) return;
    if (before !== undefined && before !== null) this.spans[before].classList.remove(name);
    if (at !== null) this.spans[at].classList.add(name);
    this[name] = at;
  }
}
