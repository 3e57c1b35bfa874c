// Runs once per page, from the head. Nothing may go on playing or computing in a tab that nobody looks at:
// views listen for `cemviz-pause`; a server-side loop is stopped by its own pause button, marked with the class
// `pause-when-hidden`.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return;
  document.dispatchEvent(new CustomEvent("cemviz-pause"));
  for (const button of document.querySelectorAll("button.pause-when-hidden, .pause-when-hidden button")) {
    if (button.offsetParent !== null && !button.disabled) button.click();
  }
});
