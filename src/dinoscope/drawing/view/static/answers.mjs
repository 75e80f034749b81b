/** Answers of the server: a header and arrays, as Python's `comparison/page/questions.py` writes them. */

/**
 * @typedef {object} Facts of one model
 * @property {string} [why] it has nothing to show; everything else is missing then
 * @property {string} [note]
 * @property {number} h
 * @property {number} w
 */
/** @typedef {Facts & Record<string, any>} ModelFacts */
/** @typedef {{models: ModelFacts[], arrays: (Float32Array | Uint8Array | Int8Array)[]}} Answer */
/** @typedef {{way: string} & Record<string, unknown>} Question */
/** @typedef {(question: Question) => Promise<Answer>} Ask rejects with what to tell people */

const KINDS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array };

/**
 * @param {ArrayBuffer} buffer
 * @returns {Answer}
 */
export function answerOf(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const arrays = header.arrays.map((/** @type {{type: keyof typeof KINDS, length: number}} */ one) => {
    const kind = KINDS[one.type];
    const array = new kind(buffer, at, one.length / kind.BYTES_PER_ELEMENT);
    at += Math.ceil(one.length / 4) * 4;
    return array;
  });
  return { models: header.models, arrays };
}
