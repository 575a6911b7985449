// What to know first, a line each: only what is true of this run, and worth a line.

const MATTERS = 0.15; // of the lead: a node that gives less is one of many
const HARD = Math.LN2; // nats: the answer has less than half of the probability

// A line: what is said, and a button that goes to its moment. action: {text, does}, or nothing
function finding(text, action) {
  const node = el("li", {}, el("span", { text, dir: "auto" }));
  if (action) node.append(" ", el("button", { type: "button", class: "link", text: action.text, on: { click: action.does } }));
  return node;
}

// The step from which on the tracked question was always right, or was right first; null: never.
function learnedAt(sample) {
  if (!sample || !sample.learned || !sample.gold) return null;
  return sample.learned.right_since ?? sample.learned.first_right;
}

// go: {step, token, sample}: functions; sample is null beside another run
function findingsOf(run, sample, go) {
  return [learnedFinding(sample, go), layerFinding(sample, go), nodeFinding(sample, go), hardestFinding(run, go)].filter(Boolean);
}

function learnedFinding(sample, go) {
  if (!sample || !sample.learned) return null;
  const { first_right: first, right_since: since, flips } = sample.learned;
  if (!sample.gold) return finding("This window of the context does not hold the answer.");
  if (first === null) return finding(`Never answered right, at none of ${several(sample.steps.length, "probe")}.`);
  const toStep = (step) => ({ text: `Go to step ${whole(step)}`, does: () => go.step(step) });
  const turns = flips.filter((step) => step !== first).length;
  if (since === first) return finding(`Learned at step ${whole(first)}: right at every probe from then on.`, toStep(first));
  const turned = turns ? `, then changed ${several(turns, "time")}` : "";
  if (since === null) return finding(`First right at step ${whole(first)}${turned}; wrong at the end.`, toStep(first));
  return finding(`Learned at step ${whole(since)}: right at every probe from then on. First right at step ${whole(first)}${turned}.`, toStep(since));
}

function nameOfLayer(sample, layer) {
  return layer === 0 ? "the embeddings" : `layer ${layer} of ${sample.lens.first + sample.lens.layers - 1}`;
}

function layerFinding(sample, go) {
  if (!sample || !sample.lens) return null;
  const lowest = sample.lens.lowest_right;
  const last = lowest[lowest.length - 1];
  if (lowest.every((layer) => layer < 0)) return finding("The QA head finds the answer on no layer at any probe.");
  if (last < 0) return finding("At the end the QA head finds the answer on no layer.");
  const first = lowest.indexOf(last);
  const step = sample.lens.step[first];
  return finding(`The answer appears in ${nameOfLayer(sample, last)}, the lowest on which the QA head is right at the end.`, { text: `First there at step ${whole(step)}`, does: () => go.step(step) });
}

function nodeFinding(sample, go) {
  const margin = sample && sample.shares && sample.shares.margin;
  if (!margin) return null;
  const { nodes, values, total, start, rival } = margin;
  const last = total.length - 1;
  const many = nodes.length / total.length;
  const [own, other] = [start, rival].map((token) => `“${short(sample.names[token], 16)}”`);
  if (total[last] <= 0) return finding(`At the end ${other} leads ${own}, where the answer starts, by ${signed(-total[last], 3)}.`);
  const best = Array.from({ length: many }, (_, at) => last * many + at).filter((at) => values[at] > 0);
  const step = sample.shares.step[last];
  const action = { text: "Show the nodes", does: () => { go.token(start); go.step(step); } };
  const lead = `the ${signed(total[last], 3)} by which ${own} leads ${other} at step ${whole(step)}`;
  const share = (places) => `${((100 * places.reduce((sum, at) => sum + values[at], 0)) / total[last]).toFixed(0)} %`;
  if (best.length && values[best[0]] > total[last]) return finding(`${own} leads ${other} by just ${signed(total[last], 3)} at step ${whole(step)}: nodes for and against it nearly cancel. Node ${nodes[best[0]]} alone gives ${signed(values[best[0]], 3)}.`, action);
  if (best.length && values[best[0]] > MATTERS * total[last]) return finding(`Node ${nodes[best[0]]} gives most to the answer: ${share([best[0]])} of ${lead}.`, action);
  return finding(`No single node matters: the first ${best.length} give ${share(best)} of ${lead}.`, action);
}

function hardestFinding(run, go) {
  if (!run.questions || !run.questions.hardest.length) return null;
  const row = run.questions.rows[run.questions.hardest[0]];
  const loss = row.loss === null ? "not finite" : `${signed(row.loss, 3)} nats`;
  if (row.loss !== null && row.loss < HARD) return finding(`No question of the training data is hard at the end: the highest loss is ${loss}.`);
  const name = row.question ? `“${short(row.question, 90)}”` : `question ${row.index}`;
  const text = `The hardest question of the training data: ${name}, loss ${loss} the last time, right ${row.right} of ${several(row.seen, "time")}.`;
  return finding(text, row.sample === null || !go.sample ? null : { text: "Play it", does: () => go.sample(row.sample) });
}

function answerFindings(run, sample, go) {
  return [answerFinding(run, sample), wordsFinding(sample), answerLayer(run, sample), nodeFinding(sample, go)].filter(Boolean);
}

function answerFinding(run, sample) {
  const said = run.answered ? `“${short(run.answered, 80)}”` : "no answer";
  const wrong = sample.gold ? `The true answer is “${short(sample.answer, 60)}”` : "This window does not hold the answer";
  const right = run.is_own ? "No answer is given to compare it with" : isRight(sample, 0) ? "It is right" : wrong;
  return finding(`The model answers ${said}, with a confidence of ${run.confidence.toFixed(2)}. ${right}.`);
}

function wordsFinding(sample) {
  const words = sample.words ? sample.words.segments.filter((one) => one.is_clear && one.coefficient > 0) : [];
  if (!words.length) return null;
  return finding(`By LIME, what speaks for it most: ${words.slice(0, 3).map((one) => `“${one.text}”`).join(", ")}.`);
}

function answerLayer(run, sample) {
  if (!sample.lens) return null;
  const lowest = sample.lens.lowest_right[0];
  const which = run.is_own ? "This answer" : "The right answer";
  if (lowest < 0) return finding(`${which} appears in no layer: the QA head finds it on none.`);
  return finding(`${which} appears in ${nameOfLayer(sample, lowest)}, the lowest on which the QA head ${run.is_own ? "gives it" : "is right"}.`);
}
