// A picture and its attacked versions: what the classifier answers, every detector's logit, and two verdicts that follow the
// threshold where it is dragged.
import { bytes, mark, node, plain } from "../js/draw.js";
import { decided, verdict } from "./rates.js";
import { shared } from "./shared.js";

const BARS = { width: 176, row: 11, left: 14, right: 34, top: 2 };
const WAYS = { integrated: "integrated", generative: "generative" };

/** A picture of bytes, (H, W, C). */
function show(canvas, data, [height, width, channels]) {
  [canvas.width, canvas.height] = [width, height];
  const image = canvas.getContext("2d").createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = data[channels === 3 ? 3 * i + c : i];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Bars of all detectors' logits on one scale for all versions: {made, moveTo(thresholds)}. */
function bars(version, { classes, label }, [low, high]) {
  const long = Math.max(...classes.map((name) => name.length)) > 2;
  const left = long ? 58 : BARS.left;
  const digits = high - low < 3 ? 2 : high - low < 100 ? 1 : 0;
  const height = BARS.top + classes.length * BARS.row + 2;
  const chart = mark("svg", { viewBox: `0 0 ${BARS.width} ${height}`, class: "cem-detect-bars", role: "img" });
  const x = (value) => left + ((value - low) / (high - low)) * (BARS.width - left - BARS.right);
  const text = (words, at, y, anchor, look) => {
    const made = chart.appendChild(mark("text", { x: at, y, "text-anchor": anchor, class: look }));
    made.textContent = words;
  };
  classes.forEach((name, k) => {
    const y = BARS.top + k * BARS.row;
    const value = version.scores[k];
    const answers = k === version.answer;
    const look = answers ? "cem-detect-bar cem-detect-answer" : "cem-detect-bar";
    chart.append(mark("rect", { x: Math.min(x(0), x(value)), width: Math.max(Math.abs(x(value) - x(0)), 0.5), y: y + 1.5, height: BARS.row - 3, class: look }));
    text(name, left - 4, y + BARS.row - 2, "end", name === label ? "cem-detect-own" : "");
    text(plain(Number(value.toFixed(digits)) || 0, digits), BARS.width - 2, y + BARS.row - 2, "end", answers ? "cem-detect-own" : "");
  });
  chart.append(mark("line", { x1: x(0), x2: x(0), y1: 0, y2: height, class: "cem-zero" }));
  const limits = Object.keys(WAYS).map(() => chart.appendChild(mark("line", { y1: 0, y2: height, class: "cem-detect-limit" })));
  const said = classes.map((name, k) => `${name}: ${plain(version.scores[k], 2)}`).join(", ");
  chart.setAttribute("aria-label", `logits of the detectors, ${said}`);
  return {
    made: chart,
    moveTo(thresholds) {
      thresholds.forEach((T, i) => {
        const at = x(Math.min(Math.max(T, low), high));
        limits[i].setAttribute("x1", at);
        limits[i].setAttribute("x2", at);
      });
    },
  };
}

/** One version: {made, judge(thresholds)}. */
function card(version, data, ends) {
  const { classes, label, shape, clean } = data;
  const asIs = clean && version.key === "";
  const canvas = node("canvas", { class: "cem-pixels", role: "img", "aria-label": `${data.title}: ${version.title}` });
  show(canvas, bytes(version.pixels), shape);
  const answer = classes[version.answer];
  const sure = version.p > 0.995 ? "> 99" : Math.round(100 * version.p);
  const reads = node("p", { class: "cem-view-line", text: `f reads ${answer}, ${sure} %` });
  reads.classList.toggle("cem-wrong", answer !== label);
  const logit = node("p", { class: "cem-detect-logit", text: `its detector: ${plain(version.scores[version.answer], 2)}` });
  const chart = bars(version, data, ends);
  const verdicts = Object.entries(WAYS).map(([way, name]) => {
    const said = node("b");
    return { way, said, made: node("p", { class: "cem-verdict" }, node("span", { text: name }), said) };
  });
  const caption = node("figcaption", {}, node("span", {}, `${version.title} `, node("small", { text: version.source })));
  const made = node("figure", {}, caption, canvas, reads, logit, ...verdicts.map((one) => one.made), chart.made);
  return {
    made,
    judge(thresholds) {
      for (const one of verdicts) {
        const { text, look } = verdict(decided(version, classes, one.way, thresholds[one.way]), label, !asIs);
        one.said.textContent = text;
        one.made.dataset.look = look;
      }
      chart.moveTo(Object.keys(WAYS).map((way) => thresholds[way]));
    },
  };
}

function waiting(title, [height, width]) {
  const canvas = node("div", { class: "cem-detect-waiting", text: "attacking ..." });
  canvas.style.aspectRatio = `${width} / ${height}`;
  return node("figure", {}, node("figcaption", {}, title), canvas);
}

export function mount(element, props, watch) {
  const root = element.querySelector("#cem-detect");
  const pictures = node("div", { class: "cem-detect-pictures" });
  root.replaceChildren(pictures);
  let cards = [];
  let data = null;
  let drawn = 0;

  const judge = () => {
    if (!data) return;
    const thresholds = Object.fromEntries(Object.keys(WAYS).map((way) => [way, shared.threshold(way, data.threshold[way])]));
    for (const one of cards) one.judge(thresholds);
  };
  shared.addEventListener("change", judge);

  function draw() {
    root.classList.toggle("cem-detect-none", !props.value);
    if (!props.value) return;
    data = JSON.parse(props.value);
    shared.front = data.front;
    const all = [0, ...data.versions.flatMap((version) => version.scores), ...Object.values(data.threshold)];
    const ends = [Math.min(...all), Math.max(...all)];
    cards = data.versions.map((version) => card(version, data, ends));
    pictures.replaceChildren(...cards.map((one) => one.made), ...data.waiting.map((title) => waiting(title, data.shape)));
    judge();
    drawn += data.waiting.length ? 0 : 1;
    root.dataset.ready = drawn;
  }
  watch("value", draw);
  draw();
}
