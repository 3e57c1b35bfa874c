// The grid of cells that a brush paints, the text that an address holds it by, and boxes.
import { clamp } from "../js/draw.js";

const PAINTED = "cells-";

export class Cells {
  /** @param height, width of the picture; @param cell pixels along an edge of a cell */
  constructor(height, width, cell) {
    Object.assign(this, { height, width, cell, rows: Math.ceil(height / cell), columns: Math.ceil(width / cell) });
    this.on = new Uint8Array(this.rows * this.columns);
  }

  /** Take the cells that hold a lost pixel; `lost` has a byte a pixel. */
  take(lost) {
    this.on.fill(0);
    lost.forEach((one, i) => {
      if (one) this.on[Math.floor(i / this.width / this.cell) * this.columns + Math.floor((i % this.width) / this.cell)] = 1;
    });
  }

  /** Set the cells of a disc around a pixel. */
  dab(x, y, reach, value) {
    for (let row = 0; row < this.rows; row += 1) {
      for (let column = 0; column < this.columns; column += 1) {
        const [dx, dy] = [(column + 0.5) * this.cell - x, (row + 0.5) * this.cell - y];
        if (dx * dx + dy * dy <= reach * reach) this.on[row * this.columns + column] = value;
      }
    }
  }

  get text() {
    const packed = new Uint8Array(Math.ceil(this.on.length / 8));
    this.on.forEach((one, i) => {
      if (one) packed[i >> 3] |= 128 >> (i & 7);
    });
    return PAINTED + btoa(String.fromCharCode(...packed)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  }
}

/** A box inside the picture, from four numbers of which any may reach too far. */
export function box(height, width, top, left, tall, wide) {
  const [t, l] = [clamp(top, 0, height - 1), clamp(left, 0, width - 1)];
  return [t, l, clamp(tall, 1, height - t), clamp(wide, 1, width - l)];
}

/** The smallest box around the lost pixels: [top, left, height, width]. */
export function around(lost, width) {
  const [rows, columns] = [new Set(), new Set()];
  lost.forEach((one, i) => {
    if (!one) return;
    rows.add(Math.floor(i / width));
    columns.add(i % width);
  });
  if (!rows.size) return [0, 0, 1, 1];
  const [top, left] = [Math.min(...rows), Math.min(...columns)];
  return [top, left, Math.max(...rows) - top + 1, Math.max(...columns) - left + 1];
}
