// The first stop of the Tab key: past tabs and selection, to the button that the open tab is for.
addEventListener("DOMContentLoaded", () => {
  const GOALS = ".cem-start-next, #cem-pad canvas, [role=tabpanel] button.primary, [role=tabpanel] :is(input, button, a[href])";
  const link = document.createElement("a");
  Object.assign(link, { href: "#tabs", className: "cem-skip", textContent: "Skip to what this tab does" });
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const seen = [...document.querySelectorAll(GOALS)].filter((goal) => goal.offsetParent !== null && !goal.disabled);
    const goal = seen.find((one) => one.matches(".cem-start-next, #cem-pad canvas, button.primary")) ?? seen[0];
    goal?.focus();
  });
  document.body.prepend(link);
});
