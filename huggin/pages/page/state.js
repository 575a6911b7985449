// The moment that is shown, in the address: #run=0&sample=2&step=1200&token=17&view=start&beside=1

const state = { run: 0, sample: 0, beside: null, step: null, token: null, view: "start" };

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const number = (name) => (/^\d{1,9}$/.test(given.get(name) || "") ? Number(given.get(name)) : null);
  const runs = PAGE.runs.length;
  state.run = Math.min(number("run") ?? 0, runs - 1);
  state.sample = Math.max(0, Math.min(number("sample") ?? 0, PAGE.runs[state.run].samples.length - 1));
  const beside = number("beside");
  state.beside = beside === null || beside >= runs || beside === state.run ? null : beside;
  state.step = number("step");
  state.token = number("token");
  state.view = given.get("view") === "end" ? "end" : "start";
}

function address() {
  const parts = { run: state.run, sample: state.sample, step: state.step, token: state.token, view: state.view };
  if (state.beside !== null) parts.beside = state.beside;
  return `#${new URLSearchParams(parts)}`;
}

let waiting = null;
let written = ""; // browsers refuse addresses that change too often, so wait until nothing moves

function keepAddress() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (address() === written) return;
    written = address();
    history.replaceState(null, "", written);
  }, 200);
}
