// The plane on a canvas: f painted as D or as E = −f with its level lines, and arrows, paths and points on top.
import { isolines, ticks } from "../js/contour.js";
import { clamp, plain, ramp } from "../js/draw.js";
import { BOX, range, sigmoid } from "./frame.js";
import { arrows, callOut, cells, crosses, diamonds, dots, heads, paths, ring } from "./marks.js";

const LEVELS = [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9]; // of D, beside 1/2
const MARGIN = { left: 34, right: 10, top: 8, axis: 24, bar: 44 };
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

export class Plane {
  #raster = document.createElement("canvas");

  constructor(canvas) {
    this.canvas = canvas;
  }

  left = MARGIN.left;
  top = MARGIN.top;

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

  /** Where the pointer is, in units of the box; it may lie outside. */
  place({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const x = ((clientX - left - MARGIN.left) / this.inner) * 2 * BOX - BOX;
    return { x, y: BOX - ((clientY - top - MARGIN.top) / this.inner) * 2 * BOX };
  }

  /** The same; null outside. */
  inside(event) {
    const { x, y } = this.place(event);
    return Math.max(Math.abs(x), Math.abs(y)) <= BOX ? { x, y } : null;
  }

  /**
   * @param picture from `unpack`; layers: names; field: D or E; dark: of the page
   * @param scene from `scenes`: how far the ways have grown, and a call-out; nothing draws all
   * @param brush where p_data is being painted: its painting, and where it is
   */
  draw(picture, layers, field, dark, { grown = Infinity, note = null } = {}, brush = null) {
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
    if (brush) cells(pen, this, brush.painting.depths, look.data[field], look.paper);
    if (shown.has("arrows")) arrows(pen, this, picture, look);
    const times = Math.min(grown, picture.path.length / (2 * picture.ways));
    if (shown.has("paths")) paths(pen, this, picture, look, times);
    if (shown.has("p0")) crosses(pen, this, picture.start, look.p0);
    if (shown.has("data")) dots(pen, this, picture.data, look.data[field], look.ink);
    if (shown.has("moved") && times > 1) diamonds(pen, this, heads(picture, times), look.p0, look.paper);
    if (brush?.at) ring(pen, this, brush.at, look.ink);
    pen.restore();
    if (note) callOut(pen, this, note, look);
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
    const fill = pen.createLinearGradient(left, 0, left + width, 0);
    for (let k = 0; k < COLOURS; k += 15) fill.addColorStop(k / (COLOURS - 1), `rgb(${colours[k].join(",")})`);
    pen.fillStyle = fill;
    pen.fillRect(left, top, width, 10);
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
