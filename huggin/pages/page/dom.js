// Small helpers. A text of the data enters the page as textContent, and in no other way.

function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name === "on") for (const [event, does] of Object.entries(value)) node.addEventListener(event, does);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// A whole number as it is printed everywhere: 1,500
const whole = (number) => number.toLocaleString("en");

const byId = (id) => document.getElementById(id);

function option(value, text) {
  return el("option", { value, text });
}

// Rows of texts -> a table. Columns: {head, number: right-aligned, words: may wrap}.
function tableOf(caption, columns, rows) {
  const kind = (column) => (column.number ? "number-cell" : column.words ? "words" : null);
  const heads = columns.map((column) => el("th", { scope: "col", class: kind(column) || "", text: column.head }));
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell, at) => {
    const options = { class: kind(columns[at]) || "", dir: columns[at].words ? "auto" : null };
    return cell instanceof Node ? el("td", options, cell) : el("td", { ...options, text: cell });
  })));
  const table = el("table", {}, el("caption", { text: caption }), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...body));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
}

function missingLine(why) {
  return el("p", { class: "missing", text: `Not shown: ${why}` });
}

// A float16 as it is recorded: four digits say which one it is, or nearly so.
function half(value) {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return signed(value, Math.abs(value) >= 1000 ? 5 : 4);
}

function signed(value, digits) {
  return Number(value.toPrecision(digits)).toString().replace("-", "−");
}

function withSign(value, digits = 3) {
  if (!Number.isFinite(value)) return half(value);
  return (value >= 0 ? "+" : "") + signed(value, digits);
}

function several(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

function short(text, most = 40) {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}
