// A board of settings: what one chain has become under each, tinted by how good all chains are. Moving over it blends the
// pictures of the nearest cells into the large one, without a request; a press chooses a cell, whose row and column are curves.
import { clamp, mark, node, pictures, plain, ramp } from "../js/draw.js";

const TINT = ramp(["#7a4a86", "#b79abf", "#e9e4ea", "#a9d4a9", "#2f7d46"], 32); // poor to good

const AMOUNT = ramp(["#eef3f7", "#8fb9d3", "#1d6a96"], 32); // little to much, of what is neither good nor poor

/** A number of an axis as people write it: .02, inf as ∞. */
export const short = (value) => (value === "inf" ? "∞" : String(value).replace(/^(-?)0\./, "$1."));

/**
 * How good values are, from 0 to 1, null where there is none. A share is what it says. Others lie between the poorest and the
 * best of the board; where these differ by no more than twice their spread over seeds, all are alike.
 */
export function goodness(values, { better, unit }, spreads = []) {
  const known = values.filter((value) => value !== null);
  const [low, high] = unit === "share" ? [0, 1] : [Math.min(...known), Math.max(...known)];
  const apart = high - low > 2 * Math.max(0, ...spreads.filter((spread) => spread !== null));
  const share = (value) => (unit === "share" || (high > low && apart) ? (value - low) / (high - low) : 0.5);
  return values.map((value) => (value === null ? null : better === "lower" ? 1 - share(value) : share(value)));
}

/** The up to four cells around a place on the board, each with its weight; x and y are in cells, .5 in the middle of one. */
export function nearest(x, y, columns, rows) {
  const [u, v] = [clamp(x - 0.5, 0, columns - 1), clamp(y - 0.5, 0, rows - 1)];
  const [i, j] = [Math.min(Math.floor(u), Math.max(columns - 2, 0)), Math.min(Math.floor(v), Math.max(rows - 2, 0))];
  const [a, b] = [u - i, v - j];
  const four = [[i, j, (1 - a) * (1 - b)], [i + 1, j, a * (1 - b)], [i, j + 1, (1 - a) * b], [i + 1, j + 1, a * b]];
  return four.filter(([, , weight]) => weight > 1e-3).map(([column, row, weight]) => ({ cell: row * columns + column, weight }));
}

const reaches = ({ steps, step, radius }) => steps * step >= radius; // the edge of the ball, noise aside
const reach = ({ steps, step }) => `K steps of length α go at most Kα = ${plain(steps * step, 1)} far, noise aside`;

/**
 * What can be predicted of each number, for steps of length α: the first value for which a law `holds`, given all four numbers
 * and √d; `by` is the column that is looked at, else the one that colours the board; `ball`: it needs one.
 */
export const LAWS = {
  noise: {
    ask: "Which is the first η at which the digit drowns?",
    holds: ({ noise, step }, root) => noise * root >= step,
    own: ({ noise }, root) => `whose noise is ${plain(noise * root, 2)} long a step`,
    words: ({ step }) => `η√d reaches α = ${short(step)}`,
    never: "here no η is as long as a step",
  },
  steps: {
    ask: "Which is the first K that can take a chain to the edge of its ball?",
    holds: reaches, own: reach, by: "distance", ball: true,
    words: ({ radius }) => `Kα reaches β = ${short(radius)}`,
    never: "here no K reaches that far",
  },
  step: {
    ask: "Which is the first α that can take a chain to the edge of its ball?",
    holds: reaches, own: reach, by: "distance", ball: true,
    words: ({ radius }) => `Kα reaches β = ${short(radius)}`,
    never: "here no α reaches that far",
  },
  radius: {
    ask: "Which is the first β whose edge no chain can pass, with or without a ball?",
    holds: ({ steps, step, radius }) => (radius === "inf" ? Infinity : radius) >= steps * step, own: reach, by: "distance",
    words: () => "β is no less than Kα, and the ball no longer matters,",
    never: "here every ball is smaller than that",
  },
}; // prettier-ignore

/**
 * What can be predicted of steps as long as their gradient, for which no law is known: the first value at which the share that
 * the judge reads as asked passes one half.
 */
export const MEASURED = {
  steps: {
    ask: "Which is the first K at which the judge reads half of the chains as asked?",
    holds: (share) => share >= 0.5, words: "half are read as asked", never: "here no K is enough for half",
  },
  noise: {
    ask: "Which is the first η at which the judge reads less than half of the chains as asked?",
    holds: (share) => share < 0.5, words: "less than half are read as asked", never: "here no η takes half away",
  },
}; // prettier-ignore

/** The first of an axis' values for which its law holds, the other numbers as in `settings`; -1 where none does. */
export const lawful = ({ name, values }, settings, root) =>
  values.findIndex((value) => LAWS[name].holds({ ...settings, [name]: value }, root));

/** A number and its spread over seeds, as one reads them. */
const withSpread = (value, spread, digits) =>
  value === null ? "none" : plain(value, digits) + (spread === null ? "" : ` ± ${plain(spread, digits)}`);

const CHART = { width: 300, height: 120, left: 44, right: 10, top: 8, bottom: 30 };

/** The ends of a band: what the values are, less and plus their spread over seeds, where it is known. */
export const band = (values, spreads) =>
  [-1, 1].map((sign) => values.map((value, k) => (value === null ? null : value + sign * (spreads[k] ?? 0))));

/** One row or column of the board as a curve over its axis, in a band of its spread over seeds. */
function curve(axis, values, spreads, chosen, own, title) {
  const { width, height, left, right, top, bottom } = CHART;
  const chart = mark("svg", { viewBox: `0 0 ${width} ${height}`, class: "cem-lab-curve", role: "img" });
  const [less, more] = band(values, spreads);
  const known = [...less, ...more].filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (k) => left + (k / Math.max(values.length - 1, 1)) * (width - left - right);
  const y = (value) => top + (1 - (high > low ? (value - low) / (high - low) : 0.5)) * (height - top - bottom);
  chart.setAttribute("aria-label", `${title} over ${axis.symbol}: ${values.map((v, k) => withSpread(v, spreads[k], 2)).join(", ")}`);
  for (const value of new Set([low, high])) {
    const text = mark("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end", class: "cem-tick" });
    text.textContent = plain(value, Math.abs(high - low) < 5 ? 2 : 0);
    chart.append(mark("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "cem-rule" }), text);
  }
  axis.values.forEach((value, k) => {
    const text = mark("text", { x: x(k), y: height - 14, "text-anchor": "middle", class: "cem-tick" });
    text.textContent = short(value);
    chart.append(text);
  });
  const name = mark("text", { x: (left + width - right) / 2, y: height - 2, "text-anchor": "middle", class: "cem-tick" });
  name.textContent = `${axis.symbol} ${axis.name}`;
  const points = (values) => values.map((value, k) => (value === null ? null : `${x(k)},${y(value)}`)).filter(Boolean);
  const around = [...points(less), ...points(more).reverse()].join(" ");
  if (spreads.some((spread) => spread !== null)) chart.append(mark("polygon", { points: around, class: "cem-lab-spread" }));
  chart.append(name, mark("polyline", { points: points(values).join(" "), class: "cem-lab-line" }));
  const paper = axis.values.indexOf(own);
  if (paper >= 0) chart.append(mark("line", { x1: x(paper), x2: x(paper), y1: top, y2: height - bottom, class: "cem-lab-own" }));
  if (values[chosen] !== null) chart.append(mark("circle", { cx: x(chosen), cy: y(values[chosen]), r: 4, class: "cem-lab-dot" }));
  return chart;
}

export function mount(element, props, watch) {
  const root = element.querySelector("#cem-board");
  let data = null; // the board on screen
  let sheet = null; // its pictures
  let chosen = 0;
  let described = null; // the cell whose numbers stand there
  let by = null;
  let ui = null;
  let guess = null; // the axis of which a prediction is asked for

  const rows = () => (data.axes.length > 1 ? data.axes[0].values.length : 1);
  const columns = () => data.axes.at(-1).values.length;
  const side = () => ({ wide: sheet.width / columns(), high: sheet.height / rows() });
  const values = () => data.cells.map((cell) => cell.values[by] ?? null);
  const spreads = () => data.cells.map((cell) => cell.spreads[by] ?? null);
  const words = (cell) => data.axes.map(({ name, symbol }) => `${symbol} ${short(data.cells[cell].settings[name])}`).join(", ");

  function blend(parts) {
    const { wide, high } = side();
    const context = ui.large.getContext("2d");
    context.clearRect(0, 0, wide, high);
    context.globalCompositeOperation = "lighter"; // weights add up to one
    for (const { cell, weight } of parts) {
      context.globalAlpha = weight;
      const [column, row] = [cell % columns(), Math.floor(cell / columns())];
      context.drawImage(sheet, column * wide, row * high, wide, high, 0, 0, wide, high);
    }
  }

  /** Settings and numbers of a cell, beside the large picture. */
  function describe(cell) {
    if (described === cell) return;
    described = cell;
    ui.tiles.forEach((tile, k) => tile.classList.toggle("cem-lab-under", k === cell && k !== chosen));
    ui.place.textContent = words(cell);
    const lines = Object.entries(data.columns).map(([name, { title, unit }]) => {
      const [value, spread] = [data.cells[cell].values[name], data.cells[cell].spreads[name]];
      const text = value === null ? "–" : withSpread(value, spread, Math.abs(value) < 10 ? 3 : 1);
      const head = node("th", { scope: "row", text: unit && unit !== "share" ? `${title} [${unit}]` : title });
      return node("tr", name === by ? { class: "cem-chosen" } : {}, head, node("td", { text }));
    });
    ui.numbers.replaceChildren(node("tbody", {}, ...lines));
  }

  /** Back from what lies under the pointer to the chosen cell. */
  function settle() {
    blend([{ cell: chosen, weight: 1 }]);
    describe(chosen);
  }

  function choose(cell) {
    chosen = cell;
    ui.tiles.forEach((tile, k) => {
      tile.tabIndex = k === cell ? 0 : -1;
      tile.setAttribute("aria-pressed", String(k === cell));
    });
    described = null; // a column may be marked anew
    settle();
    ui.open.href = data.cells[cell].links;
    const [row, column] = [Math.floor(cell / columns()), cell % columns()];
    const charted = (axis, cells, at) => {
      const [line, spreads] = ["values", "spreads"].map((part) => cells.map((k) => data.cells[k][part][by] ?? null));
      return curve(axis, line, spreads, at, data.paper[axis.name], data.columns[by].title);
    };
    const [down, across] = [data.axes[0], data.axes.at(-1)];
    const charts = [charted(across, across.values.map((_, k) => row * columns() + k), column)];
    if (down !== across) charts.push(charted(down, down.values.map((_, k) => k * columns() + column), row));
    ui.curves.replaceChildren(...charts);
  }

  function tint() {
    const scale = data.columns[by].better ? TINT : AMOUNT;
    goodness(values(), data.columns[by], spreads()).forEach((share, k) => {
      const [r, g, b] = share === null ? [128, 128, 128] : scale[Math.round(share * (scale.length - 1))];
      ui.tiles[k].style.setProperty("--tint", `rgb(${r} ${g} ${b})`);
    });
    label();
  }

  function label() {
    values().forEach((value, k) => {
      const number = guess ? "" : `: ${value === null ? "none" : plain(value, 3)}`; // it would be the answer
      ui.tiles[k].setAttribute("aria-label", `${words(k)}${number}`);
    });
  }

  function focus(cell) {
    ui.tiles.forEach((tile, k) => (tile.tabIndex = k === cell ? 0 : -1));
    ui.tiles[cell].focus();
  }

  // ------------------------------------------------------------------------------------------------------- predict first

  /** Place of a cell along an axis. */
  const along = (axis, cell) => (axis === data.axes[0] && data.axes.length > 1 ? Math.floor(cell / columns()) : cell % columns());

  /** The cell at place k of an axis, else where another is. */
  const beside = (axis, cell, k) => cell + (k - along(axis, cell)) * (axis === data.axes.at(-1) ? 1 : columns());

  /** Whether something can be predicted of an axis: by a law where steps have a length, else of what the judge reads. */
  function predictable({ name }) {
    if (!data.lengths) return name in MEASURED && "accuracy" in data.columns;
    return !LAWS[name].ball || name === "radius" || data.cells.some(({ settings }) => settings.radius !== "inf");
  }

  function ask(axis) {
    guess = axis;
    root.classList.add("cem-lab-hidden");
    label();
    ui.answer.textContent = `${(data.lengths ? LAWS : MEASURED)[axis.name].ask} Press a cell at that ${axis.symbol}.`;
  }

  function reveal(cell) {
    ui.answer.textContent = (data.lengths ? byLaw : byMeasure)(guess, cell);
    guess = null;
    root.classList.remove("cem-lab-hidden");
    label();
    choose(cell);
  }

  /** What the judge reads along an axis, and what was marked of it, in words. */
  function byMeasure(axis, cell) {
    const rule = MEASURED[axis.name];
    const share = (k) => data.cells[beside(axis, cell, k)].values.accuracy;
    const at = (k) => `${axis.symbol} = ${short(axis.values[k])} (${plain(share(k), 2)})`;
    const first = axis.values.findIndex((_, k) => rule.holds(share(k)));
    const before = first > 0 ? `, one before ${plain(share(first - 1), 2)}` : "";
    const measured = first < 0 ? `Measured: ${rule.never}.` : `Measured: ${rule.words} first at ${at(first)}${before}.`;
    return `You marked ${at(along(axis, cell))}. ${measured}`;
  }

  /** The law of an axis, what was marked of it, and what is measured where it holds, in words. */
  function byLaw(axis, cell) {
    const rule = LAWS[axis.name];
    const { settings } = data.cells[cell];
    const law = lawful(axis, settings, data.noise);
    const column = data.columns[rule.by] ? rule.by : by;
    const value = (k) => plain(data.cells[beside(axis, cell, k)].values[column], 2);
    const known = law >= 0 && data.cells[beside(axis, cell, law)].values[column] !== null;
    const before = law > 0 ? `, one ${axis.symbol} before ${value(law - 1)}` : "";
    const there = known ? ` There ${data.columns[column].title} is ${value(law)}${before}.` : "";
    const statement = law < 0 ? rule.never : `${rule.words(settings)} at ${axis.symbol} = ${short(axis.values[law])}`;
    const own = `You marked ${axis.symbol} = ${short(settings[axis.name])}: ${rule.own(settings, data.noise)}.`;
    return `${own} The law: ${statement}.${there}`;
  }

  // -------------------------------------------------------------------------------------------------------------- building

  function build() {
    const grid = node("div", { class: "cem-lab-grid", role: "group", "aria-label": "settings" });
    grid.style.setProperty("--columns", columns());
    const { wide, high } = side();
    const [down, across] = data.axes.length > 1 ? data.axes : [null, data.axes[0]];
    const tiles = data.cells.map((_, k) => {
      const tile = node("button", { type: "button", class: "cem-lab-tile", tabindex: "-1" });
      const canvas = node("canvas", { width: wide, height: high });
      canvas.getContext("2d").drawImage(sheet, (k % columns()) * wide, Math.floor(k / columns()) * high, wide, high, 0, 0, wide, high);
      tile.append(canvas);
      const own = data.axes.every(({ name }) => data.paper[name] === undefined || data.paper[name] === data.cells[k].settings[name]);
      if (own && Object.keys(data.paper).length === data.axes.length) tile.classList.add("cem-lab-paper");
      tile.addEventListener("click", () => (guess ? reveal(k) : choose(k)));
      return tile;
    });
    for (let row = 0; row < rows(); row += 1) {
      grid.append(node("span", { class: "cem-lab-end", text: down ? short(down.values[row]) : "" }));
      grid.append(...tiles.slice(row * columns(), (row + 1) * columns()));
    }
    grid.append(node("span", { text: "" }), ...across.values.map((value) => node("span", { class: "cem-lab-foot", text: short(value) })));
    const names = node("p", { class: "cem-lab-axes", text: down ? `↓ ${down.symbol} ${down.name}   → ${across.symbol} ${across.name}` : `→ ${across.symbol} ${across.name}` });
    ui = {
      tiles, grid, large: node("canvas", { class: "cem-lab-large", width: wide, height: high, role: "img", "aria-label": "the chosen setting's picture" }),
      place: node("p", { class: "cem-lab-place", "aria-live": "polite" }), numbers: node("table", { class: "cem-numbers" }),
      open: node("a", { href: "#", text: "Play this cell in Sampling" }), curves: node("div", { class: "cem-lab-curves" }),
      answer: node("p", { class: "cem-lab-told", "aria-live": "polite" }),
    };
    const left = node("div", { class: "cem-lab-left" }, names, grid, ui.answer);
    for (const axis of data.axes.filter(predictable)) {
      const predict = node("button", { type: "button", class: "cem-lab-predict", text: `Predict first: ${axis.symbol}` });
      predict.addEventListener("click", () => ask(axis));
      left.append(predict);
    }
    const right = node("div", { class: "cem-lab-right" }, ui.large, ui.place, ui.open, ui.numbers);
    root.replaceChildren(node("div", { class: "cem-lab-board" }, left, right), ui.curves);
    grid.addEventListener("pointermove", (event) => {
      const [first, last] = [tiles[0].getBoundingClientRect(), tiles.at(-1).getBoundingClientRect()];
      const x = ((event.clientX - first.left) / (last.right - first.left)) * columns();
      const y = ((event.clientY - first.top) / (last.bottom - first.top)) * rows();
      if (guess || !(x >= 0 && y >= 0 && x <= columns() && y <= rows())) return;
      const parts = nearest(x, y, columns(), rows());
      blend(parts);
      describe(parts.reduce((best, part) => (part.weight > best.weight ? part : best)).cell);
    });
    grid.addEventListener("pointerleave", () => !guess && settle());
    grid.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const here = Math.max(tiles.indexOf(document.activeElement), 0);
      const next = here + step;
      const sameRow = Math.abs(step) > 1 || Math.floor(next / columns()) === Math.floor(here / columns());
      if (next < 0 || next >= tiles.length || !sameRow) return;
      if (!guess) choose(next); // else what it shows would be the answer
      focus(next);
    });
  }

  // ---------------------------------------------------------------------------------------------------------- to take away

  /** The board as a PNG: what it is of, its axes, and in each cell the picture in its tint, with its number. */
  function png() {
    const { wide, high } = side();
    const [left, top, foot, frame, scale] = [64, 56, 64, 4, 2];
    const [w, h] = [wide * scale + 2 * frame, high * scale + 2 * frame + 16];
    const paper = node("canvas", { width: Math.max(left + columns() * w + 12, 620), height: top + rows() * h + foot });
    const pen = paper.getContext("2d");
    const write = (text, x, y, align = "center", font = "13px sans-serif") => {
      Object.assign(pen, { font, textAlign: align, fillStyle: "#18181b" });
      pen.fillText(text, x, y);
    };
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, paper.width, paper.height);
    pen.imageSmoothingEnabled = false;
    write(data.title, 12, 22, "left", "bold 15px sans-serif");
    write(`number and frame: ${data.columns[by].title}`, 12, 42, "left");
    values().forEach((value, k) => {
      const [column, row] = [k % columns(), Math.floor(k / columns())];
      const [x, y] = [left + column * w, top + row * h];
      pen.fillStyle = ui.tiles[k].style.getPropertyValue("--tint");
      pen.fillRect(x, y, w - 2, h - 18);
      pen.drawImage(sheet, column * wide, row * high, wide, high, x + frame - 1, y + frame - 1, wide * scale, high * scale);
      write(value === null ? "–" : plain(value, Math.abs(value) < 10 ? 2 : 1), x + w / 2, y + h - 5, "center", "11px sans-serif");
    });
    const [down, across] = data.axes.length > 1 ? data.axes : [null, data.axes[0]];
    down?.values.forEach((value, row) => write(short(value), left - 8, top + row * h + h / 2, "right"));
    across.values.forEach((value, column) => write(short(value), left + column * w + w / 2, top + rows() * h + 18));
    write(`${across.symbol} ${across.name}`, left + (columns() * w) / 2, top + rows() * h + 38);
    if (down) write(`${down.symbol} ${down.name}`, 12, top + rows() * h + 18, "left");
    write(data.seeds, 12, top + rows() * h + 58, "left", "12px sans-serif");
    return paper;
  }

  document.addEventListener("cemviz-board-png", () => {
    if (!data) return;
    node("a", { href: png().toDataURL(), download: `${data.file}.png` }).click();
  });

  async function draw() {
    if (!props.value) return;
    const next = JSON.parse(props.value);
    const image = await pictures(next.sprite);
    [data, sheet, guess] = [next, image, null];
    root.classList.remove("cem-lab-hidden");
    by = data.by;
    build();
    tint();
    const own = ui.tiles.findIndex((tile) => tile.classList.contains("cem-lab-paper"));
    choose(Math.max(own, 0));
    root.dataset.ready = String(Number(root.dataset.ready ?? 0) + 1);
    root.dispatchEvent(new CustomEvent("cemviz-drawn", { bubbles: true }));
  }

  document.addEventListener("cemviz-column", ({ detail }) => {
    by = detail;
    if (!data || !(by in data.columns)) return;
    tint();
    choose(chosen);
  });
  watch("value", draw);
  draw();
}
