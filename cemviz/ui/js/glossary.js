// A symbol tells its meaning where the pointer rests on it, where the focus is, or where it is tapped.
{
  const note = document.createElement("div");
  note.id = "cem-meaning";
  note.role = "tooltip";
  note.hidden = true;
  let owner = null;

  const show = (symbol) => {
    if (!note.isConnected) document.body.append(note);
    owner?.removeAttribute("aria-describedby");
    owner = symbol;
    owner.setAttribute("aria-describedby", note.id);
    note.textContent = symbol.dataset.meaning;
    note.hidden = false;
    const place = symbol.getBoundingClientRect();
    const width = note.offsetWidth;
    const left = Math.min(Math.max(place.left + place.width / 2 - width / 2, 8), document.documentElement.clientWidth - width - 8);
    const below = place.bottom + 8 + note.offsetHeight < innerHeight;
    note.style.left = `${left + scrollX}px`;
    note.style.top = `${(below ? place.bottom + 8 : place.top - note.offsetHeight - 8) + scrollY}px`;
  };
  const hide = () => {
    owner?.removeAttribute("aria-describedby");
    owner = null;
    note.hidden = true;
  };

  const symbolOf = (event) => event.target.closest?.(".cem-symbol");
  for (const [name, react] of [
    ["pointerover", (symbol) => symbol && show(symbol)],
    ["pointerout", (symbol) => symbol && symbol !== document.activeElement && hide()],
    ["focusin", (symbol) => (symbol ? show(symbol) : hide())],
    ["click", (symbol) => (symbol ? show(symbol) : hide())],
  ]) document.addEventListener(name, (event) => react(symbolOf(event)));
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());

  // Labels of controls and titles of curves tell the first symbol that they hold: "α step", "D, the net's share for data".
  const NAMES = "[data-testid='block-info'], .cem-chart-title, figure:has(> .cem-restore-curve) > figcaption";
  const meanings = JSON.parse(document.getElementById("cem-glossary").textContent);
  const label = (name) => {
    name.dataset.read = "";
    const symbol = name.textContent.split(/[\s:,;()]+/).find((word) => Object.hasOwn(meanings, word));
    if (!symbol) return;
    name.dataset.meaning = meanings[symbol];
    name.classList.add("cem-symbol");
    name.tabIndex = 0;
  };
  new MutationObserver(() => {
    for (const name of document.querySelectorAll(`:is(${NAMES}):not([data-read])`)) label(name);
  }).observe(document.documentElement, { childList: true, subtree: true });
}
