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
const STATUS = ["samp-status", "land-status", "train-status", "rob-status", "rob-reading", "notice"];
new MutationObserver(() => {
  for (const id of STATUS) {
    const line = document.getElementById(id);
    if (line && !line.role) line.role = "status";
  }
}).observe(document.documentElement, { childList: true, subtree: true });
