// Four answers to one picture: what two nets see, what fools them, the land around it, and what it becomes.
import { node, softmax } from "../js/draw.js";
import { Transport } from "../js/transport.js";
import { VIEWS } from "../start/views.js";

const CARDS = [
  { view: "attack", title: "An attack that grows", hint: "Each net's own worst change. Drag until it changes its mind." },
  { view: "window", title: "The landscape around it", hint: "E(x, y) of the class that each net sees; to the right, its own attack." },
  { view: "become", title: "Rolling downhill", hint: "" },
];
const MOST = 3; // classes that are named

function answers(host, data) {
  for (const [key, badge] of [["robust", "A"], ["standard", "B"]]) {
    const p = softmax(data.attack[key].logits[0]);
    const best = p.map((share, k) => [share, k]).sort((a, b) => b[0] - a[0]).slice(0, MOST);
    const rows = best.map(([share, k]) => {
      const bar = node("span", { class: "cem-share" });
      bar.style.setProperty("--share", `${100 * share}%`);
      const said = node("span", { class: "cem-share-said", text: share > 0.995 ? "> 99 %" : `${Math.round(100 * share)} %` });
      return node("li", {}, node("b", { text: data.classes[k] }), bar, said);
    });
    const caption = node("figcaption", {}, node("span", { class: `cem-badge cem-badge-${badge}`, text: badge }), data.titles[key]);
    host.append(node("figure", {}, caption, node("ol", { class: "cem-shares" }, ...rows)));
  }
}

function card(title, hint) {
  const row = node("div", { class: "cem-view-row" });
  const made = node("section", { class: "cem-digit-card" }, node("h3", { text: title }), node("p", { class: "cem-digit-hint", text: hint }), row);
  return { made, row };
}

function transport(made, title) {
  const ui = {
    play: node("button", { type: "button", class: "cem-start-play", text: "Play", "aria-label": "Play" }),
    scrub: node("input", { type: "range", min: "0", value: "0", class: "cem-start-scrub", "aria-label": title }),
    count: node("output", { class: "cem-start-count" }),
  };
  made.append(node("div", { class: "cem-start-bar" }, ui.play, ui.scrub, ui.count));
  return new Transport(ui);
}

export function mount(element, props, watch) {
  const root = element.querySelector("#cem-digit");
  let films = [];
  let token = 0;

  async function draw() {
    const mine = (token += 1);
    if (!props.value) return;
    const data = JSON.parse(props.value);
    const first = card("What they see", data.told.see);
    answers(first.row, data);
    const cards = [first.made];
    const next = [];
    for (const [k, { view, title, hint }] of CARDS.entries()) {
      const { made, row } = card(title, hint || data.told.become);
      row.classList.add(`cem-view-${view}`);
      const film = transport(made, title);
      film.load(await VIEWS[view](row, data, null), films[k]?.frame); // where someone looked, as the picture changes
      next.push(film);
      cards.push(made);
    }
    if (mine !== token) return;
    for (const film of films) film.pause();
    films = next;
    root.replaceChildren(...cards);
    document.body.dataset.pad = data.drawn ? "drawn" : "none"; // without one, the picture is the selection's
    const newest = data.number >= Number(root.dataset.asked ?? 0); // else the pad holds something newer by now
    root.classList.toggle("cem-old", !newest);
    if (newest) document.dispatchEvent(new CustomEvent("cemviz-answered"));
    root.dataset.ready = token;
    films[2].begin();
  }
  document.addEventListener("cemviz-pause", () => films.forEach((film) => film.pause()));
  watch("value", draw);
  draw();
}
