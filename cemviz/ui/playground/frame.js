// A frame of a game as numbers (see backend/frame.py), and what can be read off it: no page, no state.
import { ticks } from "../js/contour.js";
import { bytes, clamp } from "../js/draw.js";

export const BOX = 3;
const LINEAR = 0.25; // as in backend/frame.py

const pairs = (text) => {
  const at = new DataView(bytes(text).buffer);
  return Float32Array.from({ length: at.byteLength / 2 }, (_, i) => (at.getInt16(2 * i, true) / 32767) * BOX);
};

/** A frame's text -> its numbers: `f` on the grid, row by row from below, points as x, y, x, y, ... */
export function unpack(frame) {
  const { turn, side, peak, ways } = frame;
  const scale = Math.asinh(peak / LINEAR) / 127;
  const logit = Float32Array.from({ length: 256 }, (_, byte) => LINEAR * Math.sinh((byte - 127) * scale));
  const heads = Float32Array.from(bytes(frame.heads), (byte) => (byte - 127) / 127);
  const points = Object.fromEntries(["data", "start", "moved", "path"].map((name) => [name, pairs(frame[name])]));
  return { turn, side, ways, heads, ...points, f: Float32Array.from(bytes(frame.f), (byte) => logit[byte]) };
}

/** f at a place of the box, between the points of the grid. */
export function valueAt({ f, side }, x, y) {
  const place = (v) => clamp(((v + BOX) / (2 * BOX)) * (side - 1), 0, side - 1);
  const [u, v] = [place(x), place(y)];
  const [j, i] = [Math.min(Math.floor(u), side - 2), Math.min(Math.floor(v), side - 2)];
  const row = (k) => f[k * side + j] + (u - j) * (f[k * side + j + 1] - f[k * side + j]);
  return row(i) + (v - i) * (row(i + 1) - row(i));
}

export const sigmoid = (f) => 1 / (1 + Math.exp(-f));

/** The ends of E's colours: round numbers about all of E, so that they stay while it changes little. */
export function range(f) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of f) {
    low = Math.min(low, -value);
    high = Math.max(high, -value);
  }
  const marks = ticks(low, high);
  const step = marks.length > 1 ? marks[1] - marks[0] : 1;
  return { low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step, step };
}
