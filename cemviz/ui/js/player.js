// The trajectory player: K+1 steps of one or two panels of chains, played without a request to the server.
// `props.value` is the payload that views.player_payload builds. Needs chart.js and sphere.js in front of it.
const $ = (selector) => element.querySelector(selector);
const root = $(".cem-player");
const ui = {
  empty: $(".cem-empty"),
  body: $(".cem-player-body"),
  panels: $(".cem-panels"),
  play: $(".cem-play"),
  scrub: $(".cem-scrub"),
  counter: $(".cem-counter"),
  speed: $(".cem-speed"),
  loop: $(".cem-loop"),
  table: $(".cem-numbers"),
  legend: $(".cem-legend"),
  charts: $(".cem-charts"),
  status: $(".cem-status"),
};
root.setAttribute("aria-label", props.label);
ui.empty.textContent = props.empty;

const MILLISECONDS_PER_STEP = 200;
const LONGEST_RUN = 12000; // at speed 1
const FILM_LENGTH = 12;
const TILE = { smallest: 56, largest: 108, gap: 8 };
const NARROW = { below: 260, smallest: 32, gap: 4 }; // px of a panel: on a phone two stand side by side
const DENSE = { from: 37, smallest: 28, gap: 3 }; // so many chains stand close together, as a square without labels
const CHART = { smallest: 250, gap: 20 };

let run = null; // the payload on screen
let views = []; // per panel: {tiles, film, grid, map}: the canvases, and where they stand
let charts = [];
let rows = []; // of the table: {cells, text(panel) -> string}
let step = 0;
let chain = 0;
let loads = 0;

const lastStep = () => run.steps - 1;
const letter = (panel) => "AB"[panel];
const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// ---------------------------------------------------------------------------------------------------- building

async function decode(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}


// Where the first run of a page that asks for nothing else will be stands its end, which ships with the page: the same nets,
// sampler, seed and starts. `props.poster` is the id of the data.
async function showPoster() {
  const shipped = document.getElementById(props.poster);
  if (!shipped || !window.cemvizPlain()) return;
  const { panels, side, steps, classes } = JSON.parse(shipped.textContent);
  const columns = Math.ceil(classes.length / 2);
  const sheets = await Promise.all([panels.robust, panels.standard].map(({ sprite }) => decode(sprite)));
  if (props.value || ui.empty.querySelector("canvas")) return;
  const place = html("span", "cem-posters");
  for (const sheet of sheets) {
    const canvas = html("canvas");
    Object.assign(canvas, { width: columns * side, height: 2 * side });
    for (let k = 0; k < classes.length; k += 1) {
      const [x, y] = [(k % columns) * side, Math.floor(k / columns) * side];
      canvas.getContext("2d").drawImage(sheet, k * side, (steps.length - 1) * side, side, side, x, y, side, side);
    }
    place.append(canvas);
  }
  ui.empty.append(place);
}

// The old picture stays until the new one is decoded; of two updates at once only the later is shown.
async function load() {
  loads += 1;
  const ticket = loads;
  if (!props.value) {
    pause();
    run = null;
    ui.empty.hidden = false;
    ui.body.hidden = true;
    if (props.poster) showPoster();
    return;
  }
  try {
    const next = JSON.parse(props.value);
    const sprites = await Promise.all(next.panels.map((panel) => decode(panel.sprite)));
    if (ticket === loads) show(next, sprites);
  } catch (error) {
    console.error("chain_player:", error);
  }
}

function show(next, sprites) {
  const sameLength = run !== null && run.steps === next.steps;
  const tileFocus = views.findIndex(({ grid }) => grid.contains(document.activeElement));
  run = next;
  const chains = Math.max(...run.panels.map((panel) => panel.chains));
  const autoplay = run.autoplay && !calm();
  if (!sameLength) {
    pause();
    chain = 0;
    step = lastStep();
  }
  if (autoplay) {
    pause();
    step = 0;
  }
  chain = Math.min(chain, chains - 1);

  ui.scrub.max = lastStep();
  ui.empty.hidden = true;
  ui.body.hidden = false;
  views = run.panels.map((panel, index) => buildPanel(panel, index, sprites[index]));
  ui.panels.replaceChildren(...views.map((view) => view.node));
  buildTable();
  buildLegend();
  buildCharts();
  root.classList.toggle("cem-single", run.panels.length === 1);
  layout();
  select(chain);
  goTo(step);
  if (tileFocus >= 0) views[Math.min(tileFocus, views.length - 1)].tiles[chain]?.node.focus();
  if (autoplay) playWhenSeen();
  root.dispatchEvent(new CustomEvent("cemviz-drawn", { bubbles: true })); // the picture is that of the controls again
}

function badge(panel) {
  return html("span", `cem-badge cem-panel-${panel}`, letter(panel));
}

function buildPanel(panel, index, sprite) {
  const node = html("section", "cem-panel");
  const title = html("p", "cem-panel-title", panel.title);
  title.title = panel.about;
  if (run.panels.length > 1) title.prepend(badge(index));
  const grid = html("div", "cem-grid");
  grid.setAttribute("role", "listbox");
  grid.setAttribute("aria-label", `chains of ${panel.title}`);
  grid.setAttribute("aria-orientation", "horizontal");
  const tiles = Array.from({ length: panel.chains }, (_, c) => buildTile(panel, index, c));
  grid.append(...tiles.map((tile) => tile.node));
  grid.addEventListener("keydown", (event) => moveInGrid(event, index));
  grid.classList.toggle("cem-dense", panel.chains >= DENSE.from);
  const stage = html("div", "cem-stage");
  const map = panel.map && new SphereMap({ ...panel.map, panel: index, title: panel.title, onChain: choose });
  stage.append(grid, ...(map ? [map.node] : []));
  const film = buildFilm();
  node.append(title, stage, film.node);
  if (panel.note) node.append(html("p", "cem-note", panel.note));
  return { node, grid, tiles, film, sprite, map };
}

function picture() {
  const canvas = html("canvas", "cem-picture");
  canvas.width = run.image.width;
  canvas.height = run.image.height;
  return canvas;
}

function buildTile(panel, index, c) {
  const node = html("div", "cem-tile");
  const canvas = picture();
  const label = panel.labels?.[c] ?? "";
  node.setAttribute("role", "option");
  node.setAttribute("aria-label", [`chain ${c + 1}`, label, panel.final?.[c]].filter(Boolean).join(", "));
  node.append(canvas, html("span", "cem-tile-label", label || String(c + 1)));
  node.addEventListener("click", () => {
    choose(c);
    views[index].tiles[c].node.focus({ preventScroll: true });
  });
  return { node, canvas };
}

// Up to FILM_LENGTH steps of the selected chain, the first and the last among them.
function buildFilm() {
  const count = Math.min(FILM_LENGTH, run.steps);
  const at = Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * lastStep()) / (count - 1))));
  const node = html("div", "cem-film-strip");
  const title = html("p", "cem-film-title");
  const strip = html("ol", "cem-film");
  const frames = at.map((k) => {
    const item = html("li", "cem-film-frame");
    const canvas = picture();
    item.append(canvas, html("span", "cem-film-step", String(k)));
    item.addEventListener("click", () => userGoTo(k));
    strip.append(item);
    return { k, item, canvas };
  });
  node.append(title, strip);
  return { node, title, frames };
}

// A series with one row is the whole batch's.
const rowOf = (rows, c) => rows?.[rows.length === 1 ? 0 : c];

function seriesNames() {
  const names = run.panels.flatMap((panel) => Object.keys(panel.series));
  return [...new Set([...run.charts, ...names])].filter((name) => names.includes(name));
}

function buildTable() {
  const head = html("tr");
  head.append(html("td", "cem-corner"));
  run.panels.forEach((panel, index) => {
    const cell = html("th");
    cell.scope = "col";
    if (run.panels.length > 1) cell.append(badge(index));
    cell.append(html("span", "cem-column-title", panel.title));
    head.append(cell);
  });
  rows = [];
  const row = (name, text, className = "") => {
    const node = html("tr", className);
    const header = html("th", "", name);
    header.scope = "row";
    const cells = run.panels.map(() => html("td"));
    node.append(header, ...cells);
    rows.push({ cells, text, header });
    return node;
  };
  const body = html("tbody");
  const wordsRow = (name, key) => {
    if (!run.panels.some((panel) => panel[key])) return;
    body.append(row(name, (panel) => panel[key]?.[chain] ?? "–", "cem-words"));
  };
  wordsRow("start", "labels");
  for (const name of seriesNames()) body.append(row(name, (panel) => figure(rowOf(panel.series[name], chain)?.[step])));
  wordsRow("at the end", "final");
  const thead = html("thead");
  thead.append(head);
  ui.table.replaceChildren(html("caption"), thead, body);
}

function buildLegend() {
  const entry = (className, text) => {
    const item = html("li");
    const swatch = svg("svg", "cem-swatch", { width: 28, height: 10, "aria-hidden": "true" });
    swatch.append(svg("path", `cem-line ${className}`, { d: "M1 5H27" }));
    item.append(swatch, text);
    return item;
  };
  const panels = run.panels.map((panel, index) => {
    const name = run.panels.length > 1 ? `${letter(index)} · ${panel.title}` : panel.title;
    return entry(`cem-chosen cem-panel-${index}`, name);
  });
  const others = run.panels.some((panel) => panel.chains > 1) ? [entry("cem-others cem-panel-0", "other chains")] : [];
  ui.legend.replaceChildren(...panels, ...others);
  ui.legend.hidden = run.charts.length === 0;
}

function buildCharts() {
  const available = seriesNames();
  charts = run.charts.filter((name) => available.includes(name)).map((name) => new LineChart({
    name,
    axis: run.axis?.[name],
    series: run.panels.map((panel) => panel.series[name] ?? null),
    limit: run.limits?.[name],
    lastStep: lastStep(),
    onStep: userGoTo,
  }));
  ui.charts.replaceChildren(...charts.map((chart) => chart.node));
}

// ----------------------------------------------------------------------------------------------------- drawing

// As many columns as fit with tiles of a good size and the fewest holes in the last row.
function bestColumns(count, width) {
  const { smallest, gap } = width < NARROW.below ? NARROW : TILE;
  const fitting = (tile) => Math.floor((width + gap) / (tile + gap));
  const most = clamp(fitting(smallest), 1, count);
  const least = clamp(fitting(TILE.largest), 1, most);
  let best = most;
  const holes = (columns) => Math.ceil(count / columns) * columns - count;
  for (let columns = most; columns >= least; columns -= 1) {
    if (holes(columns) < holes(best)) best = columns;
  }
  return best;
}

function squareColumns(count, width) {
  const most = Math.floor((width + DENSE.gap) / (DENSE.smallest + DENSE.gap));
  return clamp(Math.ceil(Math.sqrt(count)), 1, Math.max(1, most));
}

function layout() {
  if (!run) return;
  for (const { grid, tiles } of views) {
    const columns = tiles.length >= DENSE.from ? squareColumns : bestColumns;
    if (grid.clientWidth) grid.style.setProperty("--columns", columns(tiles.length, grid.clientWidth));
  }
  const width = ui.charts.clientWidth;
  if (!width || charts.length === 0) return;
  const most = Math.max(1, Math.floor((width + CHART.gap) / (CHART.smallest + CHART.gap)));
  const lines = Math.ceil(charts.length / most);
  const columns = Math.ceil(charts.length / lines);
  ui.charts.style.setProperty("--columns", columns);
  const each = Math.floor((width - CHART.gap * (columns - 1)) / columns);
  for (const chart of charts) chart.layout(each);
}

function paint(canvas, sprite, k, c) {
  const { width, height } = run.image;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(sprite, c * width, k * height, width, height, 0, 0, width, height);
}

function goTo(k) {
  step = clamp(k, 0, lastStep());
  for (const { tiles, film, sprite, map } of views) {
    map?.moveTo(step);
    tiles.forEach(({ canvas }, c) => paint(canvas, sprite, step, c));
    const nearest = film.frames.reduce((a, b) => (Math.abs(b.k - step) < Math.abs(a.k - step) ? b : a));
    for (const frame of film.frames) frame.item.classList.toggle("cem-now", frame === nearest);
  }
  for (const chart of charts) chart.moveTo(step);
  ui.scrub.value = step;
  ui.scrub.style.setProperty("--done", `${lastStep() ? (100 * step) / lastStep() : 0}%`);
  ui.scrub.setAttribute("aria-valuetext", `step ${step} of ${lastStep()}`);
  ui.counter.textContent = `step ${step} / ${lastStep()}`;
  writeNumbers();
}

function select(c) {
  chain = c;
  for (const { tiles, film, sprite, map } of views) {
    map?.select(chain);
    tiles.forEach(({ node }, index) => {
      node.setAttribute("aria-selected", String(index === chain));
      node.tabIndex = index === chain ? 0 : -1;
    });
    const exists = chain < tiles.length;
    film.node.hidden = !exists;
    film.title.textContent = `chain ${chain + 1}, step by step`;
    if (exists) for (const frame of film.frames) paint(frame.canvas, sprite, frame.k, chain);
  }
  for (const chart of charts) chart.select(chain);
}

function writeNumbers() {
  ui.table.caption.textContent = `Chain ${chain + 1} at step ${step}`;
  for (const { cells, text } of rows) {
    cells.forEach((cell, panel) => {
      cell.textContent = text(run.panels[panel]);
    });
  }
}

// For people who do not see the pictures; silent while playing.
function announce() {
  if (!run || playing()) return;
  const shown = rows.filter((row) => run.charts.includes(row.header.textContent)).slice(0, 3);
  const parts = run.panels.map((panel, index) => {
    const numbers = shown.map((row) => `${row.header.textContent} ${row.cells[index].textContent}`);
    const end = step === lastStep() ? panel.final?.[chain] : "";
    return `${panel.title}: ${[...numbers, end].filter(Boolean).join(", ")}`;
  });
  ui.status.textContent = `Step ${step} of ${lastStep()}, chain ${chain + 1}. ${parts.join(". ")}.`;
}

// --------------------------------------------------------------------------------------------------- transport

let animation = 0;
let lastTick = 0;

const playing = () => animation !== 0;
const interval = () => Math.min(MILLISECONDS_PER_STEP, LONGEST_RUN / run.steps) / Number(ui.speed.value);

function tick(now) {
  if (!element.isConnected) return pause();
  const due = Math.floor((now - lastTick) / interval());
  if (due > 0) {
    lastTick += due * interval();
    if (step === lastStep() && ui.loop.getAttribute("aria-pressed") === "true") goTo(0);
    else if (step === lastStep()) return pause();
    else goTo(step + due);
  }
  animation = requestAnimationFrame(tick);
}

function play() {
  if (!run || playing()) return;
  if (step === lastStep()) goTo(0);
  lastTick = performance.now();
  animation = requestAnimationFrame(tick);
  showPlaying();
}

function pause() {
  const was = playing();
  cancelAnimationFrame(animation);
  animation = 0;
  showPlaying();
  if (was) announce();
}

function showPlaying() {
  root.classList.toggle("cem-playing", playing());
  ui.play.setAttribute("aria-label", playing() ? "Pause" : "Play");
  ui.play.title = playing() ? "Pause (space)" : "Play (space)";
}

// Python hears of a step or a chain only when a person settles on it, never during play.
let report = 0;
function tell(name, detail) {
  clearTimeout(report);
  report = setTimeout(() => {
    if (playing()) return;
    if (name === "frame") trigger("frame", detail);
    else trigger("chain", detail);
  }, 150);
}

function userGoTo(k) {
  pause();
  const target = clamp(k, 0, lastStep());
  if (target === step) return;
  goTo(target);
  announce();
  tell("frame", { k: step });
}

function choose(c) {
  if (c === chain) return;
  select(c);
  writeNumbers();
  announce();
  if (!playing()) tell("chain", { index: chain });
}

const moves = {
  start: () => userGoTo(0),
  back: () => userGoTo(step - 1),
  step: () => userGoTo(step + 1),
  end: () => userGoTo(lastStep()),
};

for (const [name, move] of Object.entries(moves)) $(`.cem-${name}`).addEventListener("click", move);
ui.play.addEventListener("click", () => (playing() ? pause() : play()));
ui.scrub.addEventListener("input", () => userGoTo(Number(ui.scrub.value)));
ui.loop.addEventListener("click", () => {
  const on = ui.loop.getAttribute("aria-pressed") !== "true";
  ui.loop.setAttribute("aria-pressed", String(on));
});

root.addEventListener("keydown", (event) => {
  const inField = event.target.closest("input, select, textarea");
  if (!run || inField || event.altKey || event.ctrlKey || event.metaKey) return;
  const onButton = event.target.closest("button");
  const actions = { ArrowLeft: moves.back, ArrowRight: moves.step, Home: moves.start, End: moves.end };
  if (!onButton) actions[" "] = () => (playing() ? pause() : play());
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

// Inside the grid of chains the arrow keys choose a chain, as in any list box.
function moveInGrid(event, panel) {
  const { tiles, grid } = views[panel];
  const columns = Number(grid.style.getPropertyValue("--columns")) || 1;
  const count = tiles.length;
  const offsets = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -count, End: count };
  if (event.key === "Enter") {
    choose(tiles.findIndex(({ node }) => node === document.activeElement));
    return;
  }
  if (!(event.key in offsets)) return;
  event.preventDefault();
  event.stopPropagation();
  const target = chain + offsets[event.key];
  const inside = target >= 0 && target < count;
  if (!inside && event.key.startsWith("Arrow")) return;
  choose(clamp(target, 0, count - 1));
  tiles[chain].node.focus();
}

// ------------------------------------------------------------------------------------------- staying out of the way

let waitingToPlay = false;
function playWhenSeen() {
  if (root.getClientRects().length && !document.hidden) play();
  else waitingToPlay = true;
}

new IntersectionObserver(([entry]) => {
  if (!entry.isIntersecting) pause();
  else if (waitingToPlay) {
    waitingToPlay = false;
    play();
  }
}).observe(root);

new ResizeObserver(layout).observe(root);

function onPagePause() {
  if (element.isConnected) pause();
  else document.removeEventListener("cemviz-pause", onPagePause);
}
document.addEventListener("cemviz-pause", onPagePause);

watch("value", load);
load();
