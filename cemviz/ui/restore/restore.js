// A climb, scrubbed: all of its frames are here, so that the strength is a slider and no request. A hole is painted with a
// brush, or set as a box by four sliders.
import { bytes, clamp, mark, node, plain } from "../js/draw.js";
import { Transport } from "../js/transport.js";
import { Cells, around, box } from "./holes.js";

const WAIT = 350; // ms after the last stroke
const BRUSH = 2.2; // pixels from its middle to its edge
const SIDES = ["top", "left", "height", "width"];
const CURVE = { width: 320, height: 120, left: 36, right: 10, top: 8, bottom: 26 };
const LINES = { ssim: "whole picture", inside: "in the hole", outside: "around it" };

const FIGURES = {
  denoise: ["the picture", "with noise", "restored", "what is still wrong"],
  inpaint: ["the picture", "its hole", "restored", "what is still wrong"],
  translate: [null, "the start", "translated", "what has changed"],
  interpolate: [null, "a line between two starts", "climbed from each", null],
};

/** Pictures of bytes side by side on a canvas, one pixel between them: (count, H, W, C) from `at` on. */
function show(canvas, data, at, [height, width, channels], count) {
  canvas.width = count * (width + 1) - 1;
  canvas.height = height;
  const context = canvas.getContext("2d");
  for (let b = 0; b < count; b += 1) {
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i += 1) {
      const from = at + (b * width * height + i) * channels;
      for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = data[from + (channels === 3 ? c : 0)];
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, b * (width + 1), 0);
  }
}

/** |a - b| of two pictures, as bytes. */
export function difference(a, b, size) {
  return Uint8Array.from({ length: size }, (_, i) => Math.abs(a[i] - b[i]));
}

/** A chart of lines over the steps: {node, moveTo(k)}. */
function curves(title, lines, steps, [low, high]) {
  const { width, height, left, right, top, bottom } = CURVE;
  const chart = mark("svg", { viewBox: `0 0 ${width} ${height}`, class: "cem-restore-curve", role: "img" });
  const x = (k) => left + (k / Math.max(steps, 1)) * (width - left - right);
  const y = (value) => top + ((high - clamp(value, low, high)) / (high - low)) * (height - top - bottom);
  const text = (place, words, anchor) => {
    const made = mark("text", { ...place, "text-anchor": anchor });
    made.textContent = words;
    return made;
  };
  for (const value of [low, (low + high) / 2, high]) {
    chart.append(mark("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "cem-rule" }));
    chart.append(text({ x: left - 6, y: y(value) + 4 }, plain(value, high - low > 1 ? 1 : 2), "end"));
  }
  for (const k of [0, Math.round(steps / 2), steps]) chart.append(text({ x: x(k), y: height - 8 }, k, "middle"));
  const now = chart.appendChild(mark("line", { y1: top, y2: height - bottom, class: "cem-restore-now" }));
  const said = [];
  const legend = node("p", { class: "cem-restore-legend" });
  for (const { name, rows, look } of lines) {
    for (const row of rows) {
      chart.append(mark("polyline", { points: row.map((v, k) => `${x(k)},${y(v)}`).join(" "), class: `cem-restore-line ${look}` }));
    }
    said.push(`${name} from ${plain(rows[0][0], 2)} to ${plain(rows[0].at(-1), 2)}`);
    if (lines.length > 1) legend.append(node("span", { class: `cem-restore-key ${look}`, text: name }));
  }
  chart.setAttribute("aria-label", `${title} over the steps: ${said.join("; ")}`);
  const made = node("figure", {}, node("figcaption", { text: title }), chart, legend);
  return {
    made,
    moveTo(k) {
      now.setAttribute("x1", x(k));
      now.setAttribute("x2", x(k));
    },
  };
}

/** Ends of an axis at tenths around the values. */
function ends(rows) {
  const values = rows.flat();
  const [low, high] = [Math.floor(Math.min(...values) * 10) / 10, Math.ceil(Math.max(...values) * 10) / 10];
  return [low, Math.max(high, low + 0.1)];
}

export function mount(element, props, trigger, watch) {
  const root = element.querySelector("#cem-restore");
  const bar = {
    play: node("button", { type: "button", class: "cem-start-play", text: "Play", "aria-label": "Play" }),
    scrub: node("input", { type: "range", min: "0", value: "0", class: "cem-start-scrub", "aria-label": "strength, in steps" }),
    count: node("output", { class: "cem-start-count" }),
  };
  const transport = new Transport(bar);
  const [pictures, charts] = [node("div", { class: "cem-restore-pictures" }), node("div", { class: "cem-restore-charts" })];
  const brush = node("div", { class: "cem-restore-brush", hidden: "" });
  const strength = node("div", { class: "cem-start-bar" }, bar.play, node("span", { text: "strength" }), bar.scrub, bar.count);
  root.replaceChildren(pictures, strength, brush, charts);
  let drawn = 0;
  let timer = 0;
  document.addEventListener("cemviz-pause", () => transport.pause());

  const send = (hole) => {
    root.classList.add("cem-old");
    trigger("select", { hole });
  };

  /** The brush over the canvas of the hole, and its tools. */
  function painting(canvas, data, lost) {
    const [height, width] = data.shape;
    const cells = new Cells(height, width, data.cell);
    cells.take(lost);
    let [erasing, pen] = [false, false];
    const said = node("p", { class: "cem-restore-said", "aria-live": "polite" });
    const erase = node("button", { type: "button", "aria-pressed": "false", text: "Erase" });
    const clear = node("button", { type: "button", text: "Clear" });
    const fill = () => {
      show(canvas, bytes(data.truth), 0, data.shape, 1);
      const context = canvas.getContext("2d");
      context.fillStyle = "#d55e00";
      cells.on.forEach((one, i) => {
        const [row, column] = [Math.floor(i / cells.columns), i % cells.columns];
        if (one) context.fillRect(column * data.cell, row * data.cell, data.cell, data.cell);
      });
    };
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const count = cells.on.reduce((sum, one) => sum + one, 0);
        if (count && count < cells.on.length) send(cells.text);
        else said.textContent = count ? "The hole is the whole picture: leave some of it." : "No hole is painted yet.";
      }, WAIT);
    };
    const dab = (event) => {
      const place = canvas.getBoundingClientRect();
      const [x, y] = [((event.clientX - place.left) / place.width) * width, ((event.clientY - place.top) / place.height) * height];
      cells.dab(x, y, BRUSH, erasing ? 0 : 1);
      fill();
    };
    canvas.classList.add("cem-restore-canvas");
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      clearTimeout(timer);
      said.textContent = "";
      pen = true;
      dab(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (pen) for (const one of event.getCoalescedEvents?.() ?? [event]) dab(one);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        if (pen) later();
        pen = false;
      });
    }
    erase.addEventListener("click", () => {
      erasing = !erasing;
      erase.setAttribute("aria-pressed", String(erasing));
    });
    clear.addEventListener("click", () => {
      clearTimeout(timer);
      cells.on.fill(0);
      fill();
      said.textContent = "Cleared: paint a hole.";
    });
    const now = around(lost, width);
    const sliders = SIDES.map((name, k) => {
      const most = k % 2 ? width : height;
      return node("input", { type: "range", min: k < 2 ? 0 : 1, max: k < 2 ? most - 1 : most, value: now[k], "aria-label": `${name} of the box` });
    });
    const values = sliders.map((slider) => node("output", { text: slider.value }));
    sliders.forEach((slider, k) => {
      slider.addEventListener("input", () => {
        values[k].textContent = slider.value;
      });
      slider.addEventListener("change", () => {
        clearTimeout(timer);
        timer = setTimeout(() => send(box(height, width, ...sliders.map((one) => Number(one.value))).join(",")), WAIT);
      });
    });
    const rows = SIDES.map((name, k) => node("label", {}, name, sliders[k], values[k]));
    const tools = node("div", { class: "cem-restore-tools" }, node("span", { text: "Paint on “its hole”." }), erase, clear, said);
    const open = brush.querySelector("details")?.open;
    const sides = node("details", open ? { open: "" } : {}, node("summary", { text: "or set a box" }), node("div", { class: "cem-restore-box" }, ...rows));
    const focus = [...brush.querySelectorAll("input")].indexOf(document.activeElement);
    brush.replaceChildren(tools, sides);
    if (focus >= 0) sliders[focus].focus();
  }

  function draw() {
    transport.pause();
    clearTimeout(timer);
    root.classList.remove("cem-old");
    root.classList.toggle("cem-restore-none", !props.value);
    if (!props.value) return;
    const data = JSON.parse(props.value);
    const { shape, count, steps, series, task } = data;
    const size = count * shape.reduce((a, b) => a * b, 1);
    const frames = bytes(data.frames);
    const frame = (k) => frames.subarray(k * size, (k + 1) * size);
    const truth = data.truth && bytes(data.truth);
    const lost = data.lost && bytes(data.lost);
    const made = FIGURES[task].map((title) => {
      if (!title) return null;
      const canvas = node("canvas", { class: "cem-pixels", role: "img", "aria-label": title });
      const line = node("p", { class: "cem-view-line" });
      return { canvas, line, figure: node("figure", {}, node("figcaption", { text: title }), canvas, line) };
    });
    const [whole, damaged, restored, wrong] = made;
    pictures.replaceChildren(...made.filter(Boolean).map(({ figure }) => figure));
    pictures.classList.toggle("cem-restore-wide", count > 1);
    if (whole) show(whole.canvas, truth, 0, shape, 1);
    if (whole) whole.line.textContent = data.title;
    show(damaged.canvas, frame(0), 0, shape, count);
    const at = (name, k) => plain(series[name].reduce((sum, row) => sum + row[k], 0) / series[name].length, 2);
    damaged.line.textContent = `${series.ssim ? `SSIM ${at("ssim", 0)}, ` : ""}D ${at("D", 0)}`;
    brush.hidden = task !== "inpaint";
    if (!brush.hidden) painting(damaged.canvas, data, lost);

    const plots = [curves(count > 1 ? "D of each chain" : "D, the net's share for data", [{ name: "D", rows: series.D, look: "cem-restore-a" }], steps, [0, 1])];
    if (series.ssim) {
      const names = Object.keys(LINES).filter((name) => series[name]);
      const lines = names.map((name, k) => ({ name: LINES[name], rows: series[name], look: `cem-restore-${"abc"[k]}` }));
      plots.push(curves("SSIM with the picture", lines, steps, ends(names.flatMap((name) => series[name]))));
    } else {
      const most = Math.max(...series.distance.flat());
      plots.push(curves("distance travelled", [{ name: "distance", rows: series.distance, look: "cem-restore-a" }], steps, [0, Math.ceil(most) || 1]));
    }
    charts.replaceChildren(...plots.map((plot) => plot.made));
    const view = {
      frames: steps + 1,
      interval: task === "translate" || task === "interpolate" ? 140 : 180,
      label: (k) => `step ${k} of ${steps}`,
      show(k) {
        show(restored.canvas, frame(k), 0, shape, count);
        if (wrong) show(wrong.canvas, difference(frame(k), truth || frame(0), size), 0, shape, count);
        const better = series.ssim && series.ssim[0][k] - series.ssim[0][0];
        const turn = !series.ssim || k === 0 ? "" : better > 0 ? ", better" : ", worse";
        restored.line.textContent = `${series.ssim ? `SSIM ${at("ssim", k)}${turn}, ` : ""}D ${at("D", k)}`;
        restored.line.classList.toggle("cem-wrong", turn === ", worse");
        if (wrong) wrong.line.textContent = `moved ${at("distance", k)} from the start`;
        for (const plot of plots) plot.moveTo(k);
      },
    };
    transport.load(view, data.at);
    drawn += 1;
    root.dataset.ready = drawn;
    if (!truth) transport.begin();
  }
  watch("value", draw);
  draw();
}
