// Marks on the plane: each is drawn with a pen at places of the box, which the plane turns into pixels.
import { BOX } from "./frame.js";
import { BRUSH, CELL, CELLS, DEEPEST } from "./painting.js";

/** The perturbed points: where their ways have grown to, or all of them once they are there. */
export function heads({ path, ways, moved }, times) {
  return times < path.length / (2 * ways) ? path.slice(2 * (times - 1) * ways, 2 * times * ways) : moved;
}

export function arrows(pen, plane, { heads }, look) {
  const side = Math.sqrt(heads.length / 2);
  const length = (0.3 / (2 * BOX)) * plane.inner;
  pen.beginPath();
  for (let k = 0; k < side * side; k += 1) {
    const x = plane.left + ((k % side) / (side - 1)) * plane.inner;
    const y = plane.top + (1 - Math.floor(k / side) / (side - 1)) * plane.inner;
    const [u, v] = [heads[2 * k] * length, -heads[2 * k + 1] * length];
    const [tipX, tipY] = [x + u / 2, y + v / 2];
    pen.moveTo(x - u / 2, y - v / 2);
    pen.lineTo(tipX, tipY);
    pen.moveTo(tipX - 0.35 * u - 0.2 * v, tipY - 0.35 * v + 0.2 * u);
    pen.lineTo(tipX, tipY);
    pen.lineTo(tipX - 0.35 * u + 0.2 * v, tipY - 0.35 * v - 0.2 * u);
  }
  pen.strokeStyle = look.arrow;
  pen.lineWidth = 1;
  pen.stroke();
}

export function paths(pen, plane, { path, ways }, look, times) {
  pen.beginPath();
  for (let way = 0; way < ways; way += 1) {
    for (let t = 0; t < times; t += 1) {
      const at = 2 * (t * ways + way);
      pen[t ? "lineTo" : "moveTo"](plane.x(path[at]), plane.y(path[at + 1]));
    }
  }
  pen.strokeStyle = look.path;
  pen.lineWidth = 1;
  pen.stroke();
}

function each(plane, points, mark) {
  for (let k = 0; k < points.length; k += 2) mark(plane.x(points[k]), plane.y(points[k + 1]));
}

export function crosses(pen, plane, points, colour) {
  pen.beginPath();
  each(plane, points, (x, y) => {
    pen.moveTo(x - 2, y - 2);
    pen.lineTo(x + 2, y + 2);
    pen.moveTo(x - 2, y + 2);
    pen.lineTo(x + 2, y - 2);
  });
  pen.strokeStyle = colour;
  pen.lineWidth = 1.25;
  pen.stroke();
}

export function dots(pen, plane, points, colour, edge) {
  pen.beginPath();
  each(plane, points, (x, y) => {
    pen.moveTo(x + 2.5, y);
    pen.arc(x, y, 2.5, 0, 2 * Math.PI);
  });
  filled(pen, colour, edge, 1);
}

export function diamonds(pen, plane, points, colour, edge) {
  pen.beginPath();
  each(plane, points, (x, y) => {
    pen.moveTo(x, y - 4);
    pen.lineTo(x + 4, y);
    pen.lineTo(x, y + 4);
    pen.lineTo(x - 4, y);
    pen.closePath();
  });
  filled(pen, colour, edge, 2);
}

function filled(pen, colour, edge, width) {
  pen.fillStyle = colour;
  pen.strokeStyle = edge;
  pen.lineWidth = width;
  pen.stroke(); // the edges lie below, so that many marks in one place keep their colour
  pen.fill();
}

/** What is painted, the deeper the denser, on a plane that steps back. */
export function cells(pen, plane, depths, colour, paper) {
  pen.globalAlpha = 0.6;
  pen.fillStyle = paper;
  pen.fillRect(plane.left, plane.top, plane.inner, plane.inner);
  const side = (CELL / (2 * BOX)) * plane.inner;
  pen.fillStyle = colour;
  depths.forEach((depth, k) => {
    if (!depth) return;
    pen.globalAlpha = (0.75 * depth) / DEEPEST;
    pen.fillRect(plane.left + (k % CELLS) * side, plane.top + plane.inner - (Math.floor(k / CELLS) + 1) * side, side, side);
  });
  pen.globalAlpha = 1;
}

/** The brush's edge. */
export function ring(pen, plane, { x, y }, colour) {
  pen.beginPath();
  pen.arc(plane.x(x), plane.y(y), (BRUSH / (2 * BOX)) * plane.inner, 0, 2 * Math.PI);
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.stroke();
}

/** A number where something happens, and what it is beside it, on the side where there is room. */
export function callOut(pen, plane, { number, text, x, y }, look) {
  const [left, top] = [plane.x(x), plane.y(y)];
  pen.font = "bold 14px 'Source Sans Pro', ui-sans-serif, sans-serif";
  const wide = pen.measureText(text).width + 12;
  const side = left + 14 + wide > plane.left + plane.inner ? -1 : 1;
  pen.fillStyle = look.paper;
  pen.strokeStyle = look.ink;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.roundRect(side > 0 ? left : left - 14 - wide, top - 12, wide + 14, 24, 12);
  pen.fill();
  pen.stroke();
  pen.beginPath();
  pen.arc(left, top, 12, 0, 2 * Math.PI);
  pen.fillStyle = look.ink;
  pen.fill();
  pen.textBaseline = "middle";
  pen.textAlign = "center";
  pen.fillStyle = look.paper;
  pen.fillText(String(number), left, top + 1);
  pen.textAlign = side > 0 ? "left" : "right";
  pen.fillStyle = look.ink;
  pen.fillText(text, left + side * 16, top + 1);
}
