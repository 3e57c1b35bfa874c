// The link to Sampling, where the picture becomes a class that is chosen here.
import { node } from "../js/draw.js";

export function mount(element, props, watch) {
  const root = element.querySelector("#cem-become");

  function draw() {
    root.replaceChildren();
    if (!props.value) return;
    const { href, first, classes } = JSON.parse(props.value);
    const link = node("a", { class: "cem-start-link", text: "Counterfactuals in Sampling" });
    const menu = node("select", {}, ...classes.map((name) => node("option", name === first ? { selected: "" } : {}, name)));
    const aim = () => link.setAttribute("href", `${href}&y=${encodeURIComponent(menu.value)}`);
    menu.addEventListener("change", aim);
    aim();
    root.append(node("label", {}, "What would make it a ", menu), node("span", { text: "to the net a class, and to the adversarial classifier:" }), link);
  }
  watch("value", draw);
  draw();
}
