// How a game stood over its turns: small charts above each other, each with the value at the solution.
import { ticks } from "../js/contour.js";
import { node, plain } from "../js/draw.js";

const MARGIN = { left: 44, right: 46, top: 20, bottom: 8 };
const FOOT = 30;
const LEAST = 0.1; // of a chart's range, so that noise about a settled value does not fill it

/** The range of a chart: what it is given, or all its values and the goal. */
export function range({ values, second = [], goal, low, high }) {
  const all = [...values, ...second].filter(Number.isFinite).concat(goal);
  let [bottom, top] = [low ?? Math.min(...all), high ?? Math.max(...all)];
  const lacking = LEAST - (top - bottom);
  if (lacking > 0) {
    top += high === undefined ? lacking / (low === undefined ? 2 : 1) : 0;
    bottom -= low === undefined ? lacking / (high === undefined ? 2 : 1) : 0;
  }
  return { bottom, top: high ?? top + 0.08 * (top - bottom) }; // the words above keep clear
}

/** Who moves U and which way, with the change of the last move that was shown alone. */
export function pushed(pushes) {
  const change = (move) => (pushes[move] === undefined ? "" : ` ${pushes[move] > 0 ? "+" : ""}${plain(pushes[move], 3)}`);
  return [[`▼ points lower it${change("attack")}`, "p0"], [`▲ the net raises it${change("learn")}`, "data"]]; // prettier-ignore
}

/** `props.value` is JSON: {turns, rows: [{title, values, goal, label, low?, high?, percent?, pushes?, second?}], second_turns?}; of
 * the game beside this one `second` are the values and `second_turns` the turns. */
export function mount(element, props, watch) {
  const canvas = node("canvas", { role: "img" });
  element.querySelector(".cem-curves-live").replaceChildren(canvas);
  let data = null;
  let marked = null; // the turn of the snapshot on the plane

  function draw() {
    const width = canvas.parentElement.clientWidth;
    if (!data || !width) return;
    const density = window.devicePixelRatio || 1;
    const height = canvas.parentElement.clientHeight;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    const pen = canvas.getContext("2d");
    pen.scale(density, density);
    const style = getComputedStyle(document.body);
    const colour = (name) => style.getPropertyValue(`--cem-${name}`).trim();
    const each = (height - FOOT) / data.rows.length;
    const end = Math.max(data.turns.at(-1), 1);
    const x = (turn) => MARGIN.left + (turn / end) * (width - MARGIN.left - MARGIN.right);
    pen.font = "12px 'Source Sans Pro', ui-sans-serif, sans-serif";
    const write = (text, left, top, align = "left", tint = "ink") => {
      pen.fillStyle = colour(tint);
      pen.textAlign = align;
      pen.textBaseline = "middle";
      pen.fillText(text, left, top);
    };
    data.rows.forEach((row, i) => {
      const { bottom, top } = range(row);
      const floor = (i + 1) * each - MARGIN.bottom;
      const y = (value) => floor - ((value - bottom) / (top - bottom)) * (each - MARGIN.top - MARGIN.bottom);
      const line = (points, tint, thick, dash = []) => {
        pen.beginPath();
        for (const [left, height] of points) pen.lineTo(left, height);
        Object.assign(pen, { strokeStyle: colour(tint), lineWidth: thick });
        pen.setLineDash(dash);
        pen.stroke();
        pen.setLineDash([]);
      };
      write(row.title, MARGIN.left, i * each + 9);
      if (row.pushes) {
        let left = x(end) + MARGIN.right - 4;
        for (const [text, tint] of pushed(row.pushes).reverse()) {
          write(text, left, i * each + 9, "right", tint);
          left -= pen.measureText(text).width + 12;
        }
      }
      const marks = ticks(bottom, top, 3);
      const step = marks.length > 1 ? marks[1] - marks[0] : 1;
      const digits = Math.max(0, Math.ceil(-Math.log10(step * (row.percent ? 100 : 1)) - 1e-9));
      for (const mark of marks) {
        line([[MARGIN.left, y(mark)], [x(end), y(mark)]], "grid", 1); // prettier-ignore
        write(row.percent ? `${plain(100 * mark, digits)} %` : plain(mark, digits), MARGIN.left - 6, y(mark), "right", "muted");
      }
      line([[MARGIN.left, y(row.goal)], [x(end), y(row.goal)]], "muted", 1.5, [6, 4]); // prettier-ignore
      write(row.label, x(end) + 6, y(row.goal));
      line(data.turns.map((turn, k) => [x(turn), y(row.values[k])]), "data", 2);
      if (row.second) line(data.second_turns.map((turn, k) => [x(turn), y(row.second[k])]), "p0", 2, [5, 3]); // prettier-ignore
      pen.beginPath();
      pen.arc(x(data.turns.at(-1)), y(row.values.at(-1)), 3, 0, 2 * Math.PI);
      pen.fillStyle = colour("data");
      pen.fill();
    });
    if (marked !== null && marked <= end) {
      pen.fillStyle = colour("ink");
      const tall = each - MARGIN.top - MARGIN.bottom; // the words above each chart keep clear
      data.rows.forEach((_, i) => pen.fillRect(x(marked) - 0.5, i * each + MARGIN.top, 1, tall));
    }
    for (const turn of ticks(0, end, 4).filter(Number.isInteger)) write(String(turn), x(turn), height - FOOT + 6, "center", "muted");
    write("turn", x(end / 2), height - 8, "center", "muted");
    const ends = data.rows.map(({ title, values, second, label, pushes }) => {
      const moved = pushes ? `, ${pushed(pushes).map(([text]) => text.slice(2)).join(", ")}` : "";
      const other = second ? ` beside ${plain(second.at(-1), 3)}` : "";
      return `${title} ${plain(values.at(-1), 3)}${other}, solution ${label}${moved}`;
    });
    canvas.setAttribute("aria-label", `${props.label}. At turn ${data.turns.at(-1)}: ${ends.join("; ")}`);
  }

  function take() {
    if (props.value) data = JSON.parse(props.value);
    draw();
  }
  document.addEventListener("cemviz-turn", ({ detail }) => {
    if (detail === marked) return;
    marked = detail;
    draw();
  });
  new ResizeObserver(draw).observe(canvas.parentElement);
  const changes = new MutationObserver(() => (element.isConnected ? draw() : changes.disconnect()));
  changes.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  watch("value", take);
  take();
}
