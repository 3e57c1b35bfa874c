// A page for a class. A teacher's link asks one question, hides what would distract, and writes large; the panel at the foot of
// the page makes such a link of what is shown. All of it stands in the address, and none of it reaches the server:
//   hide=tabs,controls   ask=TEXT   large=1
{
  const HIDDEN = { tabs: "the other tabs", controls: "the settings" };
  const LONGEST = 200; // letters of a question
  const asked = new URLSearchParams(location.search);

  const apply = () => {
    for (const name of (asked.get("hide") ?? "").split(",")) {
      if (name in HIDDEN) document.documentElement.classList.add(`cem-hide-${name}`);
    }
    document.documentElement.classList.toggle("cem-large", asked.get("large") === "1");
  };
  apply();

  const make = (tag, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  };

  // A question is a stranger's text: shown as text, in quotes, and said to come with the link.
  const question = (asked.get("ask") ?? "").trim().slice(0, LONGEST);
  const note = make("p", { id: "cem-asked" }, make("span", { textContent: "Asked by this link:" }), ` “${question}”`);

  function link(box) {
    const address = new URL(location);
    for (const name of ["hide", "ask", "large", "said"]) address.searchParams.delete(name); // nor what the teacher answered
    const hidden = Object.keys(HIDDEN).filter((name) => box.querySelector(`[name=${name}]`).checked);
    const text = box.querySelector("[name=ask]").value.trim();
    if (hidden.length) address.searchParams.set("hide", hidden.join(","));
    if (text) address.searchParams.set("ask", text.slice(0, LONGEST));
    if (box.querySelector("[name=large]").checked) address.searchParams.set("large", "1");
    return address.href;
  }

  function panel() {
    const tick = (name, text) => make("label", {}, make("input", { type: "checkbox", name }), ` ${text}`);
    const ask = make("input", { type: "text", name: "ask", maxLength: LONGEST, placeholder: "Which of the two is sure of it?" });
    const made = make("output", { className: "cem-class-link" });
    const copy = make("button", { type: "button", textContent: "Copy" });
    const full = make("button", { type: "button", textContent: "Full screen" });
    const box = make("details", { id: "cem-class" },
      make("summary", { textContent: "For a class: a link with one question" }),
      make("div", {},
        make("label", {}, "question ", ask),
        ...Object.entries(HIDDEN).map(([name, text]) => tick(name, `hide ${text}`)),
        tick("large", "large type"), made, copy, full)); // prettier-ignore
    const update = () => (made.textContent = link(box));
    box.addEventListener("input", update);
    box.addEventListener("toggle", update);
    document.addEventListener("cemviz-address", update);
    copy.addEventListener("click", async () => {
      await navigator.clipboard?.writeText(made.textContent);
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), 1500);
    });
    full.addEventListener("click", () =>
      document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
    return box;
  }

  const place = () => {
    const foot = document.getElementById("foot");
    if (foot && !document.getElementById("cem-class")) foot.append(panel());
    const head = document.getElementById("intro");
    if (question && head && !note.isConnected) head.after(note);
  };
  new MutationObserver(place).observe(document.documentElement, { childList: true, subtree: true });
}
