// Runs once per page, from the head. Nothing may go on playing in a tab that nobody looks at: views listen for `cemviz-pause`;
// a server-side loop is stopped by its own pause button, marked with the class `pause-when-hidden`. What was asked for, samples
// or panels, goes on: it is there when the visitor comes back.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return;
  document.dispatchEvent(new CustomEvent("cemviz-pause"));
  for (const button of document.querySelectorAll("button.pause-when-hidden, .pause-when-hidden button")) {
    if (button.offsetParent !== null && !button.disabled) button.click();
  }
});

// Lines that say how a run stands are announced, politely; the playground's changes many times a second and stays silent.
const STATUS = ["samp-status", "land-status", "train-status", "rob-status", "rob-reading", "lab-status", "detect-status", "notice"];
new MutationObserver(() => {
  for (const id of STATUS) {
    const line = document.getElementById(id);
    if (line && !line.role) line.role = "status";
  }
}).observe(document.documentElement, { childList: true, subtree: true });

// A menu of gradio's opens at any key, a moment later: at Tab, too, when its leaving has closed it already.
document.documentElement.addEventListener("keydown", (event) => {
  const silent = ["Tab", "Shift", "Control", "Alt", "Meta"].includes(event.key);
  if (silent && event.target.role === "combobox") event.stopImmediatePropagation();
}, true); // prettier-ignore

// The address says what is shown. A control whose picture is dear, which a button makes, is written when it was made: until then
// the picture is stale, and marked so. `DEAR` says of a tab with such a picture where it stands, and which names
// of the address count for it: its own, and those of the selection while it is open.
{
  const MEASURED = /^r\.(models|attacks|norm|radius|count|seed|curve)$/;
  const DEAR = {
    sampling: { stage: "samp-stage", counts: (name, open) => name.startsWith("s.") || (open && /^(a|b|x|y|seed)$/.test(name)) },
    lab: {
      stage: "lab-stage", // a board that ships is there at once; others are swept when asked for
      counts: (name, open) =>
        (name.startsWith("k.") && name !== "k.by") ||
        (open && (/^(a|seed)$/.test(name) || (waiting["lab-stage"]?.a !== undefined && /^[bxy]$/.test(name)))), // what follows net A
    },
    robustness: {
      stage: "rob-stage", // shipped numbers stand at once; those of this machine are measured
      counts: (name, _, text) =>
        name === "r.from" ? text === "here" : MEASURED.test(name) && document.getElementById("rob-count")?.offsetParent,
    },
  };
  // only one of the starts looks at the selection's picture, and one of the sources of attacked images; a class that is asked for
  // stands for several
  const LOOKED_AT = { "s.start": "start", "r.images": "source", y: "label" };
  const PLACE = /\.story$|^re\.task$|^r\.table$/;
  const waiting = {}; // stage -> name -> text
  const shown = {}; // name -> text in the address, where this page wrote it

  const write = (entries) => {
    const address = new URL(location);
    // another story, task or table is another place, which Back leaves; not where the address asked for it, or the page begins
    const place = entries.some(([name, { text, standard }]) =>
      PLACE.test(name) && (standard !== null || name in shown) && (address.searchParams.get(name) ?? standard) !== text);
    for (const [name, { text, standard, older }] of entries) {
      const first = !(name in shown);
      shown[name] = text;
      for (const old of older) address.searchParams.delete(old);
      if (text === standard || (first && text === "")) address.searchParams.delete(name);
      else address.searchParams.set(name, text);
    }
    history[place ? "pushState" : "replaceState"](history.state, "", address);
    document.dispatchEvent(new CustomEvent("cemviz-address"));
  };

  const stageOf = (name, text) => {
    const open = document.querySelector("button[role=tab][aria-selected=true]")?.dataset.tabId;
    return Object.entries(DEAR).find(([tab, { counts }]) => counts(name, tab === open, text))?.[1].stage;
  };

  window.cemvizAddress = (name, text, standard, older) => {
    if (name in LOOKED_AT) document.body.dataset[LOOKED_AT[name]] = text;
    const stage = stageOf(name, text);
    if (!stage || text === null) { // a menu that the server emptied asks for nothing
      delete waiting[stage]?.[name];
      write([[name, { text, standard, older }]]);
      return;
    }
    waiting[stage] ??= {};
    if (shown[name] === text) delete waiting[stage][name];
    else waiting[stage][name] = { text, standard, older };
    document.getElementById(stage)?.classList.toggle("cem-stale", Object.keys(waiting[stage]).length > 0);
    if (name.endsWith(".story") && name in waiting[stage]) document.dispatchEvent(new CustomEvent("cemviz-asked", { detail: stage }));
  };

  document.addEventListener("cemviz-drawn", (event) => {
    for (const { stage } of Object.values(DEAR)) {
      const place = document.getElementById(stage);
      if (!place?.contains(event.target)) continue;
      place.classList.remove("cem-stale");
      write(Object.entries(waiting[stage] ?? {}));
      waiting[stage] = {};
    }
  });
}

// A press is answered at once, before the server has heard of it: the stage says that it is at work until its picture is there,
// or until the line below it says why there is none.
{
  // stage -> the line below it; button -> its stage
  const LINES = { "samp-stage": "samp-status", "rob-stage": "rob-status", "rob-look": "rob-reading", "lab-stage": "lab-status" };
  const BUTTONS = { "samp-run": "samp-stage", "rob-run": "rob-stage", "rob-look-run": "rob-look", "lab-run": "lab-stage" };
  const busy = (stage) => {
    const [place, line] = [document.getElementById(stage), document.getElementById(LINES[stage])];
    if (!place || !line) return;
    place.classList.add("cem-busy");
    const refused = () => document.querySelector("[data-testid='toast-body'].error") !== null;
    const look = new MutationObserver(() => (/Nothing was|Stopped/.test(line.textContent) || refused()) && done());
    const done = () => {
      place.classList.remove("cem-busy");
      look.disconnect();
      place.removeEventListener("cemviz-drawn", done);
    };
    place.addEventListener("cemviz-drawn", done);
    look.observe(document.body, { childList: true, subtree: true, characterData: true });
  };
  document.addEventListener("click", (event) => {
    const stage = BUTTONS[event.target.closest?.("button")?.id];
    if (stage) busy(stage);
  });
  document.addEventListener("cemviz-asked", (event) => busy(event.detail)); // a story is drawn without a press
}

// A tab that draws by itself says that it is at work from the change on, until the last of its runs has ended.
{
  const STAGES = { digit: "digit-stage", landscape: "land-stage", restore: "restore-stage", detect: "detect-stage" };
  const SOON = 300; // ms in which the next of a chain of events begins
  const runs = {}; // tab -> how many are at work
  let asked = null;
  window.cemvizRuns = (tab, more) => {
    const stage = document.getElementById(STAGES[tab]);
    if (!stage) return;
    runs[tab] = Math.max((runs[tab] ?? 0) + more, 0);
    if (runs[tab]) stage.classList.add("cem-busy");
    else setTimeout(() => runs[tab] || stage.classList.remove("cem-busy"), SOON);
  };
  // what the selection says is heard by the tab that is open
  window.cemvizAsked = (more) => {
    if (more > 0) asked = document.querySelector("button[role=tab][aria-selected=true]")?.dataset.tabId ?? null;
    window.cemvizRuns(asked, more);
  };
  document.addEventListener("click", (event) => {
    const stage = event.target.closest?.("#land-stop") && "landscape"; // a run that is cancelled tells of no end
    if (stage) window.cemvizRuns(stage, -Infinity);
  });
}

// Tables that a run fills tell of it as the views do: once their words are others, since gradio touches them for less.
{
  const told = {}; // id -> words
  new MutationObserver(() => {
    for (const id of ["rob-rates", "rob-grid"]) {
      const place = document.getElementById(id);
      const words = [...(place?.querySelectorAll("table, article") ?? [])].map((part) => part.textContent).join();
      if (words === (told[id] ?? "")) continue;
      told[id] = words;
      place.dispatchEvent(new CustomEvent("cemviz-drawn", { bubbles: true }));
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
}
