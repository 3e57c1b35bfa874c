// Level lines of a grid of numbers, and round numbers to put them at: no page, no state, so that tests call them one by one.

/** Where a value lies between two others, from 0 to 1. */
const between = (level, a, b) => (level - a) / (b - a);

/**
 * Line pieces along which a grid, row by row from below, has a value: x1, y1, x2, y2 of each, in steps of the grid.
 * Marching squares: each cell whose corners lie on both sides is cut along straight lines between its edges.
 */
export function isolines(grid, side, level) {
  const pieces = [];
  for (let i = 0; i < side - 1; i += 1) {
    for (let j = 0; j < side - 1; j += 1) {
      const at = i * side + j;
      const [a, b, c, d] = [grid[at], grid[at + 1], grid[at + side + 1], grid[at + side]]; // round the cell
      const above = (a > level) + 2 * (b > level) + 4 * (c > level) + 8 * (d > level);
      if (above === 0 || above === 15) continue;
      const south = () => [j + between(level, a, b), i];
      const east = () => [j + 1, i + between(level, b, c)];
      const north = () => [j + between(level, d, c), i + 1];
      const west = () => [j, i + between(level, a, d)];
      const cut = (from, to) => pieces.push(...from(), ...to());
      if (above === 5 || above === 10) {
        // two opposite corners stand out: the middle tells whether they are joined
        const joined = (a + b + c + d) / 4 > level === (above === 5);
        cut(south, joined ? east : west);
        cut(north, joined ? west : east);
      } else if (above === 1 || above === 14) cut(south, west);
      else if (above === 2 || above === 13) cut(south, east);
      else if (above === 4 || above === 11) cut(north, east);
      else if (above === 8 || above === 7) cut(north, west);
      else if (above === 3 || above === 12) cut(west, east);
      else cut(south, north);
    }
  }
  return pieces;
}

/** Round numbers from `low` to `high`, about `count` of them: multiples of 1, 2 or 5 times a power of ten. */
export function ticks(low, high, count = 6) {
  const rough = Math.max(high - low, 1e-9) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}
