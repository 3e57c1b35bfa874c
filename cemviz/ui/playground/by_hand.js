// The game changed by hand: a press on a button, and p_data is painted on the plane, or p0 dragged over it.
import { node } from "../js/draw.js";
import { Brush } from "./brush.js";
import { Grips } from "./grips.js";

const DRAG = "Drag its middle or its edge, or use arrow keys on either.";

/**
 * @param root the view, whose `data-hand` says what the pointer does: paint, drag or look; face: what the grips lie on;
 * redraw: draws the picture again; say: a line for the visitor; trigger: sends what was done, `apply` a painting, `release` a p0.
 * @returns tools: elements; take: how p_data and p0 lie in the game; draw: as the plane's, with what is being done.
 */
export function byHand({ root, face, plane, redraw, say, trigger }) {
  const { canvas } = plane;
  const image = { role: canvas.getAttribute("role"), "aria-label": canvas.getAttribute("aria-label") };
  const brush = new Brush(canvas, (event) => plane.inside(event), redraw, say, (painting) => trigger("apply", { painting }));
  const grips = new Grips(face, plane, redraw, ({ x, y, size }) => trigger("release", { x, y, size }));
  const button = (text) => node("button", { type: "button", text, "aria-pressed": "false" });
  const buttons = { paint: button("Paint p_data"), drag: button("Drag p₀") };
  const modes = node("div", { class: "cem-plane-modes", role: "group", "aria-label": "by hand" }, ...Object.values(buttons));
  const hint = node("p", { class: "cem-plane-hint", hidden: "", text: DRAG });

  function choose(mode) {
    root.dataset.hand = mode;
    for (const [name, part] of Object.entries(buttons)) part.setAttribute("aria-pressed", name === mode);
    for (const [name, value] of Object.entries(image)) canvas.setAttribute(name, value);
    brush.set(mode === "paint");
    grips.set(mode === "drag");
    hint.hidden = mode !== "drag";
    redraw();
  }
  for (const [name, part] of Object.entries(buttons)) {
    part.addEventListener("click", () => choose(root.dataset.hand === name ? "look" : name));
  }
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || root.dataset.hand === "look") return;
    buttons[root.dataset.hand].focus();
    choose("look");
  });
  root.dataset.hand = "look";

  return {
    tools: [brush.tools, hint, modes],
    take({ painting, p0 }) {
      brush.take(painting);
      grips.take(p0);
    },
    draw(picture, layers, field, dark, scene) {
      const start = grips.starts(picture.start);
      const seen = start ? layers.filter((name) => name !== "paths" && name !== "moved") : layers; // those led from where it was
      plane.draw(start ? { ...picture, start } : picture, seen, field, dark, scene, brush.on ? brush : null);
      grips.draw();
    },
  };
}
