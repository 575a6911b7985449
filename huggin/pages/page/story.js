// One tracked sample of one run at one step: its text, maps, layers and shares.

class Story {
  // point: {over(token, story), choose(token, step, story)}; go: {step, token, sample}
  constructor(run, sample, point, go, colour) {
    this.run = run;
    this.sample = sample;
    this.point = { over: (token) => point.over(token, this), choose: (token, step) => point.choose(token, step, this) };
    this.node = byId("story").content.cloneNode(true).querySelector(".story");
    this.node.style.setProperty("--run-colour", colour);
    this.find(".story-name").textContent = run.name;
    this.maps = [];
    this.lens = [];
    this.attention = [];
    this.own = sample ? firstToken(sample) : 0; // its chosen token, if it does not follow another story
    if (sample && sample.probes) this.fill();
    else this.sayMissing();
    this.fillFindings(go);
    this.fillTeachers(go);
  }

  find(selector) {
    return this.node.querySelector(selector);
  }

  sayMissing() {
    const why = this.sample ? this.sample.missing.probes : "the run tracks no question";
    for (const panel of this.node.querySelectorAll(".maps-panel, .lens-panel, .shares-panel")) panel.remove();
    this.find(".text-panel").replaceChildren(this.find("h3"), missingLine(why));
  }

  fillFindings(go) {
    const found = (PAGE.kind === "answer" ? answerFindings : findingsOf)(this.run, this.sample, go);
    if (found.length) this.find(".findings").append(...found);
    else this.find(".findings-panel").remove();
  }

  fillTeachers(go) {
    const panel = this.find(".teachers-panel");
    if (!this.sample || PAGE.kind === "answer") panel.remove();
    else if (!this.sample.teachers) panel.append(missingLine(this.sample.missing.teachers));
    else for (const side of ["proponents", "opponents"]) panel.append(teacherTable(side, this.sample.teachers[side], go));
  }

  fill() {
    const { sample, point } = this;
    this.find(".mark-gold").hidden = !sample.gold;
    this.text = new TokenText(this.find(".tokens"), sample, point);
    this.maps = ["start", "end"].map((kind) => new LogitMap(sample, kind, point));
    this.find(".maps-panel .pair").append(...this.maps.map((each) => each.map.node));
    if (PAGE.kind === "answer") this.fillAnswer();
    else this.find(".maps-panel .hint").textContent = "A row is a probe, time runs downwards. Brighter: a higher logit. Green lines: the true answer. The strip on the right is green where the model’s answer is right.";
    this.fillLens();
    this.fillShares();
    const numbers = this.find(".numbers");
    numbers.addEventListener("toggle", () => this.fillNumbers());
  }

  // Of one answer: the logits are one row, and there are two more panels.
  fillAnswer() {
    this.node.classList.add("still");
    this.find(".maps-panel h3").textContent = "Logits by token";
    this.find(".maps-panel .hint").textContent = `Brighter: a higher logit.${this.sample.gold ? " Green lines: the true answer." : ""}`;
    const [panel, maps] = attentionPanel(this.sample, this.point);
    this.attention = maps;
    const [left, right] = this.node.querySelectorAll(".story-column");
    left.append(wordsPanel(this.sample));
    right.append(panel);
  }

  fillLens() {
    const { sample, point } = this;
    const panel = this.find(".lens-panel");
    if (!sample.lens) {
      panel.querySelector(".pair").append(missingLine(sample.missing.lens));
      return;
    }
    this.lens = ["start", "end"].map((kind) => new LensMap(sample, kind, point));
    panel.style.setProperty("--lens-height", `${Math.min(15, Math.max(6, 1.15 * sample.lens.layers))}rem`);
    panel.querySelector(".pair").append(...this.lens.map((each) => each.map.node));
  }

  fillShares() {
    const panel = this.find(".shares-panel");
    if (this.sample.shares) this.shares = new Shares(this.sample);
    else panel.querySelector(".pair").append(missingLine(this.sample.missing.shares));
  }

  // step, token: what is chosen; view: "start" or "end"
  show({ step, token, view }) {
    if (!this.text) return;
    const at = placeBefore(this.sample.steps, step);
    if (view !== this.view) this.useView(view);
    if (at !== this.at) this.showStep(at);
    this.step = step;
    if (this.lens.length) this.showLens(step);
    this.showToken(token);
  }

  useView(view) {
    this.view = view;
    this.shades = shadesOf(view).behind;
    this.text.forgetShades();
    this.at = null;
    this.find(".keyline .scale").replaceChildren(...scaleOf(this.shades.map(opaque), "≤ 0.001", "1", `probability as ${view}`));
    if (this.shares) this.find(".shares-panel .pair").replaceChildren(...this.shares.nodes(view));
  }

  showStep(at) {
    const { sample } = this;
    this.at = at;
    this.chances = softmax(rowOf(sample.probes[this.view], at, sample.size));
    this.text.show(at, this.chances, this.shades);
    for (const each of this.maps) each.show(at);
    const right = isRight(sample, at);
    const chip = this.find(".chip");
    chip.textContent = this.run.is_own ? "no given answer" : right ? "right" : "wrong";
    chip.className = right ? "chip right" : "chip";
    this.find(".answer").textContent = this.verdict(at);
    if (this.find(".numbers").open) this.fillNumbers();
  }

  verdict(at) {
    const { sample } = this;
    const answer = this.run.answered ?? answerOf(sample, at);
    const said = answer ? `“${short(answer, 90)}”` : "no answer";
    const expected = sample.gold ? `“${short(sample.answer, 90)}”` : "no answer in this window";
    return isRight(sample, at) || this.run.is_own ? `After step ${whole(sample.steps[at])} the model answers ${said}.` : `After step ${whole(sample.steps[at])} the model answers ${said}. The true answer: ${expected}.`;
  }

  showLens(step) {
    for (const each of this.lens) each.show(step);
    const lowest = this.sample.lens.lowest_right[this.lens[0].place];
    const layer = lowest === 0 ? "the embeddings" : `layer ${lowest}`;
    const is = this.run.is_own ? "gives this answer" : "is right";
    const found = lowest < 0 ? `At this step it ${is} on no layer.` : `At this step it ${is} from ${layer} on (framed).`;
    this.find(".lens-panel .hint").textContent = `What the QA head makes of each layer’s output. ${found} It was trained on the last layer alone.`;
  }

  showToken(token) {
    for (const each of [...this.maps, ...this.lens, ...this.attention]) each.map.markColumn(token);
    this.find(".token-line").replaceChildren(...this.tokenLine(token));
    if (this.shares) this.showShares(token);
  }

  showShares(token) {
    this.shares.show(this.step, token, this.view);
    const at = this.sample.shares.step[this.shares.placeOf(this.step)];
    const nearest = at === this.sample.steps[this.at] ? `after step ${whole(at)}` : `after step ${whole(at)}, the nearest snapshot of the nodes`;
    this.find(".shares-panel .hint").textContent = `Weight × activation of each node, ${nearest}. They add up to the logit exactly. Point at a token to see its nodes.`;
  }

  tokenLine(token) {
    const { sample, at } = this;
    const logit = (kind) => half(sample.probes[kind][at * sample.size + token]);
    const chance = this.chances[token];
    return [
      el("b", { text: `Token ${token} “${short(sample.names[token], 30)}”` }), `: start logit ${logit("start")}, end logit ${logit("end")}, probability as ${this.view} `,
      chance >= 0.001 ? chance.toPrecision(2) : "below 0.001", ".",
    ];
  }

  // chosen and pointed token; null: none
  mark(chosen, pointed) {
    if (!this.text) return;
    this.text.mark("chosen", chosen);
    this.text.mark("pointed", pointed === chosen ? null : pointed);
  }

  fillNumbers() {
    const details = this.find(".numbers");
    const scroll = details.querySelector(".scroll");
    const top = scroll ? scroll.scrollTop : 0;
    if (scroll) scroll.remove();
    if (!details.open) return;
    const table = tokenTable(this.sample, this.at);
    details.append(table);
    table.scrollTop = top;
  }

  useTheme() {
    if (!this.text) return;
    for (const each of this.lens) each.useTheme();
    this.view = null;
  }

  // What a screen reader hears of this step.
  spoken() {
    if (!this.text) return "nothing was recorded";
    if (this.run.is_own) return "no given answer";
    return isRight(this.sample, this.at) ? "answers right" : "answers wrong";
  }
}

function firstToken(sample) {
  if (sample.gold) return sample.gold[0];
  const last = sample.probes ? sample.probes.first[sample.steps.length - 1] : 0;
  return Math.max(0, last);
}

function opaque(colour) {
  const parts = (colour === "transparent" ? themeColour("panel") : colour).match(/\d+/g);
  return colour === "transparent" ? channels(themeColour("panel").slice(1)) : parts.map(Number);
}
