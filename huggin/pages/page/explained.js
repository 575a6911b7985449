// Answers that lime-answer has explained: their words, green for the answer and red against it.

const SPEAKS_FOR = [0, 158, 115];
const SPEAKS_AGAINST = [213, 94, 0];

function explainedPanel(root, run) {
  root.hidden = !run.explained.length;
  if (root.hidden) return;
  const hint = "LIME: green words speak for the answer, red ones against it. The answer itself is framed and was never hidden.";
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
  const shown = word.answer ? el("span", { class: "gold" }, node) : node;
  return word.blank ? [el("span", { text: " " }), shown] : [shown];
}

// A coefficient over the largest one, -1 to 1 -> a colour
function speaking(share) {
  const paper = channels(themeColour("panel").slice(1));
  return mixed(paper, share > 0 ? SPEAKS_FOR : SPEAKS_AGAINST, 0.62 * Math.min(1, Math.abs(share)));
}

function keyOf(one) {
  const colours = Array.from({ length: 41 }, (_, at) => speaking(at / 20 - 1));
  const label = `coefficient (${one.scale})`;
  const scale = scaleOf(colours, withSign(-one.most), withSign(one.most), label);
  return el("div", { class: "keyline" }, el("span", { class: "scale" }, ...scale));
}
