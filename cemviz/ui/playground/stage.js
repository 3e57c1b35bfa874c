// The stage of the playground: frames of a game, drawn one after the other at an even pace, and what is under the pointer.
import { node, plain } from "../js/draw.js";
import { sigmoid, unpack, valueAt } from "./frame.js";
import { Plane } from "./plane.js";

const PACE = 1000 / 30; // ms a frame; a frame that comes late is drawn at once
const BEHIND = 12; // frames that wait: more are drawn as fast as the screen can

const LEGEND = [["data", "p_data"], ["p0", "p₀"], ["moved", "p_T"], ["paths", "paths"], ["arrows", "∇f / |∇f|"]]; // prettier-ignore

/**
 * `props.value` is JSON: {frames, live, shown}: frames of `backend/frame.py`, played in turn; if not `live`, the last one is where
 * the game stands, shown at once. `shown` is what the controls say when the page opens, {layers: names, field: D or E}; later
 * they write it to the view's dataset themselves.
 */
export function mount(element, props, watch, trigger) {
  const canvas = node("canvas", { role: "img", "aria-label": props.label });
  const line = node("p", { class: "cem-plane-line" });
  const told = node("p", { class: "cem-plane-told", id: "play-told" });
  const legend = node("ul", { class: "cem-plane-legend" }, ...LEGEND.map(([key, text]) => node("li", { class: `cem-key-${key}`, text })));
  const root = element.querySelector(".cem-plane");
  canvas.setAttribute("aria-describedby", told.id);
  root.replaceChildren(legend, canvas, line, told);

  const plane = new Plane(canvas);
  const host = element.closest(".block"); // the view, by its own id
  const waiting = [];
  let picture = null;
  let clock = 0;
  let last = 0; // when a frame was drawn

  const said = (name) => host.dataset[name] ?? root.dataset[name];
  const dark = () => document.body.classList.contains("dark");

  function redraw() {
    if (!picture) return;
    const layers = said("layers").split(",");
    plane.draw(picture, layers, said("field"), dark());
    for (const key of legend.children) key.hidden = !layers.includes(key.className.replace("cem-key-", ""));
  }

  function show(frame) {
    picture = unpack(frame);
    redraw();
    root.dataset.drawn = Number(root.dataset.drawn ?? 0) + 1;
    root.dataset.turn = picture.turn;
  }

  /** What stands there, in words, once it stands still. */
  function rest() {
    const share = picture.f.reduce((sum, f) => sum + (f > 0), 0) / picture.f.length;
    told.textContent = `Turn ${picture.turn}: D is above one half on ${Math.round(100 * share)} % of the box.`;
  }

  function play(now) {
    clock = 0;
    if (waiting.length && (now - last >= PACE - 2 || waiting.length > BEHIND)) {
      const { frame, opens } = waiting.shift();
      if (opens) trigger("play"); // the server may send the next ones meanwhile
      show(frame);
      last = waiting.length ? Math.max(last + PACE, now - PACE) : now;
    }
    if (waiting.length) clock = requestAnimationFrame(play);
    else rest();
  }

  function take() {
    if (!props.value) return;
    const { frames, live, shown } = JSON.parse(props.value);
    Object.assign(host.dataset, shown);
    if (!live) waiting.length = 0;
    waiting.push(...frames.map((frame, k) => ({ frame, opens: k === 0 })));
    clock ||= requestAnimationFrame(play);
  }

  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const at = picture && plane.inside(event.clientX - box.left, event.clientY - box.top);
    if (!at) return leave();
    const f = valueAt(picture, at.x, at.y);
    line.textContent = `at (${plain(at.x, 2)}, ${plain(at.y, 2)}): f = ${plain(f, 2)}, D = ${sigmoid(f).toFixed(3)}, E = ${plain(-f, 2)}`;
  });
  const leave = () => (line.textContent = "");
  canvas.addEventListener("pointerleave", leave);

  new ResizeObserver(redraw).observe(root);
  const changes = new MutationObserver(() => (element.isConnected ? redraw() : changes.disconnect()));
  changes.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  changes.observe(host, { attributes: true, attributeFilter: ["data-layers", "data-field"] });
  watch("value", take);
  take();
}
