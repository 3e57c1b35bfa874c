// One small line chart of a quantity against the step: every chain thin and grey, the selected one thick.
// Loaded in front of player.js and visible to it. All colours come from the style sheet.
const CHART_HEIGHT = 128;
const MARGIN = { top: 10, right: 12, bottom: 22, left: 58 };
const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

function svg(tag, className, attributes = {}) {
  const node = document.createElementNS(SVG_NAMESPACE, tag);
  node.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function html(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

// Four significant digits, a true minus sign, and a dash where there is no number.
function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size >= 1e5 || size < 1e-3)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}

// Round values within a range, two to five of them: multiples of 1, 2 or 5 times a power of ten. Less than a rounding error of
// the numbers themselves is no range.
function roundTicks(low, high) {
  const span = high - low;
  const size = Math.max(Math.abs(low), Math.abs(high), 1e-6);
  if (!(span > 1e-6 * size)) return [Number(low.toFixed(9)) || 0];
  const power = 10 ** Math.floor(Math.log10(span / 2));
  const step = [5, 2, 1].find((m) => m * power <= span / 2) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)) || 0);
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

class LineChart {
  // series: one array of chains per panel (null if that panel lacks the quantity), each chain an array over steps; one chain
  // where a number holds for all of them.
  constructor({ name, axis, series, limit, lastStep, onStep }) {
    Object.assign(this, { name, series, limit, lastStep, width: 0, chain: 0, step: 0 });
    this.node = html("figure", "cem-chart");
    const caption = html("figcaption", "cem-chart-title", name);
    if (axis) caption.append(html("span", "cem-chart-axis", axis));
    this.svg = svg("svg", "cem-chart-plot", { role: "img", height: CHART_HEIGHT });
    this.node.append(caption, this.svg);
    // Many grey lines must stay a backdrop.
    const count = series.reduce((sum, chains) => sum + (chains?.length ?? 0), 0);
    this.svg.style.setProperty("--others-opacity", Math.min(0.5, Math.max(0.12, 12 / count)));
    this.findRange();
    if (limit && !this.limitInView) caption.append(html("span", "cem-chart-axis", `${limit.label}, out of view`));

    const stepAt = (event) => {
      const left = this.svg.getBoundingClientRect().left + MARGIN.left;
      onStep(Math.round(((event.clientX - left) / this.innerWidth) * this.lastStep));
    };
    this.svg.addEventListener("pointerdown", stepAt);
    this.svg.addEventListener("pointermove", (event) => event.buttons & 1 && stepAt(event));
  }

  get innerWidth() {
    return Math.max(1, this.width - MARGIN.left - MARGIN.right);
  }

  findRange() {
    const values = this.series.flat(2).filter(isNumber);
    this.low = values.length ? values.reduce((a, b) => Math.min(a, b)) : 0;
    this.high = values.length ? values.reduce((a, b) => Math.max(a, b)) : 1;
    // A limit far above the curves would press them flat: it is then named, not drawn.
    const span = this.high - this.low || 1;
    const limit = this.limit?.value;
    this.limitInView = isNumber(limit) && limit <= this.high + 3 * span && limit >= this.low - 3 * span;
    const extra = this.limitInView ? [limit] : [];
    this.bottom = Math.min(this.low, ...extra);
    this.top = Math.max(this.high, ...extra);
    const padding = (this.top - this.bottom || Math.abs(this.top) || 1) * 0.06;
    this.bottom -= padding;
    this.top += padding;
  }

  // What the selected chain has here, of a panel's chains.
  own(chains) {
    return chains?.[chains.length === 1 ? 0 : this.chain];
  }

  x(step) {
    return MARGIN.left + (this.lastStep ? step / this.lastStep : 0) * this.innerWidth;
  }

  y(value) {
    const inner = CHART_HEIGHT - MARGIN.top - MARGIN.bottom;
    return MARGIN.top + ((this.top - value) / (this.top - this.bottom)) * inner;
  }

  // Missing values break the line; a lone point between two gaps is drawn as a dot by its round cap.
  path(values) {
    let drawing = false;
    const parts = [];
    values.forEach((value, step) => {
      if (!isNumber(value)) {
        drawing = false;
        return;
      }
      const point = `${this.x(step).toFixed(1)} ${this.y(value).toFixed(1)}`;
      const lone = !drawing && !isNumber(values[step + 1]);
      parts.push(`${drawing ? "L" : "M"}${point}${lone ? "h0" : ""}`);
      drawing = true;
    });
    return parts.join("");
  }

  // Draws everything anew, for a new width. Choosing a chain or a step only touches what changes.
  layout(width) {
    if (width === this.width || width === 0) return;
    this.width = width;
    this.svg.setAttribute("width", width);
    this.svg.replaceChildren();
    this.drawAxes();
    for (const [panel, chains] of this.series.entries()) {
      const d = (chains ?? []).map((values) => this.path(values)).join("");
      this.svg.append(svg("path", `cem-line cem-others cem-panel-${panel}`, { d }));
    }
    if (this.limitInView) this.drawLimit();
    this.cursorLine = svg("line", "cem-cursor", { y1: MARGIN.top - 4, y2: CHART_HEIGHT - MARGIN.bottom });
    this.svg.append(this.cursorLine);
    this.chosen = this.series.map((_, panel) => svg("path", `cem-line cem-chosen cem-panel-${panel}`));
    this.dots = this.series.map((_, panel) => svg("circle", `cem-dot cem-panel-${panel}`, { r: 4 }));
    this.svg.append(...this.chosen, ...this.dots);
    this.select(this.chain);
    this.moveTo(this.step);
  }

  drawAxes() {
    const floor = CHART_HEIGHT - MARGIN.bottom;
    const right = this.width - MARGIN.right;
    const label = (text, x, y, anchor) => {
      const node = svg("text", "cem-tick", { x, y, "text-anchor": anchor });
      node.textContent = text;
      this.svg.append(node);
    };
    this.svg.append(svg("line", "cem-axis", { x1: MARGIN.left, x2: right, y1: floor, y2: floor }));
    for (const value of roundTicks(this.low, this.high)) {
      const y = this.y(value);
      this.svg.append(svg("line", "cem-rule", { x1: MARGIN.left, x2: right, y1: y, y2: y }));
      label(figure(value), MARGIN.left - 8, y + 4, "end");
    }
    label("0", MARGIN.left, CHART_HEIGHT - 6, "start");
    label("step", (MARGIN.left + right) / 2, CHART_HEIGHT - 6, "middle");
    label(String(this.lastStep), right, CHART_HEIGHT - 6, "end");
  }

  drawLimit() {
    const y = this.y(this.limit.value);
    this.svg.append(svg("line", "cem-limit", { x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y, y2: y }));
    const text = svg("text", "cem-limit-label", { x: MARGIN.left + 6, y: y + 14 });
    text.textContent = this.limit.label;
    this.svg.append(text);
  }

  select(chain) {
    this.chain = chain;
    if (!this.width) return;
    const ends = this.series.map((chains, panel) => {
      const values = this.own(chains) ?? [];
      this.chosen[panel].setAttribute("d", this.path(values));
      const known = values.filter(isNumber);
      const words = known.length ? `from ${figure(known[0])} to ${figure(known.at(-1))}` : "without values";
      return `${"AB"[panel]} ${words}`;
    });
    const outside = this.limit && !this.limitInView ? `, limit ${this.limit.label} outside the picture` : "";
    const whose = this.series.every((chains) => (chains?.length ?? 1) === 1) ? "" : `, chain ${chain + 1}`;
    this.svg.setAttribute("aria-label", `${this.name}${whose}: ${ends.join("; ")}${outside}`);
    this.moveTo(this.step);
  }

  moveTo(step) {
    this.step = step;
    if (!this.width) return;
    const x = this.x(step);
    this.cursorLine.setAttribute("x1", x);
    this.cursorLine.setAttribute("x2", x);
    this.series.forEach((chains, panel) => {
      const value = this.own(chains)?.[step];
      const dot = this.dots[panel];
      dot.style.display = isNumber(value) ? "" : "none";
      if (!isNumber(value)) return;
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", this.y(value));
    });
  }
}
