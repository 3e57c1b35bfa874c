// Links of the page act in place: their address becomes the page's, and the server sets what it names. So do Back and Forward.
// A tour keeps its own place in the address (see start.js), and is left alone here.
const OWN = ["tour", "said", "__theme"];
const rest = (search) => {
  const params = new URLSearchParams(search);
  for (const name of OWN) params.delete(name);
  params.sort();
  return params.toString();
};

let shown = rest(location.search);

function follow() {
  const asked = rest(location.search);
  if (asked === shown) return;
  shown = asked;
  document.dispatchEvent(new CustomEvent("cemviz-pause"));
  trigger("select", { query: Object.fromEntries(new URLSearchParams(location.search)) });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='?']");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  shown = null; // a link to where one is sets everything again
  follow();
  document.querySelector("#tabs [role=tablist]")?.scrollIntoView({ block: "start" }); // #tabs itself has no box
});
addEventListener("popstate", follow);
document.addEventListener("cemviz-address", () => (shown = rest(location.search))); // written by the page itself
