// A single move as scenes, told by numbered call-outs: 1 points start at p₀, 2 they climb f, 3 the net answers.
import { BOX, sigmoid } from "./frame.js";

const [START, CLIMB, ARRIVED, ANSWER] = [900, 900, 600, 1400]; // ms

/** The way that leads farthest: where a call-out is seen to move. */
function farthest({ path, ways }) {
  const last = path.length - 2 * ways;
  let [best, most] = [0, -1];
  for (let way = 0; way < ways; way += 1) {
    const [u, v] = [path[last + 2 * way] - path[2 * way], path[last + 2 * way + 1] - path[2 * way + 1]];
    if (Math.hypot(u, v) > most) [best, most] = [way, Math.hypot(u, v)];
  }
  return best;
}

/** Where D changed most between two pictures, and by how much. */
export function changed(before, after) {
  let [at, most] = [0, 0];
  after.f.forEach((f, k) => {
    const change = sigmoid(f) - sigmoid(before.f[k]);
    if (Math.abs(change) > Math.abs(most)) [at, most] = [k, change];
  });
  const place = (k) => (k / (after.side - 1)) * 2 * BOX - BOX;
  return { x: place(at % after.side), y: place(Math.floor(at / after.side)), change: most };
}

/**
 * Scenes of a move: {grown: positions of each way that are drawn, note: {number, text, x, y}, for: ms}.
 * @param move attack or learn; before: the picture until now, or null
 */
export function scenes(move, picture, before) {
  if (move === "learn") {
    if (!before) return [];
    const { x, y, change } = changed(before, picture);
    const text = `the net answers: D ${change < 0 ? "falls" : "rises"} most here`;
    return [{ note: { number: 3, text, x, y }, for: ANSWER }];
  }
  const times = picture.path.length / (2 * picture.ways);
  const way = farthest(picture);
  const place = (t) => ({ x: picture.path[2 * (t * picture.ways + way)], y: picture.path[2 * (t * picture.ways + way) + 1] });
  const climb = (t, time) => ({ grown: t + 1, note: { number: 2, text: "they climb f", ...place(t) }, for: time });
  return [
    { grown: 1, note: { number: 1, text: "points start at p₀", ...place(0) }, for: START },
    ...Array.from({ length: times - 1 }, (_, t) => climb(t + 1, CLIMB / (times - 1))),
    climb(times - 1, ARRIVED),
  ];
}
