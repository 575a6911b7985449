// Colours of the present theme, and maps from numbers to colours.

const CIVIDIS = (
  "00224e 00285b 002e6a 053371 1a386f 273e6e 32436d 3b496c 434e6c 4b546c 535a6d 5a5f6e 61656f 686a71 6f7073 767676 7d7c78 " +
  "848279 8c8878 938e78 9b9476 a39a74 aba072 b4a76f bcae6c c4b468 cdbb63 d5c25e dec958 e7d150 f0d846 f9e03a fee838"
).split(" ").map(channels);
const LEAST = 1e-3; // probabilities below it have no shade
const SHADES = 64;

const dark = matchMedia("(prefers-color-scheme: dark)");

function channels(hex) {
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function mixed(from, to, share) {
  return from.map((value, at) => Math.round(value + (to[at] - value) * share));
}

// 0..1 -> a colour of cividis, as [red, green, blue]
function cividis(share) {
  const place = Math.min(1, Math.max(0, share)) * (CIVIDIS.length - 1);
  const below = Math.min(CIVIDIS.length - 2, Math.floor(place));
  return mixed(CIVIDIS[below], CIVIDIS[below + 1], place - below);
}

const CIVIDIS_256 = Array.from({ length: 256 }, (_, at) => cividis(at / 255));

// A probability -> 0..1 on a log scale from LEAST to 1
function shadeOf(probability) {
  if (!(probability > LEAST)) return 0;
  return 1 + Math.log10(probability) / -Math.log10(LEAST);
}

// Shades for tokens (behind text, so never too strong) and for pixels, of the start or the end.
function shadesOf(view) {
  const paper = channels(themeColour("panel").slice(1));
  const full = dark.matches ? { start: [44, 130, 190], end: [196, 92, 20] } : { start: channels(themeColour("start").slice(1)), end: channels(themeColour("end").slice(1)) };
  const strongest = dark.matches ? 0.8 : 0.62;
  const steps = Array.from({ length: SHADES + 1 }, (_, at) => at / SHADES);
  const behind = steps.map((share) => `rgb(${mixed(paper, full[view], share * strongest).join(",")})`);
  behind[0] = "transparent";
  const brightest = dark.matches ? channels(themeColour(view).slice(1)) : full[view];
  return { behind, pixels: steps.map((share) => mixed(paper, brightest, share)) };
}

// A bar that says which colour stands for which number: {from, to} are texts.
function scaleOf(colours, from, to, label) {
  const canvas = el("canvas", { width: colours.length, height: 1, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const image = context.createImageData(colours.length, 1);
  colours.forEach((colour, at) => image.data.set([...colour, 255], 4 * at));
  context.putImageData(image, 0, 0);
  return [label ? `${label} ` : "", from, canvas, to].filter((part) => part !== "");
}
