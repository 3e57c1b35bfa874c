// Scores of many images as a histogram, with a threshold to drag and its point on the ROC curve: all from what ships, so that
// dragging asks nobody. What is shown stands in the address, which this view reads and writes itself.
import { clamp, mark, node, plain } from "../js/draw.js";
import { auc, axis, bins, curve, passing, thresholdAt } from "./rates.js";
import { shared } from "./shared.js";

const BINS = 48;
const SHARE = 0.95; // of the inside that passes to begin with
const PLOT = { height: 210, left: 10, right: 10, top: 18, bottom: 24 };
const ROC = { size: 210, left: 34, right: 8, top: 8, bottom: 34 };
const FINE = 200; // parts of the range, one an arrow key
const NAMES = ["plot", "T"];

const write = (name, text) => window.cemvizAddress?.(`de.${name}`, text, "", []);
const asked = () => Object.fromEntries(NAMES.map((name) => [name, new URLSearchParams(location.search).get(`de.${name}`) ?? ""]));
const svgText = (words, place, look = "") => {
  const made = mark("text", { ...place, class: look });
  made.textContent = words;
  return made;
};

function menu(label, options, value, act) {
  const made = node("select", { "aria-label": label }, ...options.map(([key, words]) => node("option", { value: key, ...(key === value ? { selected: "" } : {}) }, words)));
  made.addEventListener("change", () => act(made.value));
  return node("label", {}, label, made);
}

/** The chosen kind of scores, made fit for what there is: [what, ...]. */
export function fitted(text, data) {
  const [what, ...rest] = text.split(",");
  if (what === "others" && data.others.length) {
    const [key, against, how] = rest;
    const ofModel = data.others.filter((row) => row.key === key);
    const rows = ofModel.length ? ofModel : data.others.filter((row) => row.key === data.others[0].key);
    return ["others", rows[0].key, (rows.find((row) => row.against === against) ?? rows[0]).against, how === "worst" ? "worst" : "clean"];
  }
  const way = what in data.ways ? what : Object.keys(data.ways)[0];
  return [way, rest[0] in data.attacks ? rest[0] : Object.keys(data.attacks).at(-1)];
}

/** The two sets of scores that are told apart, their words, and all that share their axis. */
function chosen(data, [what, ...rest], front) {
  if (what === "others") {
    const [key, against, how] = rest;
    const row = data.others.find((one) => one.key === key && one.against === against);
    const other = how === "worst" ? `${row.againstTitle}, each raised by an attack` : row.againstTitle;
    return {
      inside: row.inside, outside: row[how], around: [...row.inside, ...row.clean, ...row.worst], axis: row.scoreTitle,
      names: [`test images of ${data.title}`, other], note: row.note, usual: thresholdAt(SHARE, row.inside),
    };
  }
  const row = data.fronts.find((one) => one.name === front) ?? data.fronts[0];
  const { clean, attacked, threshold } = row.scores[what];
  const other = `the same, attacked: ${data.attacks[rest[0]].toLowerCase()}`;
  return {
    inside: clean, outside: attacked[rest[0]], around: [...clean, ...Object.values(attacked).flat()],
    axis: "logit of the detector of the answer", names: [`test images of ${data.title}`, other], note: row.note, usual: threshold, way: what,
  };
}

function histogram(host, sets, { low, high, step }, width) {
  const { height, left, right, top, bottom } = PLOT;
  const chart = mark("svg", { width, height, role: "img" });
  const x = (value) => left + ((value - low) / (high - low)) * (width - left - right);
  const counts = [sets.inside, sets.outside].map((scores) => bins(scores, [low, high], BINS).map((n) => n / scores.length));
  const most = Math.max(...counts.flat(), 1e-6);
  const middle = (top + height - bottom) / 2;
  const wide = (width - left - right) / BINS;
  counts.forEach((shares, side) => {
    shares.forEach((share, k) => {
      const tall = (share / most) * (middle - top - 2);
      if (!tall) return;
      const y = side ? middle + 1 : middle - 1 - tall;
      chart.append(mark("rect", { x: left + k * wide, width: Math.max(wide - 1, 1), y, height: tall, class: `cem-scores-${"ab"[side]}` }));
    });
  });
  chart.append(mark("line", { x1: left, x2: width - right, y1: middle, y2: middle, class: "cem-zero" }));
  for (let value = low; value <= high + step / 2; value += step) {
    const digits = Math.max(0, -Math.floor(Math.log10(step)));
    const anchor = x(value) < 24 ? "start" : x(value) > width - 24 ? "end" : "middle";
    chart.append(svgText(plain(Math.abs(value) < step / 2 ? 0 : value, digits), { x: x(value), y: height - 8, "text-anchor": anchor }));
  }
  chart.setAttribute("aria-label", `scores of ${sets.names[0]} upwards, of ${sets.names[1]} downwards, from ${plain(low, 1)} to ${plain(high, 1)}`);
  host.replaceChildren(chart);
  return x;
}

function roc(host, sets) {
  const { size, left, right, top, bottom } = ROC;
  const chart = mark("svg", { viewBox: `0 0 ${size} ${size}`, role: "img" });
  const [x, y] = [(value) => left + value * (size - left - right), (value) => size - bottom - value * (size - top - bottom)];
  for (const value of [0, 0.5, 1]) {
    chart.append(mark("line", { x1: x(0), x2: x(1), y1: y(value), y2: y(value), class: "cem-rule" }));
    chart.append(svgText(value, { x: x(0) - 6, y: y(value) + 4, "text-anchor": "end" }), svgText(value, { x: x(value), y: size - bottom + 14, "text-anchor": "middle" }));
  }
  chart.append(svgText("FPR", { x: x(0.5), y: size - 4, "text-anchor": "middle" }));
  chart.append(svgText("TPR", { x: 10, y: y(0.5), "text-anchor": "middle", transform: `rotate(-90 10 ${y(0.5)})` }));
  const points = curve(sets.inside, sets.outside);
  chart.append(mark("polyline", { points: points.map(([f, t]) => `${x(f)},${y(t)}`).join(" "), class: "cem-scores-curve" }));
  const point = chart.appendChild(mark("circle", { r: 5, class: "cem-scores-point" }));
  host.replaceChildren(chart);
  return (fpr, tpr) => {
    point.setAttribute("cx", x(fpr));
    point.setAttribute("cy", y(tpr));
    chart.setAttribute("aria-label", `ROC curve, at FPR ${plain(fpr, 3)} and TPR ${plain(tpr, 3)}`);
  };
}

export function mount(element, props, watch) {
  const root = element.querySelector("#cem-scores");
  const menus = node("div", { class: "cem-scores-menus" });
  const plot = node("div", { class: "cem-scores-plot" });
  const chart = node("div");
  const handle = node("div", { class: "cem-scores-handle", role: "slider", tabindex: "0", "aria-label": "threshold T" });
  const [legend, disc, said, note] = [node("p", { class: "cem-scores-legend" }), node("div", { class: "cem-scores-roc" }), node("p", { class: "cem-scores-said" }), node("p", { class: "cem-scores-note" })];
  plot.append(chart, handle);
  const left = node("div", {}, legend, plot, said, note);
  root.replaceChildren(menus, node("div", { class: "cem-scores-row" }, left, disc));
  let data = null;
  let choice = [];
  let sets = null;
  let ends = null;
  let area = null;
  let T = 0;
  let x = null;
  let move = null;

  function show() {
    const at = clamp(T, ends.low, ends.high);
    handle.style.left = `${x(at)}px`;
    const [tp, fp] = [passing(sets.inside, T), passing(sets.outside, T)];
    const [tpr, fpr] = [tp / sets.inside.length, fp / sets.outside.length];
    move(fpr, tpr);
    const counted = sets.way ? " deceive the classifier and pass" : " pass";
    const eq = sets.way ? [" (3.28)", " (3.29)"] : ["", ""];
    said.replaceChildren(
      node("b", { text: `T = ${plain(T, 2)}` }), ` · TPR${eq[0]} `, node("b", { text: plain(tpr, 3) }), `: ${tp} of ${sets.inside.length} clean pass · FPR${eq[1]} `,
      node("b", { text: plain(fpr, 3) }), `: ${fp} of ${sets.outside.length}${counted} · AUC `, node("b", { text: plain(area, 3) }),
    );
    for (const [name, value] of [["valuemin", ends.low], ["valuemax", ends.high], ["valuenow", at]]) handle.setAttribute(`aria-${name}`, Number(value.toPrecision(4)));
    handle.setAttribute("aria-valuetext", `${plain(T, 2)}: TPR ${plain(tpr, 3)}, FPR ${plain(fpr, 3)}`);
  }

  function take(value, resting) {
    T = clamp(value, ends.low, ends.high);
    if (sets.way) shared.drag(sets.way, T);
    show();
    if (resting) write("T", String(Number(T.toPrecision(5))));
  }

  function layout() {
    if (!data || !plot.clientWidth) return;
    x = histogram(chart, sets, ends, plot.clientWidth);
    show();
  }

  function choose(next, keep = "") {
    choice = fitted(next.join(","), data);
    sets = { ...chosen(data, choice, shared.front), front: shared.front };
    ends = axis(sets.around);
    area = auc(sets.inside, sets.outside);
    const given = Number.parseFloat(keep);
    T = Number.isFinite(given) ? clamp(given, ends.low, ends.high) : sets.way ? shared.threshold(sets.way, sets.usual) : sets.usual;
    if (Number.isFinite(given) && sets.way) shared.drag(sets.way, T);
    const [what, ...rest] = choice;
    const whats = [...Object.entries(data.ways), ...(data.others.length ? [["others", "other data sets"]] : [])];
    const made = [menu("what is told from test images", whats, what, (value) => select([value, ...(value in data.ways && what in data.ways ? rest : [])]))];
    if (what === "others") {
      const models = new Map(data.others.map((row) => [row.key, row.keyTitle]));
      const against = data.others.filter((row) => row.key === rest[0]).map((row) => [row.against, row.againstTitle]);
      made.push(menu("score", [...models], rest[0], (value) => select([what, value, ...rest.slice(1)])));
      made.push(menu("other images", against, rest[1], (value) => select([what, rest[0], value, rest[2]])));
      made.push(menu("attack", [["clean", "as they are"], ["worst", "worst case"]], rest[2], (value) => select([what, rest[0], rest[1], value])));
    } else made.push(menu("attack", Object.entries(data.attacks), rest[0], (value) => select([what, value])));
    const focus = [...menus.querySelectorAll("select")].indexOf(document.activeElement);
    menus.replaceChildren(...made);
    if (focus >= 0) menus.querySelectorAll("select")[focus]?.focus();
    legend.replaceChildren(...sets.names.map((name, side) => node("span", { class: `cem-scores-key cem-scores-${"ab"[side]}`, text: `${side ? "below" : "above"}: ${name}` })));
    const right = sets.outside.filter((score) => score === null).length;
    note.textContent = `${right ? `${right} of the attacked are still read right: they are not drawn and never count as false positives. ` : ""}Along the axis: ${sets.axis}. ${sets.note}`;
    move = roc(disc, sets);
    layout();
    root.dataset.ready = Number(root.dataset.ready ?? 0) + 1;
  }

  function select(next) {
    choose(next);
    write("plot", choice.join(","));
    write("T", "");
  }

  function draw() {
    data = props.value ? JSON.parse(props.value) : null;
    root.classList.toggle("cem-detect-none", !data);
    if (!data) return;
    const { plot: text, T: threshold } = asked();
    choose(text.split(","), threshold);
  }

  const at = (event) => {
    const place = plot.getBoundingClientRect();
    const inner = plot.clientWidth - PLOT.left - PLOT.right;
    return ends.low + ((event.clientX - place.left - PLOT.left) / inner) * (ends.high - ends.low);
  };
  let pressed = false;
  plot.addEventListener("pointerdown", (event) => {
    if (event.button || !data) return;
    plot.setPointerCapture(event.pointerId);
    pressed = true;
    take(at(event), false);
  });
  plot.addEventListener("pointermove", (event) => pressed && take(at(event), false));
  for (const name of ["pointerup", "pointercancel"]) {
    plot.addEventListener(name, () => {
      if (pressed) take(T, true);
      pressed = false;
    });
  }
  handle.addEventListener("keydown", (event) => {
    const part = (ends.high - ends.low) / FINE;
    const moves = { ArrowLeft: -part, ArrowDown: -part, ArrowRight: part, ArrowUp: part, PageDown: -10 * part, PageUp: 10 * part, Home: -Infinity, End: Infinity };
    if (!(event.key in moves)) return;
    event.preventDefault();
    take(T + moves[event.key], true);
  });
  new ResizeObserver(layout).observe(plot);
  shared.addEventListener("change", () => {
    if (data && sets.front !== shared.front) choose(choice, asked().T); // one threshold serves every classifier
  });
  // Back, and links of the page, which another script turns into addresses
  const again = () => data && choose(asked().plot.split(","), asked().T);
  addEventListener("popstate", again);
  document.addEventListener("click", (event) => event.target.closest?.("a[href^='?']") && setTimeout(again));
  watch("value", draw);
  draw();
}
