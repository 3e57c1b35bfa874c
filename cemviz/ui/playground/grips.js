// p0 by hand: a grip on its middle moves it, one on its edge makes it larger or smaller, by pointer, touch or arrow keys.
import { clamp, node, plain } from "../js/draw.js";
import { BOX } from "./frame.js";

const STEP = 0.1; // of an arrow key, in units of the plane; with shift five times as much

/** The nearest place that p0 may have: its middle in the box, as large as asked for where the box has room. */
export function fitted({ x, y, size }, { reach, least }) {
  const end = BOX - least * reach;
  const [u, v] = [clamp(x, -end, end), clamp(y, -end, end)];
  return { x: u, y: v, size: clamp(size, least, (BOX - Math.max(Math.abs(u), Math.abs(v))) / reach) };
}

/** Points that lay about one place, about another. */
export function carried(points, from, to) {
  const scale = to.size / from.size;
  return points.map((value, k) => (k % 2 ? to.y + scale * (value - from.y) : to.x + scale * (value - from.x)));
}

export class Grips {
  on = false;
  #home = null; // where p0 is in the game: {x, y, size, reach, least}
  #here = null; // where it was dragged to, before the server knows
  #drag = null;

  /** @param face element that the grips lie on, above the canvas; changed: p0 moved; done: {x, y, size} to be played from. */
  constructor(face, plane, changed, done) {
    Object.assign(this, { plane, changed, done });
    this.middle = node("button", { type: "button", class: "cem-grip", hidden: "" });
    this.edge = node("button", { type: "button", class: "cem-grip cem-grip-edge", hidden: "" });
    this.frame = node("div", { class: "cem-grip-frame", hidden: "" });
    face.append(this.frame, this.middle, this.edge);
    this.#hold(this.middle, (at, from) => ({ ...from, x: at.x, y: at.y }));
    this.#hold(this.edge, (at, from) => ({ ...from, size: (at.x - from.x) / this.#home.reach }));
    this.#keys(this.middle, (x, y, from) => ({ ...from, x: from.x + x, y: from.y + y }));
    this.#keys(this.edge, (x, y, from) => ({ ...from, size: from.size + (x + y) / this.#home.reach }));
  }

  set(on) {
    this.on = on;
    this.draw();
  }

  /** Where p0 is in the game. */
  take(home) {
    if (this.#drag) return;
    this.#home = home;
    this.#here = null;
    this.draw();
  }

  /** The crosses while p0 is dragged, before they are drawn anew; null where it is not. */
  starts(points) {
    return this.#here && carried(points, this.#home, this.#here);
  }

  draw() {
    const { middle, edge, frame, plane } = this;
    const shown = this.on && this.#home && plane.inner > 0;
    for (const part of [middle, edge, frame]) part.hidden = !shown;
    if (!shown) return;
    const { x, y, size } = this.#here ?? this.#home;
    const reach = size * this.#home.reach;
    const put = (part, u, v) => Object.assign(part.style, { left: `${plane.x(u)}px`, top: `${plane.y(v)}px` });
    put(middle, x, y);
    put(edge, x + reach, y);
    put(frame, x - reach, y + reach);
    frame.style.width = frame.style.height = `${plane.x(reach) - plane.x(-reach)}px`;
    middle.setAttribute("aria-label", `middle of p₀ at (${plain(x, 2)}, ${plain(y, 2)}): arrow keys move it`);
    edge.setAttribute("aria-label", `edge of p₀, ${plain(reach, 2)} from its middle: arrow keys make it larger or smaller`);
  }

  #to(asked) {
    this.#here = fitted(asked, this.#home);
    this.draw();
    this.changed(this.#here);
  }

  #hold(grip, moved) {
    grip.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      grip.setPointerCapture(event.pointerId);
      const { x, y, size } = this.#here ?? this.#home;
      this.#drag = { from: { x, y, size }, moved: false };
    });
    grip.addEventListener("pointermove", (event) => {
      if (!this.#drag) return;
      const at = this.plane.place(event);
      this.#drag.moved = true;
      this.#to(moved(at, this.#drag.from));
    });
    grip.addEventListener("pointerup", () => this.#end(true));
    grip.addEventListener("pointercancel", () => this.#end(false));
  }

  #end(kept) {
    const moved = this.#drag?.moved;
    this.#drag = null;
    if (!moved) return;
    if (kept) this.done(this.#here);
    else {
      this.#here = null;
      this.draw();
      this.changed(null);
    }
  }

  #keys(grip, moved) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const arrow = ({ key, altKey, ctrlKey, metaKey }) => (altKey || ctrlKey || metaKey ? undefined : arrows[key]);
    grip.addEventListener("keydown", (event) => {
      const along = arrow(event);
      if (!along) return;
      event.preventDefault();
      const step = event.shiftKey ? 5 * STEP : STEP;
      const { x, y, size } = this.#here ?? this.#home;
      this.#to(moved(along[0] * step, along[1] * step, { x, y, size }));
    });
    grip.addEventListener("keyup", (event) => arrow(event) && this.#here && this.done(this.#here));
  }
}
