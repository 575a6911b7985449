// What does not move with the step: lists of questions, facts, the legend of modules.

const LISTS = [
  ["hardest", "Hardest", "with the highest loss the last time that they were trained on"],
  ["learned", "Learned first", "wrong at first, then right to the end; the earliest first"],
  ["forgotten", "Forgotten", "right, and wrong again later; the most often forgotten first"],
];

function questionPanel(root, run, go) {
  root.replaceChildren(root.querySelector("h2"));
  if (!run.questions) {
    root.append(missingLine(run.missing.questions || "nothing was recorded"));
    return;
  }
  root.append(el("p", { class: "hint", text: "As each question did in the batches of the training: in train mode (with dropout, if the model has any), and before the step of its batch." }));
  if (run.questions.no_texts) root.append(missingLine(`the texts of the questions, ${run.questions.no_texts}`));
  const tabs = el("div", { class: "tabs", role: "group", "aria-label": "Which questions" });
  const place = el("div");
  const buttons = LISTS.map(([name, title]) => el("button", { type: "button", text: `${title} (${run.questions.counts[name].toLocaleString("en")})`, on: { click: () => choose(name) } }));
  tabs.append(...buttons);
  root.append(tabs, place);
  function choose(name) {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(LISTS[at][0] === name)));
    place.replaceChildren(questionTable(run.questions, name, go));
  }
  choose("hardest");
}

function questionTable(questions, name, go) {
  const [, , explained] = LISTS.find(([key]) => key === name);
  const rows = questions[name].map((at) => questionRow(questions.rows[at], go));
  if (!rows.length) return el("p", { class: "missing", text: `No question was ${name === "learned" ? "learned for good" : name}.` });
  const caption = `The first ${rows.length} of ${several(questions.counts[name], "question")} ${explained}`;
  const columns = [
    { head: "No.", number: true }, { head: "Question", words: true }, { head: "Answer", words: true }, { head: "Last loss (nats)", number: true },
    { head: "Right / seen", number: true }, { head: "Forgotten", number: true }, { head: "Right since step", number: true },
  ];
  return tableOf(caption, columns, rows);
}

function questionRow(row, go) {
  const text = row.question || "(text not known)";
  const question = row.sample === null ? text : el("button", { type: "button", class: "link", text: `${text} (tracked: play it)`, on: { click: () => go.sample(row.sample) } });
  return [
    String(row.index), question, row.answer || (row.question ? "(none)" : ""), row.loss === null ? "not finite" : signed(row.loss, 3),
    `${row.right} / ${row.seen}`, String(row.forgotten), row.since === null ? "–" : String(row.since),
  ];
}

// Who taught a tracked question, or was against it; the step at which each pushed most is a button.
function teacherTable(side, teachers, go) {
  const rows = teachers.map((each) => [
    withSign(each.push), `${each.question} → ${each.answer || "(none)"}`, each.shares || "–",
    el("button", { type: "button", class: "link", text: `step ${whole(each.step)}`, on: { click: () => go.step(each.step) } }),
  ]);
  const columns = [{ head: "Loss lowered (nats)", number: true }, { head: "Question", words: true }, { head: "In common", words: true }, { head: "Most at", number: true }];
  return tableOf(side === "proponents" ? "Proponents" : "Opponents", columns, rows);
}

// What `test-qa-efficacy --details` found: scores by kind of question, kinds of errors, calibration.
function detailsPanel(root, run) {
  root.hidden = !run.details && !run.missing.details;
  root.replaceChildren(root.querySelector("h2"));
  if (root.hidden) return;
  if (!run.details) {
    root.append(missingLine(run.missing.details));
    return;
  }
  const { step, data, tables, verdicts } = run.details;
  root.append(
    el("p", { class: "hint", text: `The answers to ${data}, after step ${whole(step)}.` }),
    el("div", { class: "pair scores" }, ...tables.map(scoreTable)),
    ...verdicts.map((text) => el("p", { class: "hint", text: `${text[0].toUpperCase()}${text.slice(1)}.` })),
  );
}

function scoreTable([heads, ...rows]) {
  const isOfKinds = heads[0].startsWith("by ");
  const caption = { "wrong answers": "What was wrong", probability: "Calibration: how often answers of a probability were right" }[heads[0]] || `Scores ${heads[0]}`;
  const columns = heads.map((head, at) => ({ head: at === 0 && isOfKinds ? "questions" : head, number: at > 0 }));
  if (isOfKinds) columns[columns.length - 1].head = "how many";
  return tableOf(caption, columns, rows);
}

function factsPanel(root, runs, colours) {
  const columns = el("div", { class: "fact-columns" }, ...runs.map((run, at) => factColumn(run, runs.length > 1 ? colours[at] : null)));
  const differing = runs.length > 1 ? differingKeys(runs) : null;
  root.replaceChildren(root.querySelector("h2"), ...(differing ? [differing] : []), columns, ...runs.map((run) => legendOf(run, runs.length > 1)));
}

// The keys of cfg.json that two runs do not share; what a run was not told is its default.
function differingKeys([one, other]) {
  const keys = new Set([...Object.keys(one.keys || {}), ...Object.keys(other.keys || {})]);
  const value = (run, key) => (run.keys || {})[key] ?? "default";
  const rows = [...keys].filter((key) => key !== "output_dir" && value(one, key) !== value(other, key)).map((key) => [el("code", { text: key }), value(one, key), value(other, key)]);
  if (!rows.length) return el("p", { class: "hint", text: "Both runs have the same cfg.json." });
  return tableOf("What differs in cfg.json", [{ head: "Key" }, { head: one.name, words: true }, { head: other.name, words: true }], rows);
}

function factColumn(run, colour) {
  const rows = run.facts.flatMap(([label, text]) => [el("dt", { text: label }), el("dd", { text, dir: "auto" })]);
  const node = el("section", {}, ...(colour ? [el("h3", { text: run.name })] : []), rows.length ? el("dl", {}, ...rows) : missingLine(run.missing.facts));
  if (colour) node.style.setProperty("--run-colour", colour);
  return node;
}

function legendOf(run, ofSeveral) {
  const title = `The modules of the model, in the order of a forward pass${ofSeveral ? `: ${run.name}` : ""}`;
  if (!run.modules.length) return el("details", {}, el("summary", { text: title }), missingLine("no modules were recorded"));
  const rows = run.modules.map((row) => [numbersOf(row.numbers), el("code", { text: row.module }), row.parameters.toLocaleString("en"), el("code", { text: row.names.join(", ") })]);
  const columns = [{ head: "No." }, { head: "Module", words: true }, { head: "Parameters of one", number: true }, { head: "Name in the model", words: true }];
  return el("details", {}, el("summary", { text: title }), tableOf(`${ofSeveral ? `${run.name}. ` : ""}Modules that are alike share a row`, columns, rows));
}

function numbersOf(numbers) {
  return numbers.length > 6 ? `${numbers.slice(0, 5).join(", ")}, … ${numbers[numbers.length - 1]}` : numbers.join(", ");
}

// All probes of a sample, for those who read numbers.
function probeTable(sample) {
  const { probes, steps } = sample;
  const rows = Array.from(steps, (step, at) => [
    String(step), answerOf(sample, at) || "(none)", isRight(sample, at) ? "right" : "wrong",
    signed(probes.start_loss[at], 4), signed(probes.end_loss[at], 4), half(probes.margin[2 * at]), half(probes.margin[2 * at + 1]),
  ]);
  const columns = [
    { head: "Step", number: true }, { head: "The model’s answer", words: true }, { head: "It is" }, { head: "Start loss (nats)", number: true },
    { head: "End loss (nats)", number: true }, { head: "Start margin", number: true }, { head: "End margin", number: true },
  ];
  return tableOf("Every probe of this question", columns, rows);
}

// Every token at one probe.
function tokenTable(sample, at) {
  const start = rowOf(sample.probes.start, at, sample.size);
  const end = rowOf(sample.probes.end, at, sample.size);
  const chances = [softmax(start), softmax(end)];
  const rows = sample.names.map((name, token) => [
    String(token), name, half(start[token]), half(end[token]), chances[0][token].toPrecision(2), chances[1][token].toPrecision(2),
  ]);
  const columns = [
    { head: "Place", number: true }, { head: "Token", words: true }, { head: "Start logit", number: true }, { head: "End logit", number: true },
    { head: "Probability as start", number: true }, { head: "as end", number: true },
  ];
  return tableOf(`Every token at step ${whole(sample.steps[at])}`, columns, rows);
}
