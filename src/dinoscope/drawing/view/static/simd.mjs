/**
 * Sixteen products at once: a WebAssembly function of some two hundred bytes, written down here.
 *
 * Pages may forbid WebAssembly (a content security policy without 'wasm-unsafe-eval'); then, and in
 * browsers without 128-bit instructions, there is none and plain JavaScript does the work.
 */

const GET = 0x20, SET = 0x21, TEE = 0x22, LOOP = [0x03, 0x40], AGAIN = [0x0d, 0], END = 0x0b;
const CONST = 0x41, ADD = 0x6a, SUBTRACT = 0x6b;
const LOW = [0xfd, 0x87, 0x01], HIGH = [0xfd, 0x88, 0x01]; // eight bytes as 16-bit numbers
const DOT = [0xfd, 0xba, 0x01]; // products of 16-bit numbers, added in pairs
const ADD4 = [0xfd, 0xae, 0x01];
const load = (/** @type {number} */ offset) => [0xfd, 0x00, 0, offset];
const store = (/** @type {number} */ offset) => [0xfd, 0x0b, 0, offset];

// Parameters: groups of eight planes lie `stride` bytes apart; two groups are taken at a time.
const data = 0, stride = 1, pairs = 2, groups = 3, weights = 4, sums = 5;
const left = 6, sum = 7, at = 8, first = 9, second = 10, one = 11, two = 12;

const dots = (/** @type {number[]} */ half) => [
  GET, first, ...half, GET, one, ...DOT, ...ADD4, GET, second, ...half, GET, two, ...DOT, ...ADD4,
];
const BODY = [
  2, 3, 0x7f, 4, 0x7b, // locals: three 32-bit integers, four 128-bit vectors
  ...LOOP,
  GET, weights, ...load(0), SET, one, GET, weights, ...load(16), SET, two,
  GET, data, SET, at, GET, sums, SET, sum, GET, pairs, SET, left,
  ...LOOP,
  GET, at, ...load(0), SET, first, GET, at, GET, stride, ADD, ...load(0), SET, second,
  GET, sum, GET, sum, ...load(0), ...dots(LOW), ...store(0),
  GET, sum, GET, sum, ...load(16), ...dots(HIGH), ...store(16),
  GET, at, CONST, 16, ADD, SET, at, GET, sum, CONST, 32, ADD, SET, sum,
  GET, left, CONST, 1, SUBTRACT, TEE, left, ...AGAIN, END,
  GET, data, GET, stride, GET, stride, ADD, ADD, SET, data, GET, weights, CONST, 32, ADD, SET, weights,
  GET, groups, CONST, 2, SUBTRACT, TEE, groups, ...AGAIN, END,
  END,
];
const size = (/** @type {number} */ n) => [(n & 127) | 128, n >> 7];
const MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  1, 10, 1, 0x60, 6, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0, // type: six integers, nothing back
  2, 8, 1, 1, 0x6d, 1, 0x6d, 2, 0, 1, // import: memory "m" of "m"
  3, 2, 1, 0, // one function of that type
  7, 5, 1, 1, 0x66, 0, 0, // export: "f"
  10, ...size(BODY.length + 3), 1, ...size(BODY.length), ...BODY,
]);

/** Whether this page's own policy forbids WebAssembly; asking the browser would be logged as a breach. */
function isForbidden() {
  return [...document.querySelectorAll("meta[http-equiv='Content-Security-Policy' i]")].some((meta) => {
    const policy = meta.getAttribute("content") ?? "";
    return /(script|default)-src/.test(policy) && !/'(wasm-)?unsafe-eval'/.test(policy);
  });
}

/**
 * @param {number} bytes of memory
 * @returns {{memory: WebAssembly.Memory, addUp: (...parameters: number[]) => void} | null}
 */
export function openSimd(bytes) {
  if (typeof WebAssembly === "undefined" || isForbidden() || !WebAssembly.validate(MODULE)) return null;
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(MODULE), { m: { m: memory } });
    return { memory, addUp: /** @type {(...parameters: number[]) => void} */ (instance.exports.f) };
  } catch {
    return null; // forbidden by a header, or no memory left
  }
}
