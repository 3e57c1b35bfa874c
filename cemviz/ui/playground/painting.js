// A density painted on the plane as numbers: depths of the cells, the letters of the address, and the brush. No page, no state
// beside the painting's own.
import { bytes, clamp } from "../js/draw.js";
import { base64 } from "../js/take.js";
import { BOX } from "./frame.js";

export const CELLS = 32; // along an edge, as in data/painted.py
export const DEEPEST = 3;
export const CELL = (2 * BOX) / CELLS;
export const BRUSH = 0.3; // radius, in units of the plane

/** Letters of data/painted.py -> depths, row by row from below; of none, nothing is painted. */
export function depthsOf(letters) {
  if (!letters) return new Uint8Array(CELLS * CELLS);
  const parts = bytes(letters.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from({ length: CELLS * CELLS }, (_, k) => (parts[k >> 2] >> (2 * (k & 3))) & DEEPEST);
}

export function lettersOf(depths) {
  const parts = new Uint8Array(depths.length / 4);
  depths.forEach((depth, k) => (parts[k >> 2] |= depth << (2 * (k & 3))));
  return base64(parts).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The cells under the brush: those whose middle it covers, and the one that its own middle lies in. */
export function under(x, y) {
  const [column, row] = [x, y].map((v) => clamp(Math.floor((v + BOX) / CELL), 0, CELLS - 1));
  const cells = [row * CELLS + column];
  for (let i = Math.max(row - 2, 0); i <= Math.min(row + 2, CELLS - 1); i += 1) {
    for (let j = Math.max(column - 2, 0); j <= Math.min(column + 2, CELLS - 1); j += 1) {
      if (Math.hypot((j + 0.5) * CELL - BOX - x, (i + 0.5) * CELL - BOX - y) <= BRUSH) cells.push(i * CELLS + j);
    }
  }
  return [...new Set(cells)];
}

export class Painting {
  depths = depthsOf(null);
  #stroked = new Set(); // by the stroke under way: each cell once

  get empty() {
    return this.depths.every((depth) => !depth);
  }

  /** Begin a stroke. */
  begin() {
    this.#stroked.clear();
  }

  /** Lead the stroke on along a line: the brush makes each cell one deeper, the eraser empties it. */
  stroke(from, to, erase) {
    const times = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / (CELL / 2)));
    for (let k = 0; k <= times; k += 1) {
      const share = k / times;
      for (const cell of under(from.x + share * (to.x - from.x), from.y + share * (to.y - from.y))) {
        if (this.#stroked.has(cell)) continue;
        this.#stroked.add(cell);
        this.depths[cell] = erase ? 0 : Math.min(this.depths[cell] + 1, DEEPEST);
      }
    }
  }

  clear() {
    this.depths.fill(0);
  }
}
