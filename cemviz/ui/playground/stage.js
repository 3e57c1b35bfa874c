// The stage of the playground: frames of a game, drawn one after the other at an even pace, and what is under the pointer.
import { node, plain } from "../js/draw.js";
import { Transport } from "../js/transport.js";
import { byHand } from "./by_hand.js";
import { sigmoid, unpack, valueAt } from "./frame.js";
import { scenes } from "./moves.js";
import { Plane } from "./plane.js";

const PACE = 1000 / 30; // ms a frame; a frame that comes late is drawn at once
const BEHIND = 20; // frames that wait: more are drawn as fast as the screen can

const LEGEND = [["data", "p_data"], ["p0", "p₀"], ["moved", "p_T"], ["paths", "paths"], ["arrows", "∇f / |∇f|"]]; // prettier-ignore

const mark = (turn) => document.dispatchEvent(new CustomEvent("cemviz-turn", { detail: turn })); // the curves show where it is

/**
 * `props.value` is JSON: {frames, live, made, shown?, story?, at?, laid?}.
 * frames: of `backend/frame.py`, played in turn; if not `live`, the last one is where the game stands, shown at once.
 * made: counts up. An answer to Pause may overtake the frames that were sent before it; those are left out then.
 * shown: what the controls say when the page opens, {layers: names, field: D or E}; later they write it to the view's dataset.
 * story: where the snapshots of a story are served, of which the one numbered `at` is shown; null of a game without any.
 * laid: how p_data and p0 lie there, see `plots.laid`; of a game that begins.
 */
export function mount(element, props, watch, trigger) {
  const canvas = node("canvas", { role: "img", "aria-label": props.label });
  const line = node("p", { class: "cem-plane-line" });
  const host = element.closest(".block"); // the view, by its own id
  const spoken = node("p", { class: "cem-plane-told", id: `${host.id}-told` });
  const legend = node("ul", { class: "cem-plane-legend" }, ...LEGEND.map(([key, text]) => node("li", { class: `cem-key-${key}`, text })));
  const root = element.querySelector(".cem-plane");
  const ui = {
    names: ["Replay", "Stop"],
    play: node("button", { type: "button", class: "cem-start-play", text: "Replay", "aria-label": "Replay" }),
    scrub: node("input", { type: "range", min: "0", value: "0", class: "cem-start-scrub", "aria-label": "snapshot of the story" }),
    count: node("output", { class: "cem-start-count" }),
  };
  const transport = node("div", { class: "cem-start-bar", role: "group", "aria-label": "how it came" }, ui.play, ui.scrub, ui.count);
  const bar = node("div", { ...(host.id === "play-plane" && { id: "cem-story" }), hidden: "" }, transport); // a story plays alone
  canvas.setAttribute("aria-describedby", spoken.id);
  const plane = new Plane(canvas);
  const face = node("div", { class: "cem-plane-face" }, canvas, line);
  const hand = byHand({ root, face, plane, redraw, say, trigger });
  root.replaceChildren(node("div", { class: "cem-plane-head" }, legend, ...hand.tools), face, bar, spoken);

  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const waiting = []; // frames to come
  const acts = []; // scenes of the move on screen that are still to come
  let picture = null;
  let scene = {};
  let clock = 0;
  let due = 0; // when the next one may be drawn
  let newest = -1; // number of what came last

  const setting = (name) => host.dataset[name] ?? root.dataset[name];
  const dark = () => document.body.classList.contains("dark");

  function redraw() {
    if (!picture) return;
    const layers = setting("layers").split(",");
    root.dataset.field = setting("field"); // the legend follows
    hand.draw(picture, layers, root.dataset.field, dark(), scene);
    for (const key of legend.children) key.hidden = !layers.includes(key.className.replace("cem-key-", ""));
  }

  /** Draw the next frame, or the next scene of the move on screen; tells for how long, in ms. */
  function next() {
    if (!acts.length) {
      const { frame, opens } = waiting.shift();
      if (opens) trigger("play"); // the server may send the next ones meanwhile
      const before = picture;
      picture = unpack(frame);
      acts.push(...(frame.move ? scenes(frame.move, picture, before) : []));
      if (still.matches) acts.splice(0, acts.length - 1);
      root.dataset.drawn = Number(root.dataset.drawn ?? 0) + 1;
      root.dataset.turn = picture.turn;
      if (opens !== undefined) {
        mark(null);
        ui.count.textContent = `turn ${picture.turn}, played on`;
      }
    }
    scene = acts.shift() ?? {};
    redraw();
    if (scene.note) spoken.textContent = scene.note.text;
    return scene.for ?? PACE;
  }

  /** A line for who works by hand. */
  function say(text) {
    line.textContent = spoken.textContent = text;
  }

  /** What stands there, in words, once it stands still. */
  function rest() {
    const share = picture.f.reduce((sum, f) => sum + (f > 0), 0) / picture.f.length;
    spoken.textContent = `Turn ${picture.turn}: D is above one half on ${Math.round(100 * share)} % of the box.`;
  }

  function play(now) {
    const left = () => waiting.length + acts.length;
    if (left() && (now >= due - 2 || waiting.length > BEHIND)) due = Math.max(due, now - PACE) + next();
    const more = left() || now < due;
    clock = more ? requestAnimationFrame(play) : 0;
    if (!more) rest();
  }

  function take() {
    if (!props.value) return;
    const { frames, live, made, shown, story, at, laid } = JSON.parse(props.value);
    if (made < newest) return;
    newest = made;
    if (laid) hand.take(laid);
    Object.assign(host.dataset, shown);
    if (story !== undefined) tell(story, at);
    if (!frames.length) return;
    film.pause();
    if (!live) clear();
    waiting.push(...frames.map((frame, k) => ({ frame, opens: k === 0 })));
    clock ||= requestAnimationFrame(play);
  }

  function clear() {
    waiting.length = acts.length = due = 0;
  }

  const film = new Transport(ui);
  document.addEventListener("cemviz-pause", () => film.pause());
  let source = null; // of the snapshots on the bar

  /** Put a story's snapshots on the bar, and show one of them; without a number the game is elsewhere. */
  async function tell(story, at) {
    bar.hidden = !story;
    source = story;
    if (!story) return;
    const { shots } = await (await fetch(story)).json();
    if (source !== story) return; // another was chosen meanwhile
    const view = {
      frames: shots.length,
      interval: 700,
      label: (k) => `turn ${shots[k].turn} of ${shots.at(-1).turn}`,
      rest: (k) => trigger("select", { k }),
      show(k) {
        mark(shots[k].turn);
        clear();
        waiting.push({ frame: shots[k] });
        clock ||= requestAnimationFrame(play);
      },
    };
    film.load(view, at);
  }

  canvas.addEventListener("pointermove", (event) => {
    const at = picture && plane.inside(event);
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
