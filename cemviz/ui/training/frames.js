// What a net draws while it learns: chains of one seed over the updates of a run, two runs side by side, and their curves, all
// scrubbed together without a request.
import { mark, node, pictures, plain } from "../js/draw.js";
import { Transport } from "../js/transport.js";

const COLUMNS = 5;
const CHART = { width: 400, height: 118, left: 40, right: 12, top: 10, bottom: 30 };
const TINTS = ["data", "p0"];

/** Index of the step nearest to `at`, the earlier of two. */
export const nearest = (steps, at) =>
  steps.reduce((best, step, k) => (Math.abs(step - at) < Math.abs(steps[best] - at) ? k : best), 0);

/** The updates at which any of the panels has a frame, in order. */
export const moments = (panels) => [...new Set(panels.flatMap(({ frames }) => frames.map(({ step }) => step)))].sort((a, b) => a - b);

/** How many chains a net that had no part in the run reads as asked, in words; "" where nobody reads them. */
export const reading = ({ read }, { judge, count }) => (read === null || !judge ? "" : `another net reads ${read} of ${count} as asked`);

/** Lines over updates: [{points: [[update, value]], tint, dash}], with a cursor; a press seeks. */
function chart(title, lines, last, share, seek) {
  const { width, height, left, right, top, bottom } = CHART;
  const all = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const [low, high] = [Math.min(0, ...all), share ? 1 : Math.max(...all)];
  const x = (step) => left + (step / Math.max(last, 1)) * (width - left - right);
  const y = (value) => top + (1 - (value - low) / Math.max(high - low, 1e-9)) * (height - top - bottom);
  const picture = mark("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const word = (text, at, anchor) => {
    const made = mark("text", { ...at, "text-anchor": anchor, class: "cem-tick" });
    made.textContent = text;
    picture.append(made);
  };
  for (const value of [low, high]) {
    picture.append(mark("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "cem-rule" }));
    word(share ? `${plain(100 * value, 0)} %` : plain(value, high - low < 5 ? 1 : 0), { x: left - 6, y: y(value) + 4 }, "end");
  }
  word("0", { x: left, y: height - 14 }, "start");
  word(last.toLocaleString("en"), { x: width - right, y: height - 14 }, "end");
  word("update", { x: (left + width - right) / 2, y: height - 14 }, "middle");
  for (const { points, tint, dash } of lines) {
    const drawn = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    picture.append(mark("polyline", { points: drawn, class: "cem-frames-line", stroke: `var(--cem-${tint})`, "stroke-dasharray": dash }));
  }
  const cursor = mark("line", { y1: top, y2: height - bottom, class: "cem-frames-cursor" });
  picture.append(cursor);
  const at = (event) => {
    const box = picture.getBoundingClientRect();
    seek((((event.clientX - box.left) / box.width) * width - left) / (width - left - right) * last); // prettier-ignore
  };
  picture.addEventListener("pointerdown", at);
  picture.addEventListener("pointermove", (event) => event.buttons & 1 && at(event));
  picture.setAttribute("aria-label", `${title}: ${lines.map(({ points }) => plain(points.at(-1)?.[1] ?? 0, 2)).join(" and ")} at the end`);
  const figure = node("figure", {}, node("figcaption", { text: title }), picture);
  return { figure, show: (step) => ["x1", "x2"].forEach((end) => cursor.setAttribute(end, x(step))) };
}

/**
 * `props.value` is JSON: {panels: [{name, frames: [{step, sprite, read}], classes, judge, count, loss: [[update, value]]}], at,
 * play}; at: the update looked at, null for the last; play: whether it plays once it is seen.  `cemviz-update` on the document
 * tells of another update; a person who scrubs here triggers `select` with `step`.
 */
export function mount(element, props, watch, trigger) {
  const root = element.querySelector(".cem-frames");
  const ui = {
    play: node("button", { type: "button", class: "cem-start-play", text: "Play", "aria-label": "Play" }),
    scrub: node("input", { type: "range", min: "0", value: "0", class: "cem-start-scrub", "aria-label": "update" }),
    count: node("output", { class: "cem-start-count" }),
  };
  const film = new Transport(ui);
  const places = node("div", { class: "cem-frames-panels" });
  const bar = node("div", { class: "cem-start-bar", role: "group", "aria-label": "updates" }, ui.play, ui.scrub, ui.count);
  const curves = node("div", { class: "cem-frames-curves" });
  root.replaceChildren(places, bar, curves);

  let steps = []; // of all frames
  let pressed = false; // whether a person scrubs: only then the figures follow
  let loads = 0;
  for (const kind of ["pointerdown", "keydown"]) root.addEventListener(kind, () => (pressed = true));

  function panel(data, k, sheets, alone) {
    const badge = alone ? [] : [node("span", { class: `cem-badge cem-badge-${"AB"[k]}`, text: "AB"[k] }), " "];
    const title = node("p", { class: "cem-frames-title" }, ...badge, data.name);
    const line = node("p", { class: "cem-frames-read", text: "No pictures were kept of this run." });
    if (!sheets.length) return { node: node("section", {}, title, line), show() {} };
    const side = sheets[0].height;
    const tiles = Array.from({ length: Math.round(sheets[0].width / side) }, () => node("canvas", { width: side, height: side }));
    const items = tiles.map((tile, c) => node("div", {}, tile, node("span", { text: data.classes[c] ?? "" })));
    const grid = node("div", { class: "cem-frames-tiles", role: "img", style: `--columns: ${alone ? items.length : COLUMNS}` }, ...items);
    const own = data.frames.map(({ step }) => step);
    return {
      node: node("section", {}, title, grid, line),
      show(step) {
        const at = nearest(own, step);
        tiles.forEach((tile, c) => {
          const pen = tile.getContext("2d");
          pen.clearRect(0, 0, side, side);
          pen.drawImage(sheets[at], c * side, 0, side, side, 0, 0, side, side);
        });
        const words = [reading(data.frames[at], data), own[at] === step ? "" : `at update ${own[at].toLocaleString("en")}`];
        line.textContent = words.filter(Boolean).join(", ");
        grid.setAttribute("aria-label", `chains of ${data.name} at update ${own[at]}: ${line.textContent}`);
      },
    };
  }

  async function take() {
    loads += 1;
    const ticket = loads;
    const data = props.value ? JSON.parse(props.value) : { panels: [] };
    const sheets = await Promise.all(data.panels.map(({ frames }) => Promise.all(frames.map(({ sprite }) => pictures(sprite)))));
    if (ticket !== loads) return;
    root.hidden = !data.panels.length;
    film.pause();
    if (root.hidden) return;
    steps = moments(data.panels);
    const views = data.panels.map((each, k) => panel(each, k, sheets[k], data.panels.length === 1));
    places.replaceChildren(...views.map((view) => view.node));
    const last = Math.max(...data.panels.map(({ loss }) => loss.at(-1)?.[0] ?? 1), ...steps);
    const line = (points, k) => ({ points, tint: TINTS[k], dash: k ? "6 3" : "none" });
    const seek = (step) => {
      film.pause();
      film.show(nearest(steps, step));
    };
    const charts = [];
    const judged = data.panels.filter(({ judge }) => judge);
    if (judged.length) {
      const shares = data.panels.map(({ frames, count, judge }, k) =>
        line(judge ? frames.map(({ step, read }) => [step, read / count]) : [], k),
      );
      charts.push(chart(`share that another net, ${judged[0].judge}, reads as asked`, shares, last, true, seek));
    }
    charts.push(chart("loss, nats", data.panels.map(({ loss }, k) => line(loss, k)), last, false, seek));
    for (const { figure } of charts) figure.addEventListener("pointerup", () => chosen());
    curves.replaceChildren(...charts.map(({ figure }) => figure));
    const chosen = () => pressed && trigger("select", { step: steps[Number(ui.scrub.value)] });
    const at = data.at === null ? steps.length - 1 : nearest(steps, data.at);
    film.load(
      {
        frames: steps.length,
        label: (k) => `update ${steps[k].toLocaleString("en")} of ${last.toLocaleString("en")}`,
        rest: chosen,
        show(k) {
          for (const view of [...views, ...charts]) view.show(steps[k]);
          root.dataset.step = steps[k];
        },
      },
      data.play ? undefined : at,
    );
    pressed = false;
    if (data.play) seen(() => ticket === loads && !pressed && film.begin());
  }

  /** Do it once the view is on screen: its tab may not be open yet. */
  function seen(then) {
    const watcher = new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting) return;
      watcher.disconnect();
      then();
    });
    watcher.observe(root);
  }

  document.addEventListener("cemviz-update", ({ detail }) => {
    if (!steps.length || root.hidden) return;
    film.pause();
    film.show(nearest(steps, detail));
  });
  document.addEventListener("cemviz-pause", () => film.pause());
  watch("value", take);
  take();
}
