// Packed arrays -> typed arrays. The opposite of huggin/pages/packing.py.

const KINDS = {
  uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, float32: Float32Array, float16: Uint16Array,
};
const UNSIGNED = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };

let halfTable = null; // the value of each of float16's 65,536 bit patterns

function halves() {
  if (halfTable) return halfTable;
  halfTable = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    let value = (1 + fraction / 1024) * 2 ** (exponent - 15);
    if (exponent === 0) value = fraction * 2 ** -24;
    if (exponent === 31) value = fraction ? NaN : Infinity;
    halfTable[bits] = sign * value;
  }
  return halfTable;
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function joinedPlanes(planes, size) {
  if (size === 1) return planes;
  const count = planes.length / size;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < size; plane++) {
    for (let at = 0; at < count; at++) bytes[at * size + plane] = planes[plane * count + at];
  }
  return bytes;
}

function addUp(numbers, row) { // each row's numbers are differences from the row before
  for (let at = row; at < numbers.length; at++) numbers[at] += numbers[at - row];
}

async function unpacked(value) {
  const Kind = KINDS[value.dtype];
  const size = Kind.BYTES_PER_ELEMENT;
  const bytes = joinedPlanes(await inflated(bytesOf(value.data)), size);
  if (value.differences) {
    const row = value.shape.slice(1).reduce((product, length) => product * length, 1);
    addUp(new UNSIGNED[size](bytes.buffer), row);
  }
  const numbers = new Kind(bytes.buffer);
  if (value.dtype !== "float16") return numbers;
  const table = halves();
  return Float32Array.from(numbers, (bits) => table[bits]);
}

// An object in which every packed array, also deeper inside, is a typed array. `sizes` keeps shapes.
async function unpackedAll(page) {
  const names = Object.keys(page);
  const values = await Promise.all(names.map((name) => unpackedOne(page[name])));
  return Object.fromEntries(names.map((name, at) => [name, values[at]]));
}

function unpackedOne(value) {
  if (!value || typeof value !== "object" || Array.isArray(value)) return value;
  return "dtype" in value && "data" in value ? unpacked(value) : unpackedAll(value);
}
