// The plane on a canvas: f painted as D or as E = −f with its level lines, and arrows, paths and points on top.
import { isolines, ticks } from "../js/contour.js";
import { clamp, plain, ramp } from "../js/draw.js";
import { BOX, range, sigmoid } from "./frame.js";

const LEVELS = [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9]; // of D, beside 1/2
const MARGIN = { left: 34, right: 10, top: 8, axis: 24, bar: 50 };
const COLOURS = 256;

// D: purple to green, the paper at 1/2, safe with any colour-vision deficiency. E: what is likely lies deep.
const LOOKS = {
  light: {
    D: ramp(["#855c9e", "#bea5d0", "#fafafa", "#a6d5a0", "#4a9b58"], COLOURS),
    E: ramp(["#08306b", "#2b7bba", "#a6cee3", "#f4efe3", "#fdf8ee"], COLOURS),
    paper: "#fafafa", ink: "#18181b", arrow: "rgba(24,24,27,0.6)", data: { D: "#005ea0", E: "#f7d038" }, p0: "#c83c00", path: "rgba(200,60,0,0.4)",
  },
  dark: {
    D: ramp(["#b48ccf", "#6b4a80", "#202023", "#2f6a3a", "#6cc47c"], COLOURS),
    E: ramp(["#9fd0ff", "#3f86c6", "#1f4f7d", "#1d2b3a", "#1a1a1d"], COLOURS),
    paper: "#18181b", ink: "#e4e4e7", arrow: "rgba(228,228,231,0.5)", data: { D: "#56b4e9", E: "#f7d038" }, p0: "#f28e54", path: "rgba(242,142,84,0.45)",
  },
}; // prettier-ignore

/** The perturbed points: where their ways have grown to, or all of them once they are there. */
const heads = ({ path, ways, moved }, times) => (times < path.length / (2 * ways) ? path.slice(2 * (times - 1) * ways, 2 * times * ways) : moved);

export class Plane {
  #raster = document.createElement("canvas");

  constructor(canvas) {
    this.canvas = canvas;
  }

  /** Pixels of the page, from the canvas' width. */
  #fit() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const density = window.devicePixelRatio || 1;
    this.inner = width - MARGIN.left - MARGIN.right;
    const height = this.inner + MARGIN.top + MARGIN.axis + MARGIN.bar;
    if (canvas.width !== Math.round(width * density)) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
      canvas.style.height = `${height}px`;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  x = (value) => MARGIN.left + ((value + BOX) / (2 * BOX)) * this.inner;
  y = (value) => MARGIN.top + ((BOX - value) / (2 * BOX)) * this.inner;

  /** Where in the box a place of the canvas lies, in page pixels; null outside. */
  inside(left, top) {
    const x = ((left - MARGIN.left) / this.inner) * 2 * BOX - BOX;
    const y = BOX - ((top - MARGIN.top) / this.inner) * 2 * BOX;
    return Math.max(Math.abs(x), Math.abs(y)) <= BOX ? { x, y } : null;
  }

  /**
   * @param picture from `unpack`; layers: names; field: D or E; dark: of the page
   * @param scene from `scenes`: how far the ways have grown, and a call-out; nothing draws all
   */
  draw(picture, layers, field, dark, { grown = Infinity, note = null } = {}) {
    const look = LOOKS[dark ? "dark" : "light"];
    const pen = this.#fit();
    if (this.inner <= 0) return; // in a tab that is not open
    const shown = new Set(layers);
    const ends = field === "E" ? range(picture.f) : { low: 0, high: 1, step: 0.25 };
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN.left, MARGIN.top, this.inner, this.inner);
    pen.clip();
    pen.fillStyle = look.paper;
    pen.fill();
    if (shown.has("contour")) {
      this.#paint(pen, picture, look[field], field, ends);
      this.#levels(pen, picture, look, field, ends);
    }
    if (shown.has("arrows")) this.#arrows(pen, picture, look);
    const times = Math.min(grown, picture.path.length / (2 * picture.ways));
    if (shown.has("paths")) this.#paths(pen, picture, look, times);
    if (shown.has("p0")) this.#crosses(pen, picture.start, look.p0);
    if (shown.has("data")) this.#dots(pen, picture.data, look.data[field], look.ink);
    if (shown.has("moved") && times > 1) this.#diamonds(pen, heads(picture, times), look.p0, look.paper);
    pen.restore();
    if (note) this.#callOut(pen, note, look);
    this.#axes(pen, look);
    if (shown.has("contour")) this.#bar(pen, look, field, ends);
  }

  #paint(pen, { f, side }, colours, field, { low, high }) {
    const raster = this.#raster;
    raster.width = raster.height = side;
    const context = raster.getContext("2d");
    const image = context.createImageData(side, side);
    for (let i = 0; i < side; i += 1) {
      for (let j = 0; j < side; j += 1) {
        const value = f[(side - 1 - i) * side + j];
        const share = field === "E" ? (-value - low) / (high - low) : sigmoid(value);
        const colour = colours[clamp(Math.round(share * (COLOURS - 1)), 0, COLOURS - 1)];
        const at = 4 * (i * side + j);
        [image.data[at], image.data[at + 1], image.data[at + 2]] = colour;
        image.data[at + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
    const cell = this.inner / (side - 1); // the outer points lie on the edge of the box
    pen.imageSmoothingEnabled = true;
    pen.drawImage(raster, MARGIN.left - cell / 2, MARGIN.top - cell / 2, side * cell, side * cell);
  }

  #levels(pen, { f, side }, look, field, { low, high, step }) {
    const cell = this.inner / (side - 1);
    const trace = (level, width, opacity) => {
      const pieces = isolines(f, side, level);
      pen.beginPath();
      for (let k = 0; k < pieces.length; k += 4) {
        pen.moveTo(MARGIN.left + pieces[k] * cell, MARGIN.top + this.inner - pieces[k + 1] * cell);
        pen.lineTo(MARGIN.left + pieces[k + 2] * cell, MARGIN.top + this.inner - pieces[k + 3] * cell);
      }
      pen.strokeStyle = look.ink;
      pen.lineWidth = width;
      pen.globalAlpha = opacity;
      pen.stroke();
      pen.globalAlpha = 1;
    };
    if (field === "E") for (const value of ticks(low, high, (high - low) / step)) trace(-value, 0.75, 0.35);
    else for (const D of LEVELS) trace(Math.log(D / (1 - D)), 0.75, 0.3);
    trace(0, 2.5, 1); // D = 1/2, E = 0
  }

  #arrows(pen, { heads }, look) {
    const side = Math.sqrt(heads.length / 2);
    const length = (0.3 / (2 * BOX)) * this.inner;
    pen.beginPath();
    for (let k = 0; k < side * side; k += 1) {
      const x = MARGIN.left + ((k % side) / (side - 1)) * this.inner;
      const y = MARGIN.top + (1 - Math.floor(k / side) / (side - 1)) * this.inner;
      const [u, v] = [heads[2 * k] * length, -heads[2 * k + 1] * length];
      const [tipX, tipY] = [x + u / 2, y + v / 2];
      pen.moveTo(x - u / 2, y - v / 2);
      pen.lineTo(tipX, tipY);
      pen.moveTo(tipX - 0.35 * u - 0.2 * v, tipY - 0.35 * v + 0.2 * u);
      pen.lineTo(tipX, tipY);
      pen.lineTo(tipX - 0.35 * u + 0.2 * v, tipY - 0.35 * v - 0.2 * u);
    }
    pen.strokeStyle = look.arrow;
    pen.lineWidth = 1;
    pen.stroke();
  }

  #paths(pen, { path, ways }, look, times) {
    pen.beginPath();
    for (let way = 0; way < ways; way += 1) {
      for (let t = 0; t < times; t += 1) {
        const at = 2 * (t * ways + way);
        pen[t ? "lineTo" : "moveTo"](this.x(path[at]), this.y(path[at + 1]));
      }
    }
    pen.strokeStyle = look.path;
    pen.lineWidth = 1;
    pen.stroke();
  }

  #each(points, mark) {
    for (let k = 0; k < points.length; k += 2) mark(this.x(points[k]), this.y(points[k + 1]));
  }

  #crosses(pen, points, colour) {
    pen.beginPath();
    this.#each(points, (x, y) => {
      pen.moveTo(x - 2, y - 2);
      pen.lineTo(x + 2, y + 2);
      pen.moveTo(x - 2, y + 2);
      pen.lineTo(x + 2, y - 2);
    });
    pen.strokeStyle = colour;
    pen.lineWidth = 1.25;
    pen.stroke();
  }

  #dots(pen, points, colour, edge) {
    pen.beginPath();
    this.#each(points, (x, y) => {
      pen.moveTo(x + 2.5, y);
      pen.arc(x, y, 2.5, 0, 2 * Math.PI);
    });
    this.#filled(pen, colour, edge, 1);
  }

  #diamonds(pen, points, colour, edge) {
    pen.beginPath();
    this.#each(points, (x, y) => {
      pen.moveTo(x, y - 4);
      pen.lineTo(x + 4, y);
      pen.lineTo(x, y + 4);
      pen.lineTo(x - 4, y);
      pen.closePath();
    });
    this.#filled(pen, colour, edge, 2);
  }

  #filled(pen, colour, edge, width) {
    pen.fillStyle = colour;
    pen.strokeStyle = edge;
    pen.lineWidth = width;
    pen.stroke(); // the edges lie below, so that many marks in one place keep their colour
    pen.fill();
  }

  /** A number where something happens, and what it is beside it, on the side where there is room. */
  #callOut(pen, { number, text, x, y }, look) {
    const [left, top] = [this.x(x), this.y(y)];
    pen.font = "bold 14px 'Source Sans Pro', ui-sans-serif, sans-serif";
    const wide = pen.measureText(text).width + 12;
    const side = left + 14 + wide > MARGIN.left + this.inner ? -1 : 1;
    pen.fillStyle = look.paper;
    pen.strokeStyle = look.ink;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(side > 0 ? left : left - 14 - wide, top - 12, wide + 14, 24, 12);
    pen.fill();
    pen.stroke();
    pen.beginPath();
    pen.arc(left, top, 12, 0, 2 * Math.PI);
    pen.fillStyle = look.ink;
    pen.fill();
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    pen.fillStyle = look.paper;
    pen.fillText(String(number), left, top + 1);
    pen.textAlign = side > 0 ? "left" : "right";
    pen.fillStyle = look.ink;
    pen.fillText(text, left + side * 16, top + 1);
  }

  #axes(pen, look) {
    pen.strokeStyle = pen.fillStyle = look.ink;
    pen.lineWidth = 1;
    pen.strokeRect(MARGIN.left, MARGIN.top, this.inner, this.inner);
    pen.font = "12px 'Source Sans Pro', ui-sans-serif, sans-serif";
    const bottom = MARGIN.top + this.inner;
    for (const tick of ticks(-BOX, BOX)) {
      pen.textAlign = "center";
      pen.textBaseline = "top";
      pen.fillText(plain(tick, 0), this.x(tick), bottom + 6);
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      if (tick > -BOX) pen.fillText(plain(tick, 0), MARGIN.left - 6, this.y(tick));
    }
    pen.textAlign = "center";
    pen.fillText("x₁", this.x(BOX - 0.5), bottom + 12);
    pen.fillText("x₂", MARGIN.left - 12, this.y(BOX - 0.5));
  }

  #bar(pen, look, field, { low, high, step }) {
    const [left, top, width] = [MARGIN.left, MARGIN.top + this.inner + MARGIN.axis + 4, this.inner];
    const colours = look[field];
    for (let k = 0; k < COLOURS; k += 1) {
      pen.fillStyle = `rgb(${colours[k].join(",")})`;
      pen.fillRect(left + (k / COLOURS) * width, top, width / COLOURS + 0.5, 10);
    }
    pen.strokeStyle = pen.fillStyle = look.ink;
    pen.strokeRect(left, top, width, 10);
    pen.textBaseline = "top";
    const words = { 0: "0", 0.25: "¼", 0.5: "½", 0.75: "¾", 1: "1" };
    const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    const marks = field === "E" ? ticks(low, high, (high - low) / step) : Object.keys(words).map(Number);
    for (const mark of marks) {
      const share = (mark - low) / (high - low);
      pen.textAlign = share < 0.02 ? "left" : share > 0.98 ? "right" : "center";
      pen.fillText(field === "E" ? plain(mark, digits) : words[mark], left + share * width, top + 13);
    }
    pen.textAlign = "center";
    const name = field === "E" ? "E(x) = −f(x): lower is likelier; the thick line is E = 0" : "D(x) = sigmoid f(x); the thick line is D = ½";
    pen.fillText(name, left + width / 2, top + 28);
  }
}
