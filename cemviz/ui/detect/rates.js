// Rates of a score at a threshold, and of all thresholds: no page, no state, so that tests call them one by one. A score of null
// is of an attacked image that is still read right: it counts among the images, and is never a false positive (thesis (3.29)).
import { clamp } from "../js/draw.js";

const known = (scores) => scores.filter((score) => score !== null);

/** How many pass, score >= T. */
export const passing = (scores, T) => known(scores).filter((score) => score >= T).length;

/** The highest threshold that lets at least this share of the inside pass. */
export function thresholdAt(rate, inside) {
  const falling = [...inside].sort((a, b) => b - a);
  return falling[Math.ceil(rate * falling.length - 1e-9) - 1];
}

/** [FPR, TPR] over falling thresholds, from none that passes to all that can. */
export function curve(inside, outside) {
  const at = [...new Set([...inside, ...known(outside)])].sort((a, b) => b - a);
  return [[0, 0], ...at.map((T) => [passing(outside, T) / outside.length, passing(inside, T) / inside.length])];
}

/** The chance that a score of the inside exceeds one of the outside, ties counted as half; null lies below all. */
export function auc(inside, outside) {
  let pairs = 0;
  for (const a of inside) for (const b of outside) pairs += b === null || a > b ? 1 : a === b ? 0.5 : 0;
  return pairs / (inside.length * outside.length);
}

/** Counts of scores in equal parts of a range. */
export function bins(scores, [low, high], count) {
  const counts = new Array(count).fill(0);
  for (const score of known(scores)) counts[clamp(Math.floor(((score - low) / (high - low)) * count), 0, count - 1)] += 1;
  return counts;
}

/** Round ends around all scores, and the step between round numbers. */
export function axis(scores) {
  const values = known(scores);
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const span = Math.max(high - low, 1e-6);
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [5, 2, 1].find((m) => m * power <= span / 4) * power;
  return { low: Math.floor(low / step) * step, high: (Math.floor(high / step) + 1) * step, step };
}

/** What is decided of one version of a picture: the answer, its detector's logit, and whether it passes at a threshold. */
export function decided(version, classes, way, T) {
  const best = version.scores.indexOf(Math.max(...version.scores));
  const answer = way === "integrated" ? version.answer : best;
  return { answer: classes[answer], score: version.scores[answer], passes: version.scores[answer] >= T };
}

/** A verdict in words, and whether it is what one wants: {text, look: "good", "bad" or "plain"}; `attacked`, or never clean. */
export function verdict({ answer, passes }, label, attacked) {
  if (passes) return answer === label ? { text: `passes as ${answer}`, look: "good" } : { text: `passes as ${answer}: deceived`, look: "bad" };
  if (answer === label) return attacked ? { text: "rejected", look: "plain" } : { text: "rejected: false alarm", look: "bad" };
  return { text: `${answer} rejected`, look: "good" };
}
