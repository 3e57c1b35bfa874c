// A pad to draw a digit on: pen, keys, a file or the clipboard. It sends what was drawn; the server centres and scales it as
// MNIST's digits are, and sends back what the nets see.
//
// Every change of what stands on the pad has a number. The answers bear that of what they are of, and are dimmed while it is older.
import { bytes, node } from "../js/draw.js";
import { base64, pictures } from "../js/take.js";

const SIDE = 112; // pixels along an edge: four to each that the nets see
const CELL = 4;
const PEN = 10; // width of a stroke
const WAIT = 300; // ms after the last stroke, so that a digit of two strokes is sent once
const MOST_UNDONE = 30;
const LOOKING = "The nets look at it …";

/** "drawn:..." -> 784 greys from 0 to 255. */
export function greys(picture) {
  const text = picture.replace("drawn:", "").replaceAll("-", "+").replaceAll("_", "/");
  return Array.from(bytes(text)).flatMap((pair) => [(pair >> 4) * 17, (pair & 15) * 17]);
}

export function mount(element, props, trigger, watch) {
  const button = (name, text) => node("button", { type: "button", class: `cem-pad-${name}`, text });
  const canvas = node("canvas", { width: SIDE, height: SIDE, tabindex: "0", role: "application", "aria-roledescription": "pad",
    "aria-label": "Draw a digit. Arrow keys move the pen, space sets it down or lifts it, Enter shows it to the nets" }); // prettier-ignore
  const small = node("canvas", { width: 28, height: 28, class: "cem-pixels cem-pad-small", role: "img", "aria-label": "as the nets see it" });
  const [undo, clear, open] = [button("undo", "Undo"), button("clear", "Clear"), button("open", "Upload")];
  const said = node("p", { class: "cem-pad-said", "aria-live": "polite" });
  const tools = node("div", { class: "cem-pad-tools" }, undo, clear, open);
  const seen = node("figure", { class: "cem-pad-seen" }, small, node("figcaption", { text: "as the nets see it" }));
  const ways = node("p", { class: "cem-pad-ways", text: "Or paste a picture. By keys: arrows move the pen, space sets it down, Enter shows it." });
  const root = element.querySelector("#cem-pad");
  root.replaceChildren(canvas, node("div", { class: "cem-pad-side" }, tools, seen), ways, said);

  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: PEN, strokeStyle: "#fff", fillStyle: "#000" });
  const blank = () => context.fillRect(0, 0, SIDE, SIDE);
  blank();
  const past = [];
  const remember = () => {
    past.push(context.getImageData(0, 0, SIDE, SIDE));
    if (past.length > MOST_UNDONE) past.shift();
  };

  let number = 0;
  const changed = () => {
    number += 1;
    const answers = document.getElementById("cem-digit");
    if (!answers) return;
    answers.dataset.asked = number;
    answers.classList.add("cem-old");
  };

  let foreign = false; // what stands there is an example's, a link's or a file's: the first stroke begins a drawing of one's own
  const begin = () => {
    clearTimeout(timer);
    remember();
    if (foreign) blank();
    foreign = false;
    changed();
    said.textContent = "The answers are those of the drawing before.";
  };

  let asking = false;
  const ask = (what) => {
    asking = true;
    said.textContent = LOOKING;
    trigger("select", { ...what, number });
  };
  document.addEventListener("cemviz-answered", () => {
    asking = false;
    if (said.textContent === LOOKING) said.textContent = "";
  });

  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(send, WAIT);
  };
  function send() {
    clearTimeout(timer);
    const rgba = context.getImageData(0, 0, SIDE, SIDE).data;
    const ink = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => rgba[4 * i]);
    if (ink.some((grey) => grey > 40)) ask({ kind: "ink", data: base64(ink) });
    else said.textContent = "Nothing is drawn yet.";
  }

  // ------------------------------------------------------------------------------------------------------------------- pen
  let pen = null;
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  };
  function line([x0, y0], [x1, y1]) {
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1 + 0.01, y1);
    context.stroke();
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    begin();
    pen = where(event);
    line(pen, pen);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const next = where(one);
      line(pen, next);
      pen = next;
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (!pen) return;
      pen = null;
      later();
    });
  }

  // ------------------------------------------------------------------------------------------------------------------ keys
  let cell = [14, 6];
  let down = false;
  const middle = () => cell.map((at) => (at + 0.5) * CELL);
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const keys = [...Object.keys(moves), " ", "Enter"];
    if (!keys.includes(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (event.key === "Enter") send();
    else if (event.key === " ") {
      down = !down;
      if (down) {
        begin();
        line(middle(), middle());
      }
    } else {
      const from = middle();
      cell = cell.map((at, axis) => Math.min(Math.max(at + moves[event.key][axis], 1), 26));
      if (down) line(from, middle());
    }
    said.textContent = `Pen ${down ? "down" : "up"} at column ${cell[0] + 1}, row ${cell[1] + 1}.`;
  });

  // ----------------------------------------------------------------------------------------------------------------- tools
  undo.addEventListener("click", () => {
    if (!past.length) return;
    context.putImageData(past.pop(), 0, 0);
    changed();
    said.textContent = "";
    later();
  });
  clear.addEventListener("click", () => {
    foreign = true;
    begin();
    said.textContent = "Cleared. The answers are those of the drawing before.";
    canvas.focus();
  });
  const take = (data) => {
    clearTimeout(timer);
    remember();
    blank();
    changed();
    ask({ kind: "file", data });
  };
  tools.append(pictures(root, open, "picture of a digit", take, (line) => (said.textContent = line)));

  // ----------------------------------------------------------------------------------------------- what the server makes of it
  function shown() {
    if (!props.value) return;
    const pixels = greys(props.value);
    const picture = new ImageData(28, 28);
    pixels.forEach((grey, i) => picture.data.set([grey, grey, grey, 255], 4 * i));
    small.getContext("2d").putImageData(picture, 0, 0);
    const rgba = context.getImageData(0, 0, SIDE, SIDE).data;
    const empty = rgba.every((part, i) => i % 4 === 3 || part < 40);
    if (asking && !empty) return; // of what stands there
    context.drawImage(small, 0, 0, SIDE, SIDE);
    foreign = true;
    if (!asking) document.getElementById("cem-digit")?.removeAttribute("data-asked"); // a link's
  }
  watch("value", shown);
  shown();
}
