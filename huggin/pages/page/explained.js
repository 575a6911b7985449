// Answers that lime-answer has explained: their words, shaded by how much they speak for the answer.

function explainedPanel(root, run) {
  root.hidden = !run.explained.length;
  if (root.hidden) return;
  const hint = "What LIME found. The answer itself is underlined and was never hidden.";
  const answers = run.explained.map((one, at) => explainedAnswer(one, at === 0));
  root.replaceChildren(root.querySelector("h2"), el("p", { class: "hint", text: hint }), ...answers);
}

function explainedAnswer(one, isOpen) {
  const title = el("summary", { text: `${short(one.question, 120)} — ${short(one.target, 80)}`, dir: "auto" });
  const parts = ["question", "context"].map((part) => {
    const words = one.words.filter((word) => word.part === part);
    return el("span", { class: `part ${part}`, dir: "auto" }, ...words.flatMap(shadedWord));
  });
  const lines = one.lines.map((line) => el("p", { class: "hint", text: line }));
  return el("details", { open: isOpen }, title, el("div", { class: "tokens", dir: "auto" }, ...parts), keyOf(one), ...lines);
}

// A word, and the blank before it
function shadedWord(word) {
  const node = el("span", { class: "token", text: word.text });
  if (word.share !== null) node.style.backgroundColor = `rgb(${speaking(word.share).join(",")})`;
  const shown = word.answer ? el("span", { class: "model" }, node) : node;
  return word.blank ? [el("span", { text: " " }), shown] : [shown];
}

// A coefficient over the largest one, -1 to 1 -> a colour
function speaking(share) {
  const paper = channels(themeColour("panel").slice(1));
  return mixed(paper, channels(themeColour(share > 0 ? "for" : "against").slice(1)), 0.62 * Math.min(1, Math.abs(share)));
}

function keyOf(one) {
  const colours = Array.from({ length: 41 }, (_, at) => speaking(at / 20 - 1));
  const beyond = one.beyond ? `; ${one.beyond} beyond the scale, with its full colour` : "";
  const label = `coefficient (${one.scale})${beyond}`;
  const scale = scaleOf(colours, `against ${withSign(-one.most)}`, `${withSign(one.most)} for`, label);
  return el("div", { class: "keyline" }, el("span", { class: "scale" }, ...scale));
}
