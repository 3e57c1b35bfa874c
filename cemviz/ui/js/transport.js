// Play, pause and scrub through the frames of a view: {frames, show(k), label(k), interval?, rest?(k)}; `rest` is told where
// someone has come to look.
import { clamp, due } from "./draw.js";

const INTERVAL = 220; // ms a frame, where a view names none
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Transport {
  #view = null;
  #frame = 0;
  #clock = 0;

  /** @param ui elements: {play: a button, scrub: a range, count: where the frame is named}, and the button's two names */
  constructor(ui) {
    this.ui = ui;
    ui.play.addEventListener("click", () => this.toggle());
    ui.scrub.addEventListener("input", () => {
      this.pause();
      this.show(Number(ui.scrub.value));
    });
    ui.scrub.addEventListener("change", () => this.#rest());
  }

  /** Another view, at frame `at`; else at its first, or, for who wants no motion, at the last, where it leads. */
  load(view, at) {
    this.pause();
    this.#view = view;
    this.ui.scrub.max = view.frames - 1;
    this.show(at ?? (still.matches ? view.frames - 1 : 0));
  }

  get frame() {
    return this.#frame;
  }

  show(k) {
    const { ui } = this;
    this.#frame = clamp(k, 0, this.#view.frames - 1);
    this.#view.show(this.#frame);
    ui.scrub.value = this.#frame;
    ui.count.textContent = this.#view.label(this.#frame);
    ui.scrub.setAttribute("aria-valuetext", ui.count.textContent);
  }

  /** Play from the first frame on; without motion, show the last. */
  begin() {
    if (!this.#view) return;
    this.pause();
    if (still.matches) this.show(this.#view.frames - 1);
    else {
      this.show(0);
      this.play();
    }
  }

  play() {
    if (!this.#view || this.#clock) return;
    if (this.#frame === this.#view.frames - 1) this.show(0);
    const [view, from, began] = [this.#view, this.#frame, performance.now()];
    const turn = (now) => {
      const next = due(from, now - began, view.interval ?? INTERVAL, view.frames);
      if (next.frame !== this.#frame) this.show(next.frame);
      this.#clock = next.ended ? 0 : requestAnimationFrame(turn);
      this.#pressed();
      if (next.ended) this.#rest();
    };
    this.#clock = requestAnimationFrame(turn);
    this.#pressed();
  }

  pause() {
    cancelAnimationFrame(this.#clock);
    this.#clock = 0;
    this.#pressed();
  }

  toggle() {
    if (!this.#clock) return this.play();
    this.pause();
    this.#rest();
  }

  #rest() {
    this.#view?.rest?.(this.#frame);
  }

  #pressed() {
    const [idle, playing] = this.ui.names ?? ["Play", "Pause"];
    const name = this.#clock ? playing : idle;
    if (this.ui.play.textContent === name) return;
    this.ui.play.textContent = name;
    this.ui.play.setAttribute("aria-label", name);
  }
}
