// A figure's plane as a quick drawing, which stands in its place until plotly.js, four megabytes, has come: no page, no state.
import { isolines, ticks } from "./contour.js";
import { bytes, clamp, paint, ramp } from "./draw.js";

const ROOM = { l: 52, r: 8, t: 8, b: 46 }; // px beside the plane, where the figure says nothing
const COLOURS = 64;

/** Numbers of a figure: a list, or 4-byte floats in base64 (see numbers.py). */
export const numbers = (values) => (values.bdata ? new Float32Array(bytes(values.bdata).buffer) : values);

const rgb = (colour) => colour.match(/\d+/g).map(Number);

/** Where the plane lies: a square in the middle where both axes have one scale, as plotly puts it. */
export function box(layout, width, height) {
  const { l, r, t, b } = { ...ROOM, ...layout.margin };
  const [wide, tall] = [Math.max(width - l - r, 1), Math.max(height - t - b, 1)];
  if (!layout.yaxis?.scaleanchor) return { left: l, top: t, wide, tall };
  const side = Math.min(wide, tall);
  return { left: l + (wide - side) / 2, top: t + (tall - side) / 2, wide: side, tall: side };
}

/** A canvas that shows the contours, lines and marks of a figure with one plane, or null where it has none or several. */
export function sketch({ data, layout }, width, height, colour) {
  const [x, y] = [layout.xaxis?.range, layout.yaxis?.range];
  const flat = data.every(({ type, xaxis }) => (type === "contour" || type === "scatter") && (xaxis ?? "x") === "x");
  if (!x || !y || !data.length || !flat) return null;
  const at = box(layout, width, height);
  const canvas = document.createElement("canvas");
  const dense = globalThis.devicePixelRatio ?? 1;
  Object.assign(canvas, { width: width * dense, height: height * dense });
  const ink = canvas.getContext("2d");
  ink.scale(dense, dense);
  const across = (value) => at.left + ((value - x[0]) / (x[1] - x[0])) * at.wide;
  const up = (value) => at.top + (1 - (value - y[0]) / (y[1] - y[0])) * at.tall;
  axes(ink, at, layout, across, up, colour);
  ink.beginPath();
  ink.rect(at.left, at.top, at.wide, at.tall);
  ink.clip();
  for (const trace of data) {
    if (trace.type === "contour") contour(ink, trace, across, up);
    else points(ink, trace, across, up);
  }
  return canvas;
}

function axes(ink, at, layout, across, up, colour) {
  Object.assign(ink, { fillStyle: colour, font: `${layout.font?.size ?? 12}px ${layout.font?.family ?? "sans-serif"}` });
  const [bottom, { l, b }] = [at.top + at.tall, { ...ROOM, ...layout.margin }];
  const words = (value) => String(value).replace("-", "−");
  Object.assign(ink, { textAlign: "center", textBaseline: "top" });
  for (const value of ticks(...layout.xaxis.range, layout.xaxis.nticks)) ink.fillText(words(value), across(value), bottom + 5);
  ink.fillText(layout.xaxis.title?.text ?? "", at.left + at.wide / 2, bottom + Math.min(26, b - 16), at.wide + l);
  Object.assign(ink, { textAlign: "right", textBaseline: "middle" });
  for (const value of ticks(...layout.yaxis.range, layout.yaxis.nticks)) ink.fillText(words(value), at.left - 5, up(value));
  ink.save();
  ink.translate(at.left - l + 12, at.top + at.tall / 2);
  ink.rotate(-Math.PI / 2);
  ink.textAlign = "center";
  ink.fillText(layout.yaxis.title?.text ?? "", 0, 0, at.tall);
  ink.restore();
}

function contour(ink, trace, across, up) {
  const [z, xs, ys] = [numbers(trace.z), numbers(trace.x), numbers(trace.y)];
  const side = xs.length;
  const [left, low] = [across(xs[0]), up(ys[0])];
  const [wide, tall] = [across(xs[side - 1]) - left, low - up(ys[side - 1])];
  const { start, end, size, coloring } = trace.contours;
  if (coloring === "heatmap") {
    const colours = ramp(trace.colorscale.map(([, stop]) => rgb(stop)), COLOURS);
    const small = document.createElement("canvas");
    const colourOf = (value) => colours[Math.round(clamp((value - trace.zmin) / (trace.zmax - trace.zmin), 0, 1) * (COLOURS - 1))];
    paint(small, z, side, colourOf);
    const [cell, high] = [wide / (side - 1), tall / (side - 1)]; // a cell lies round its point
    ink.drawImage(small, left - cell / 2, low - tall - high / 2, wide + cell, tall + high);
  }
  Object.assign(ink, { strokeStyle: trace.line.color ?? trace.colorscale[0][1], lineWidth: trace.line.width });
  ink.beginPath();
  for (let level = start; level <= end; level += size) {
    const cuts = isolines(z, side, level);
    for (let i = 0; i < cuts.length; i += 4) {
      ink.moveTo(left + (cuts[i] / (side - 1)) * wide, low - (cuts[i + 1] / (side - 1)) * tall);
      ink.lineTo(left + (cuts[i + 2] / (side - 1)) * wide, low - (cuts[i + 3] / (side - 1)) * tall);
    }
  }
  ink.stroke();
}

function points(ink, { mode, x, y, line, marker }, across, up) {
  const [xs, ys] = [numbers(x), numbers(y)];
  if (mode.includes("lines")) {
    Object.assign(ink, { strokeStyle: line.color, lineWidth: line.width });
    ink.beginPath();
    for (let i = 0; i < xs.length; i += 1) {
      if (Number.isNaN(xs[i]) || !i || Number.isNaN(xs[i - 1])) ink.moveTo(across(xs[i]), up(ys[i]));
      else ink.lineTo(across(xs[i]), up(ys[i]));
    }
    ink.stroke();
  }
  if (!mode.includes("markers")) return;
  Object.assign(ink, { fillStyle: marker.color, strokeStyle: marker.line?.color ?? marker.color, lineWidth: marker.line?.width ?? 0 });
  for (let i = 0; i < xs.length; i += 1) {
    ink.beginPath();
    shape(ink, marker.symbol ?? "circle", across(xs[i]), up(ys[i]), marker.size / 2);
    if (!marker.symbol?.endsWith("open")) ink.fill();
    if (ink.lineWidth) ink.stroke();
  }
}

function shape(ink, symbol, x, y, radius) {
  if (symbol === "star") {
    for (let k = 0; k < 10; k += 1) {
      const [far, turn] = [radius * (k % 2 ? 0.55 : 1.4), (k * Math.PI) / 5 - Math.PI / 2];
      ink.lineTo(x + far * Math.cos(turn), y + far * Math.sin(turn));
    }
    ink.closePath();
  } else if (symbol === "x") {
    const arm = radius * 0.8;
    const corners = [[-1, -0.5], [-0.5, -1], [0, -0.5], [0.5, -1], [1, -0.5], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [-0.5, 1], [-1, 0.5], [-0.5, 0]];
    for (const [right, down] of corners) ink.lineTo(x + right * arm * 1.3, y + down * arm * 1.3);
    ink.closePath();
  } else ink.arc(x, y, radius, 0, 2 * Math.PI);
}
