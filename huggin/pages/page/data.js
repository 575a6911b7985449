// What the file holds, unpacked when it is first shown.

const PAGE = JSON.parse(byId("data").textContent);
const PER_NAT = 16; // -log p is kept in so many steps a nat
const samplesRead = new Map();

// A tracked sample of a run with its arrays.
function readSample(run, number) {
  const key = `${run} ${number}`;
  if (!samplesRead.has(key)) samplesRead.set(key, unpackedAll(PAGE.runs[run].samples[number]).then(prepared));
  return samplesRead.get(key);
}

function prepared(sample) {
  sample.size = sample.pieces.length;
  sample.steps = sample.probes ? sample.probes.step : new Int32Array(0);
  sample.names = sample.pieces.map(([, text]) => text);
  return sample;
}

// The place of the last of `steps` that is at most `step`; the first if none is.
function placeBefore(steps, step) {
  let low = 0;
  let high = steps.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (steps[middle] <= step) low = middle;
    else high = middle - 1;
  }
  return low;
}

function placeNearest(steps, step) {
  const before = placeBefore(steps, step);
  const after = Math.min(before + 1, steps.length - 1);
  return Math.abs(steps[after] - step) < Math.abs(steps[before] - step) ? after : before;
}

// One row of a flat array whose rows have `size` numbers.
function rowOf(numbers, place, size) {
  return numbers.subarray(place * size, (place + 1) * size);
}

function softmax(logits) {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  const shares = new Float32Array(logits.length);
  let total = 0;
  for (let at = 0; at < logits.length; at++) total += shares[at] = Math.exp(logits[at] - largest);
  for (let at = 0; at < logits.length; at++) shares[at] /= total;
  return shares;
}

function isRight(sample, place) {
  const { probes, gold } = sample;
  return gold !== null && probes.first[place] === gold[0] && probes.last[place] === gold[1];
}

// The words from one token to another as they are written in the text.
function wordsOf(sample, first, last) {
  if (first < 0 || last < first || last >= sample.size) return "";
  return sample.pieces.slice(first, last + 1).map(([before, text], at) => (at ? before : "") + text).join("");
}

function answerOf(sample, place) {
  const { first, last } = sample.probes;
  return last[place] <= 0 ? "" : wordsOf(sample, first[place], last[place]);
}
