// Painting p_data on the plane: a brush and an eraser for pointer, touch and keys.
import { clamp, node, plain } from "../js/draw.js";
import { BOX } from "./frame.js";
import { CELL, depthsOf, lettersOf, Painting } from "./painting.js";

const HOW = "Paint p_data: arrow keys move the brush, space paints, Backspace erases";
const PAINT = [" ", "Backspace", "Delete"]; // keys; all but the first erase
const EMPTY = "Nothing is painted: p_data stays as it was.";

/**
 * @param canvas of the plane; it takes the pointer and, while it is painted on, the keys.
 * @param place event -> {x, y} in the box, or null; redraw: what is painted has changed; say: a line for the visitor;
 * send: the letters of a painting that is done for now.
 */
export class Brush {
  painting = new Painting();
  at = null; // where the brush is, in the box
  on = false;
  #erase = false;
  #stroke = null; // the one under way: {last: where it has come to, erase}
  #awaited = null; // letters that the server is to send back; until then what stands here is newer than what comes

  constructor(canvas, place, redraw, say, send) {
    Object.assign(this, { canvas, redraw, say, send });
    const button = (text, pressed) => node("button", { type: "button", text, ...(pressed !== undefined && { "aria-pressed": pressed }) });
    const [brush, eraser, clear] = [button("Brush", "true"), button("Eraser", "false"), button("Clear")];
    this.tools = node("div", { class: "cem-plane-tools", role: "group", "aria-label": "brush", hidden: "" }, brush, eraser, clear);
    const choose = (erase) => {
      this.#erase = erase;
      brush.setAttribute("aria-pressed", !erase);
      eraser.setAttribute("aria-pressed", erase);
    };
    brush.addEventListener("click", () => choose(false));
    eraser.addEventListener("click", () => choose(true));
    clear.addEventListener("click", () => {
      this.painting.clear();
      this.#done();
    });
    canvas.addEventListener("pointerdown", (event) => {
      const at = this.on && !event.button && place(event);
      if (!at) return;
      canvas.setPointerCapture(event.pointerId);
      this.#begin(at, this.#erase);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.on) return;
      this.at = place(event);
      if (this.#stroke && this.at) this.#on(this.at);
      this.redraw();
    });
    for (const end of ["pointerup", "pointercancel", "blur"]) canvas.addEventListener(end, () => this.#stroke && this.#done());
    canvas.addEventListener("pointerleave", () => {
      this.at = null;
      if (this.on) this.redraw();
    });
    canvas.addEventListener("keydown", (event) => this.on && this.#key(event));
    canvas.addEventListener("keyup", ({ key }) => this.#stroke && PAINT.includes(key) && this.#done());
  }

  /** Paint from now on, or no more. */
  set(on) {
    this.on = on;
    this.tools.hidden = !on;
    if (on) for (const [name, value] of [["tabindex", "0"], ["role", "application"], ["aria-label", HOW]]) this.canvas.setAttribute(name, value); // prettier-ignore
    else this.canvas.removeAttribute("tabindex");
    this.at = null;
  }

  /** What is painted by now, as the server has it; null of a p_data that is not painted. */
  take(letters) {
    if (this.#awaited !== null) {
      if (letters === this.#awaited) this.#awaited = null;
      return;
    }
    this.painting.depths = depthsOf(letters);
  }

  #begin(at, erase) {
    this.#awaited = ""; // of no painting: whatever comes is older
    this.painting.begin();
    this.#stroke = { last: at, erase };
    this.#on(at);
  }

  #on(at) {
    this.painting.stroke(this.#stroke.last, at, this.#stroke.erase);
    this.#stroke.last = this.at = at;
    this.redraw();
  }

  #done() {
    this.#stroke = null;
    this.redraw();
    this.#awaited = this.painting.empty ? null : lettersOf(this.painting.depths);
    if (this.painting.empty) this.say(EMPTY);
    else this.send(this.#awaited);
  }

  #key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (!(PAINT.includes(event.key) || event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const end = BOX - CELL / 2;
    this.at ??= { x: CELL / 2, y: CELL / 2 };
    if (event.key in moves) {
      const [across, up] = moves[event.key];
      this.at = { x: clamp(this.at.x + across * CELL, -end, end), y: clamp(this.at.y + up * CELL, -end, end) };
      if (this.#stroke) this.#on(this.at); // the key is held: it paints on the way
      this.redraw();
    } else if (!event.repeat) this.#begin(this.at, this.#erase || event.key !== " ");
    this.say(`Brush at (${plain(this.at.x, 2)}, ${plain(this.at.y, 2)})`);
  }
}
