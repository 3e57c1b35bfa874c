// The first tab: the opening, then the stations of the tour. Made before the page around it is there, and moved into its tab
// once that is; nothing here asks the server for anything but the file with the stations' pictures.
import { clamp, node } from "../js/draw.js";
import { Transport } from "../js/transport.js";
import { VIEWS } from "./views.js";

const held = (id) => JSON.parse(document.getElementById(id).textContent);
const opening = held("cem-opening");
const words = held("cem-tour"); // words[0] is the opening; then the stations, see words.py

let fetched = null;
const stations = () => (fetched ??= fetch(document.getElementById("cem-tour").dataset.src).then((answer) => answer.json()));

// --------------------------------------------------------------------------------------------------------------- elements

const button = (name, text, label) => node("button", { type: "button", class: `cem-start-${name}`, "aria-label": label, text });
const ui = {
  place: node("p", { class: "cem-start-place" }),
  title: node("h2", { tabindex: "-1" }),
  lead: node("p", { class: "cem-start-lead" }),
  stage: node("div", { class: "cem-start-stage" }),
  back: button("back", "‹ Back", "Back"),
  play: button("play", "Play", "Play"),
  scrub: node("input", { type: "range", min: "0", value: "0", "aria-label": "frame", class: "cem-start-scrub" }),
  count: node("output", { class: "cem-start-count" }),
  next: button("next", "Next ›", "Next"),
  question: node("div", { class: "cem-start-question" }),
  told: node("p", { class: "cem-start-told", "aria-live": "polite" }),
};
const bar = node("div", { class: "cem-start-bar", role: "group", "aria-label": "tour" });
bar.append(ui.back, ui.play, ui.scrub, ui.count, ui.next);
const root = node("section", { id: "cem-start", "aria-label": "Start: a tour" });
root.append(ui.place, ui.title, ui.lead, ui.stage, bar, ui.question, ui.told);

// ------------------------------------------------------------------------------------------------------------------ state

const asked = new URLSearchParams(location.search);
let at = clamp(Math.trunc(Number(asked.get("tour"))) || 0, 0, words.length - 1);
let said = words.map((_, i) => {
  const answer = (asked.get("said") ?? "").split("-")[i - 1];
  return /^\d$/.test(answer) && Number(answer) < words[i].answers.length ? Number(answer) : null;
});
let token = 0; // of the station being shown: what arrives for an older one is dropped

function address(push) {
  const url = new URL(location);
  const answers = said.slice(1).map((answer) => answer ?? "").join("-");
  if (at) url.searchParams.set("tour", at);
  else url.searchParams.delete("tour");
  if (/\d/.test(answers)) url.searchParams.set("said", answers);
  else url.searchParams.delete("said");
  history[push ? "pushState" : "replaceState"](history.state, "", url);
}

const film = new Transport(ui);

// ---------------------------------------------------------------------------------------------------------------- stations

const NEXT = (station) => {
  if (station === 0) return ["Why? Take the tour ›", "Why? Take the tour"];
  return station < words.length - 1 ? ["Next ›", "Next station"] : ["Draw your own digit ›", "Draw your own digit"];
};
const own = root.appendChild(node("a", { href: "?tab=digit", hidden: "", text: "Your digit" })); // where the tour ends

async function enter(station, { push = false, focus = false } = {}) {
  film.pause();
  at = station;
  const mine = (token += 1);
  const row = words[at];
  ui.place.textContent = at ? `Station ${at} of ${words.length - 1}` : "";
  ui.title.textContent = row.title;
  ui.lead.innerHTML = row.lead;
  ui.back.disabled = at === 0;
  const [text, label] = NEXT(at);
  ui.next.textContent = text;
  ui.next.setAttribute("aria-label", label);
  ask(row);
  if (push) address(true);
  const host = node("div", { class: `cem-view-row cem-view-${row.view}` });
  let made;
  try {
    made = await VIEWS[row.view](host, at ? await stations() : null, opening);
  } catch (error) {
    fetched = null; // asked for again by the next press
    if (mine === token) ui.stage.replaceChildren(node("p", { text: `This station did not arrive (${error.message}). Press Next or Back to try again.` }));
    return;
  }
  if (mine !== token) return;
  ui.stage.replaceChildren(host);
  film.load(made);
  root.dataset.station = at;
  if (focus) ui.title.focus({ preventScroll: true });
  if (!row.answers.length || said[at] !== null) film.begin();
  root.dataset.ready = at; // for who waits until it is painted
}

function ask(row) {
  ui.question.replaceChildren();
  ui.told.replaceChildren();
  if (!row.answers.length) {
    ui.told.innerHTML = row.reveal;
    return;
  }
  ui.question.append(node("p", { text: row.question }));
  const choices = node("div", { class: "cem-start-answers", role: "group", "aria-label": row.question });
  row.answers.forEach((text, i) => {
    const choice = node("button", { type: "button", text, "aria-pressed": String(said[at] === i) });
    choice.addEventListener("click", () => answer(row, i));
    choices.append(choice);
  });
  ui.question.append(choices);
  if (said[at] !== null) reveal(row);
}

function answer(row, i) {
  said[at] = i;
  address(false);
  reveal(row);
  film.begin();
}

function reveal(row) {
  [...ui.question.querySelectorAll("button")].forEach((choice, i) => {
    choice.setAttribute("aria-pressed", String(said[at] === i));
    choice.classList.toggle("cem-right", i === row.right);
    choice.classList.toggle("cem-not", i === said[at] && i !== row.right);
  });
  const verdict = said[at] === row.right ? "Yes." : `Not quite: “${row.answers[row.right]}”.`;
  ui.told.innerHTML = `<strong>${verdict}</strong> ${row.reveal}`;
}

const go = (station) => station >= 0 && station < words.length && enter(station, { push: true, focus: true });
ui.back.addEventListener("click", () => go(at - 1));
ui.next.addEventListener("click", () => (at < words.length - 1 ? go(at + 1) : own.click()));
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target === ui.scrub) return;
  const inside = root.contains(event.target);
  const nowhere = event.target === document.body && root.offsetParent !== null; // nothing was focused yet: arrows are the tour's
  if (event.key === "ArrowRight" && (inside || nowhere)) go(at + 1);
  else if (event.key === "ArrowLeft" && (inside || nowhere)) go(at - 1);
  else if (event.key === " " && inside && event.target.tagName !== "BUTTON") film.toggle();
  else return;
  event.preventDefault();
});
addEventListener("popstate", () => {
  const station = clamp(Math.trunc(Number(new URLSearchParams(location.search).get("tour"))) || 0, 0, words.length - 1);
  if (station !== at) enter(station);
});
document.addEventListener("cemviz-pause", () => film.pause());

// ------------------------------------------------------------------------------------------------------- its place on the page

const opens = (asked.get("tab") ?? "start") === "start";
if (!document.body) await new Promise((resolve) => addEventListener("DOMContentLoaded", resolve));
if (opens) {
  root.classList.add("cem-early");
  document.body.prepend(root);
}
const settle = () => {
  const place = document.getElementById("start-place");
  if (!place || place.contains(root)) return;
  root.classList.remove("cem-early");
  place.append(root);
};
new MutationObserver(settle).observe(document.documentElement, { childList: true, subtree: true });
settle();
enter(at);
if (opens) requestIdleCallback?.(() => stations()); // the next station is here before it is asked for
