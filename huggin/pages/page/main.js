// Puts everything together: what is chosen -> what is shown.

const isAnswer = PAGE.kind === "answer";
let stories = [];
let charts = [];
let pointed = null; // {token, story}: what is under the pointer
let loading = 0; // how often something was chosen; only the newest is shown

const player = new Player((step, isPlaying) => { state.step = step; show(isPlaying); });

const point = {
  over(token, story) {
    pointed = token === null ? null : { token, story };
    showTokens();
  },
  choose(token, step, story) {
    if (follows(story)) state.token = token;
    else story.own = token;
    if (step === null || step === undefined) showTokens();
    else player.goToStep(step);
    keepAddress();
  },
};

// Whether a story has the tokens of the first one, so that both choose the same.
function follows(story) {
  const first = stories[0].sample;
  return story === stories[0] || (story.sample && first && story.sample.names.join("\n") === first.names.join("\n"));
}

function chosenOf(story) {
  return story.linked ? state.token ?? 0 : story.own;
}

function pointedOf(story) {
  if (!pointed) return null;
  return pointed.story === story || (story.linked && pointed.story.linked) ? pointed.token : null;
}

const go = {
  step: (step) => player.goToStep(step),
  token: (token) => { state.token = token; show(); },
  sample: (sample) => { state.sample = sample; state.token = null; state.step = null; load().then(() => byId("stories").scrollIntoView({ block: "start" })); },
};

// The sample of the run beside that asks the same question, or else the one of the same number.
function sampleBeside(question) {
  const samples = PAGE.runs[state.beside].samples;
  const same = samples.findIndex((sample) => sample.question === question);
  return same >= 0 ? same : Math.min(state.sample, samples.length - 1);
}

async function playingOf(run, number) {
  const sample = number >= 0 && PAGE.runs[run].samples.length ? await readSample(run, number) : null;
  const curves = isAnswer ? null : await unpackedAll(PAGE.runs[run].curves);
  return { run: PAGE.runs[run], curves, sample };
}

async function load() {
  const mine = ++loading;
  player.pause();
  const first = await playingOf(state.run, state.sample);
  const playing = [first];
  if (state.beside !== null) playing.push(await playingOf(state.beside, sampleBeside(first.sample ? first.sample.question : "")));
  if (mine !== loading) return;
  state.step = player.use(momentsOf(playing), state.step ?? learnedAt(first.sample));
  if (first.sample) state.token = Math.min(state.token ?? firstToken(first.sample), first.sample.size - 1);
  build(playing);
  show();
}

// The steps of all probes that are played; of a run without any, some of its steps.
function momentsOf(playing) {
  const steps = new Set(playing.flatMap(({ sample }) => (sample ? Array.from(sample.steps) : [])));
  if (!steps.size) {
    const all = playing[0].curves.step;
    const every = Math.max(1, Math.floor(all.length / 200));
    all.forEach((step, at) => { if (at % every === 0 || at === all.length - 1) steps.add(step); });
  }
  return [...steps].sort((one, other) => one - other);
}

function build(playing) {
  const isTwo = playing.length > 1;
  const colours = [themeColour("ink"), themeColour("other-run")];
  stories = playing.map(({ run, sample }, at) => new Story(named_(run, at, isTwo), sample, point, at ? { ...go, sample: null } : go, isTwo ? colours[at] : "transparent"));
  pointed = null;
  for (const story of stories) story.linked = follows(story);
  byId("stories").classList.toggle("two", isTwo);
  byId("stories").replaceChildren(...stories.map((story) => story.node));
  const { run, sample, curves } = playing[0];
  byId("title").textContent = run.title;
  factsPanel(byId("facts"), playing.map((each, at) => named_(each.run, at, isTwo)), colours);
  fillChoices();
  if (!isAnswer) buildTraining(playing, run, sample, curves);
}

// What moves with the step, or is about all questions.
function buildTraining(playing, run, sample, curves) {
  drawStrip(sample);
  drawCharts(playing);
  explainedPanel(byId("explained"), run);
  detailsPanel(byId("details"), run);
  questionPanel(byId("questions"), run, go);
  fillProbes(sample);
  const kept = curves.step.length;
  byId("curves-hint").textContent = `Click on a curve to go to its step.${kept < curves.of ? ` Of ${curves.of.toLocaleString("en")} steps the lowest and the highest loss of every few are drawn.` : ""}`;
}

function named_(run, at, isTwo) {
  return isTwo ? { ...run, name: `${"AB"[at]}: ${run.name}` } : run;
}

function drawStrip(sample) {
  byId("strip").hidden = !(sample && sample.probes) || state.beside !== null;
  if (!byId("strip").hidden) answersAsPixels(sample, "right", byId("strip"));
}

function drawCharts(playing) {
  for (const chart of charts) chart.destroy();
  charts = chartsOf(playing, go.step);
  byId("charts").replaceChildren(...charts.map((chart) => chart.node));
  for (const chart of charts) chart.draw();
}

function fillProbes(sample) {
  const details = byId("probe-table");
  details.hidden = !(sample && sample.probes);
  for (const table of details.querySelectorAll(".scroll")) table.remove();
  details.ontoggle = () => {
    if (details.open && !details.querySelector(".scroll")) details.append(probeTable(sample));
  };
  details.ontoggle();
}

function fillChoices() {
  const runs = PAGE.runs;
  byId("run").replaceChildren(...runs.map((run, at) => option(at, run.name)));
  byId("run").value = state.run;
  byId("run-choice").hidden = runs.length < 2;
  const samples = runs[state.run].samples;
  byId("sample").replaceChildren(...samples.map((sample, at) => option(at, `${at}: ${short(sample.question.replace(/\s+/g, " "), 60)}`)));
  byId("sample").value = state.sample;
  byId("sample-choice").hidden = samples.length < 2;
  const others = runs.map((run, at) => [at, run]).filter(([at]) => at !== state.run);
  byId("beside").replaceChildren(option("", "nothing"), ...others.map(([at, run]) => option(at, run.name)));
  byId("beside").value = state.beside ?? "";
  byId("beside-choice").hidden = runs.length < 2;
  for (const radio of document.getElementsByName("view")) radio.checked = radio.value === state.view;
}

let spokenBefore = "";

function show(isPlaying = false) {
  for (const story of stories) story.show({ ...state, token: pointedOf(story) ?? chosenOf(story) });
  for (const story of stories) story.mark(chosenOf(story), pointedOf(story));
  for (const chart of charts) chart.show(state.step);
  const spoken = stories.map((story, at) => (stories.length > 1 ? `${"AB"[at]} ${story.spoken()}` : story.spoken())).join(", ");
  byId("now").replaceChildren(`Step ${whole(state.step)}`, el("small", { text: spoken }));
  byId("slider").setAttribute("aria-valuetext", `step ${whole(state.step)}, ${spoken}`);
  if (!isPlaying || spoken !== spokenBefore) byId("live").textContent = `Step ${whole(state.step)}: ${spoken}`;
  spokenBefore = spoken;
  keepAddress();
}

function showTokens() {
  for (const story of stories) {
    if (story.text) story.showToken(pointedOf(story) ?? chosenOf(story));
    story.mark(chosenOf(story), pointedOf(story));
  }
}

function nextFlip() {
  const places = stories.filter((story) => story.text).map((story) => story.sample.learned.flips).flat();
  const later = places.filter((step) => step > state.step).sort((one, other) => one - other);
  if (later.length) player.goToStep(later[0]);
  else if (places.length) player.goToStep(Math.min(...places));
  else byId("live").textContent = "The answer never turns right or wrong.";
}

function useView(view) {
  state.view = view;
  for (const radio of document.getElementsByName("view")) radio.checked = radio.value === view;
  show();
}

function chooseBeside(text) {
  state.beside = text === "" ? null : Number(text);
  load();
}

function chooseRun(run) {
  Object.assign(state, { run, sample: 0, token: null, beside: state.beside === run ? null : state.beside });
  load();
}

function moveToken(by) {
  const story = stories[0];
  if (!story.text) return;
  state.token = Math.max(0, Math.min(story.sample.size - 1, state.token + by));
  show();
  byId("live").textContent = story.find(".token-line").textContent;
}

function toTrueAnswer() {
  const sample = stories[0].sample;
  if (!sample || !sample.gold) return;
  state.token = sample.gold[0];
  show();
  stories[0].text.spans[state.token].scrollIntoView({ block: "nearest" });
}

function listen() {
  byId("run").addEventListener("change", (event) => chooseRun(Number(event.target.value)));
  byId("sample").addEventListener("change", (event) => { state.sample = Number(event.target.value); state.token = null; load(); });
  byId("beside").addEventListener("change", (event) => chooseBeside(event.target.value));
  for (const radio of document.getElementsByName("view")) radio.addEventListener("change", () => useView(radio.value));
  byId("flip").addEventListener("click", nextFlip);
  byId("help").addEventListener("click", () => byId("keys").showModal());
  addEventListener("hashchange", () => { readAddress(); load(); });
  dark.addEventListener("change", () => load());
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) for (const chart of charts) chart.resize();
    width = innerWidth;
  });
  listenToKeys({
    ArrowLeft: (by) => player.move(-by), ArrowRight: (by) => player.move(by),
    ArrowDown: (by) => player.move(-by), ArrowUp: (by) => player.move(by),
    Home: () => player.goTo(0), End: () => player.goTo(player.moments.length - 1),
    " ": () => player.toggle(), f: nextFlip, t: toTrueAnswer, v: () => useView(state.view === "start" ? "end" : "start"),
    ",": () => moveToken(-1), ".": () => moveToken(1), "?": () => byId("keys").showModal(),
  });
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
}

if (typeof DecompressionStream === "undefined") {
  notice("This browser is too old to unpack the recording; it needs Chrome 103, Firefox 113, Safari 16.4 or later.");
} else {
  byId("eyebrow").textContent = `${isAnswer ? "An answer from the inside" : "A fine-tuning, played back"} · huggin ${PAGE.version}`;
  for (const id of ["player", "curves", "questions"]) byId(id).hidden = isAnswer;
  listKeys();
  readAddress();
  listen();
  load().catch((error) => { notice(`The page could not be shown: ${error.message}`); throw error; });
}
