// What a released ball becomes in every panel: one film for each net, over the same steps.
import { node, plain } from "../js/draw.js";
import { Transport } from "../js/transport.js";
import { films } from "../start/views.js";

export function mount(element, props, watch) {
  const root = element.querySelector("#cem-roll");
  let film = null;
  let pressed = false; // a ball that a link brings moves the page nowhere
  for (const name of ["click", "keydown"]) element.closest("#land-stage")?.addEventListener(name, () => (pressed = true));

  async function draw() {
    film?.pause();
    film = null;
    if (!props.value) {
      root.replaceChildren();
      return;
    }
    const data = JSON.parse(props.value);
    const ui = {
      play: node("button", { type: "button", class: "cem-start-play", text: "Play", "aria-label": "Play" }),
      scrub: node("input", { type: "range", min: "0", value: "0", class: "cem-start-scrub", "aria-label": "step of the roll" }),
      count: node("output", { class: "cem-start-count" }),
    };
    const row = node("div", { class: "cem-view-row" });
    const line = (_key, side, k) => `${data.name} = ${plain(side.energy[k])}`;
    const view = await films(row, data.sides, { side: data.side, count: 1, columns: 1, steps: data.steps, titles: data.titles, line });
    const bar = node("div", { class: "cem-start-bar" }, ui.play, ui.scrub, ui.count);
    if (data.opens) bar.append(node("a", { href: data.opens, text: "Open in Sampling" }));
    root.replaceChildren(node("p", { text: data.told }), row, bar);
    film = new Transport(ui);
    film.load({ ...view, interval: 130 });
    film.begin();
    if (pressed) root.scrollIntoView({ block: "nearest", behavior: "smooth" });
    pressed = false;
    root.dataset.ready = String(Number(root.dataset.ready ?? 0) + 1);
  }
  document.addEventListener("cemviz-pause", () => film?.pause());
  watch("value", draw);
  draw();
}
