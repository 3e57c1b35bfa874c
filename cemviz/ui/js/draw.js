// Arithmetic and marks that views share: no page, no state, so that tests call them one by one.

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Which frame is due `elapsed` ms after frame `from`, and whether the last one is reached. */
export function due(from, elapsed, interval, count) {
  const frame = from + Math.floor(elapsed / interval);
  return { frame: clamp(frame, 0, count - 1), ended: frame >= count - 1 };
}

/** Bytes in base64 -> Uint8Array. */
export const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** A stored byte -> its number between the field's ends. */
export const valueOf = (byte, field) => field.low + (byte / 255) * (field.high - field.low);

/** Number of the band, 0 lowest, that a value falls into; what lies beyond the ends belongs to the outermost. */
export const band = (value, low, high, bands) =>
  clamp(Math.floor(((value - low) / Math.max(high - low, 1e-9)) * bands), 0, bands - 1);

/** Probabilities of logits, whatever their size. */
export function softmax(logits) {
  const top = Math.max(...logits);
  const parts = logits.map((f) => Math.exp(f - top));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
}

/** E(x) = -log sum exp f. */
export function marginal(logits) {
  const top = Math.max(...logits);
  return -(top + Math.log(logits.reduce((sum, f) => sum + Math.exp(f - top), 0)));
}

export const largest = (values) => values.indexOf(Math.max(...values));

const hex = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));

/** `count` colours from the first stop to the last, as [r, g, b]; a stop is as "#08306b" or one of these. */
export function ramp(stops, count) {
  const ends = stops.map((stop) => (Array.isArray(stop) ? stop : hex(stop)));
  return Array.from({ length: count }, (_, i) => {
    const at = (i / Math.max(count - 1, 1)) * (ends.length - 1);
    const left = Math.min(Math.floor(at), ends.length - 2);
    return ends[left].map((part, c) => Math.round(part + (at - left) * (ends[left + 1][c] - part)));
  });
}

export const DEEP = ramp(["#08306b", "#2b7bba", "#a6cee3", "#f4efe3", "#fdf8ee"], 16); // low energy is deep water
export const DIVERGING = ramp(["#855c9e", "#bea5d0", "#fafafa", "#a6d5a0", "#4a9b58"], 21); // D: white at one half

/** A number as people write it: at most two digits behind the point, a real minus. */
export function plain(value, digits = 1) {
  return value.toFixed(digits).replace("-", "−");
}

export function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function mark(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A sprite's pictures, step t in row t and chain b in column b, ready to be drawn. */
export async function pictures(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/** Grid of bytes, row by row from below, as a picture in bands of colour. */
export function paint(canvas, grid, side, colourOf) {
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const [r, g, b] = colourOf(grid[(side - 1 - row) * side + column]);
      image.data.set([r, g, b, 255], 4 * (row * side + column));
    }
  }
  context.putImageData(image, 0, 0);
}

/** A small grid of bytes drawn large: interpolated between its points, then cut into bands, which gives contour lines. */
export function contours(canvas, grid, side, colourOf, scale = 6) {
  const wide = (side - 1) * scale + 1;
  const fine = new Float32Array(wide * wide);
  for (let row = 0; row < wide; row += 1) {
    const y = row / scale;
    const i = Math.min(Math.floor(y), side - 2);
    for (let column = 0; column < wide; column += 1) {
      const x = column / scale;
      const j = Math.min(Math.floor(x), side - 2);
      const [low, high] = [grid[i * side + j], grid[(i + 1) * side + j]];
      const left = low + (x - j) * (grid[i * side + j + 1] - low);
      const right = high + (x - j) * (grid[(i + 1) * side + j + 1] - high);
      fine[row * wide + column] = left + (y - i) * (right - left);
    }
  }
  paint(canvas, fine, wide, colourOf);
}
