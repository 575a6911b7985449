// Time: the slider, play and pause, and the keys.

const TENFOLD = 10;

class Player {
  // show: called with a step, and with true if it is one of many in a row
  constructor(show) {
    this.showStep = show;
    this.moments = [0];
    this.at = 0;
    this.timer = null;
    this.slider = byId("slider");
    this.slider.addEventListener("input", () => this.goTo(Number(this.slider.value)));
    byId("play").addEventListener("click", () => this.toggle());
  }

  use(moments, step) {
    this.moments = moments;
    this.slider.max = moments.length - 1;
    this.at = step === null ? moments.length - 1 : placeNearest(moments, step);
    this.slider.value = this.at;
    return moments[this.at];
  }

  get step() {
    return this.moments[this.at];
  }

  goTo(at, isPlaying = false) {
    this.at = Math.max(0, Math.min(this.moments.length - 1, at));
    if (!isPlaying) this.pause();
    this.slider.value = this.at;
    this.showStep(this.step, isPlaying);
  }

  goToStep(step) {
    this.goTo(placeNearest(this.moments, step));
  }

  move(by) {
    this.goTo(this.at + by);
  }

  get isPlaying() {
    return this.timer !== null;
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  play() {
    if (this.moments.length < 2) return;
    if (this.at === this.moments.length - 1) this.goTo(0);
    this.due = performance.now();
    this.timer = requestAnimationFrame((now) => this.tick(now));
    this.say();
  }

  tick(now) {
    const wait = 1000 / Number(byId("speed").value);
    const passed = Math.floor((now - this.due) / wait);
    if (passed > 0) {
      this.due += passed * wait;
      this.goTo(this.at + passed, true);
    }
    if (this.at === this.moments.length - 1) this.pause();
    else this.timer = requestAnimationFrame((next) => this.tick(next));
  }

  pause() {
    if (!this.isPlaying) return;
    cancelAnimationFrame(this.timer);
    this.timer = null;
    this.say();
    this.showStep(this.step, false);
  }

  say() {
    const button = byId("play");
    button.setAttribute("aria-pressed", String(this.isPlaying));
    button.querySelector(".word").textContent = this.isPlaying ? "Pause" : "Play";
  }
}

const KEYS = [
  ["← →", "a probe back or on; with Shift ten"],
  ["Home End", "to the first or the last probe"],
  ["Space", "play, pause"],
  ["f", "to the next flip, where the answer turns right or wrong; after the last one to the first"],
  ["t", "choose the first token of the true answer"],
  [", .", "choose the token before or after"],
  ["v", "shade by start or by end"],
  ["?", "show these keys"],
];

function listKeys() {
  const rows = KEYS.flatMap(([keys, text]) => [el("dt", {}, ...keys.split(" ").flatMap((key) => [el("kbd", { text: key }), " "])), el("dd", { text })]);
  byId("key-list").replaceChildren(...rows);
}

// Whether a key belongs to what has the focus: a choice list, a button, a table that scrolls.
function isTaken(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return true;
  const { target, key } = event;
  if (target.matches("select, input[type=radio]")) return key.startsWith("Arrow") || key === " " || key === "Home" || key === "End";
  if (target.matches("button, summary")) return key === " ";
  if (target.matches(".scroll")) return key.startsWith("Arrow") || key === " " || key === "Home" || key === "End";
  return false;
}

// actions: by key; the event is used up if there is one
function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (isTaken(event)) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action(event.shiftKey ? TENFOLD : 1);
  });
}
