// What each station shows. A view is made by `view(host, data, opening)` and gives {frames, show(k), label(k), interval?}:
// the stage owns the clock, the view draws frame k of its own.
import {
  DEEP, DIVERGING, band, bytes, contours, largest, marginal, mark, node, pictures, plain, softmax, valueOf,
} from "../js/draw.js";

// A and B as on every other tab: the robust net comes first
const SIDES = { robust: "Trained against attacks (JEAT)", standard: "Standard training" };

/** A figure with a heading, room for the picture, and a line below that changes. */
function panel(host, title, badge, describe) {
  const stage = node("div", { class: "cem-view", role: "img", "aria-label": describe });
  const line = node("p", { class: "cem-view-line" });
  const caption = node("figcaption", {}, node("span", { class: `cem-badge cem-badge-${badge}`, text: badge }), title);
  host.append(node("figure", { class: "cem-view-panel" }, caption, stage, line));
  return { stage, line };
}

const both = (host, describe, titles = SIDES) => ({
  robust: panel(host, titles.robust, "A", `${titles.robust}: ${describe}`),
  standard: panel(host, titles.standard, "B", `${titles.standard}: ${describe}`),
});

/** Draw row `step` of a sprite as rows of chains. */
function tiles(canvas, image, step, side, count, columns) {
  const gap = 1;
  const across = Math.min(columns, count);
  canvas.width = across * (side + gap) - gap;
  canvas.height = Math.ceil(count / across) * (side + gap) - gap;
  const context = canvas.getContext("2d");
  for (let chain = 0; chain < count; chain += 1) {
    const [x, y] = [(chain % across) * (side + gap), Math.floor(chain / across) * (side + gap)];
    context.drawImage(image, chain * side, step * side, side, side, x, y, side, side);
  }
}

/** Two grids of chains in the order of their titles: the opening, and the net without labels. */
export async function films(host, sides, { side, count, columns, steps, titles, line }) {
  const shown = [];
  for (const key of Object.keys(titles).filter((name) => name in sides)) {
    const data = sides[key];
    const { stage, line: words } = panel(host, titles[key][1], titles[key][0], titles[key][2]);
    const canvas = stage.appendChild(node("canvas", { class: "cem-pixels" }));
    shown.push({ key, data, canvas, words, image: await pictures(data.sprite) });
  }
  return {
    frames: steps.length,
    label: (k) => `step ${steps[k]} of ${steps.at(-1)}`,
    show(k) {
      for (const { key, data, canvas, words, image } of shown) {
        tiles(canvas, image, k, side, count, columns);
        words.textContent = line(key, data, k);
      }
    },
  };
}

export async function opening(host, _, held) {
  const titles = {
    robust: ["A", SIDES.robust, "ten chains from noise, one for each digit: they become digits"],
    standard: ["B", SIDES.standard, "ten chains from noise, one for each digit: strokes and speckle"],
  };
  const line = (_key, data, k) =>
    k === held.steps.length - 1
      ? `another net reads ${data.read} of ${held.classes.length} as the digit asked for`
      : `mean energy E(x, y): ${plain(data.energy[k])}`;
  return films(host, held.panels, { side: held.side, count: 10, columns: 5, steps: held.steps, titles, line });
}

export async function unlabelled(host, { unlabelled: data }) {
  const titles = {
    maxent: ["A", "MaxEnt: apart from each other", "chains that keep apart: many digits"],
    pgd: ["B", "PGD: away from their starts", "chains that leave their starts: all alike"],
  };
  const line = (_key, side, k) =>
    k === data.steps.length - 1 ? `largest group of one digit: ${side.most} of ${side.count} chains` : "";
  const { maxent, pgd, steps } = data;
  return films(host, { maxent, pgd }, { side: 28, count: 10, columns: 5, steps, titles, line });
}

export async function attack(host, { attack: data, titles }) {
  const parts = both(host, "the image under an attack that grows with the slider", titles);
  for (const [key, part] of Object.entries(parts)) {
    part.canvas = part.stage.appendChild(node("canvas", { class: "cem-pixels cem-one" }));
    part.image = await pictures(data[key].sprite);
  }
  return {
    frames: data.radii.length,
    interval: 260,
    label: (k) => `ε = ${data.radii[k].toFixed(2)}`,
    show(k) {
      for (const [key, { canvas, image, line }] of Object.entries(parts)) {
        tiles(canvas, image, k, data.pixels ?? 28, 1, 1);
        const p = softmax(data[key].logits[k]);
        const says = largest(p);
        line.textContent = `sees ${data.classes?.[says] ?? says}, sure by ${p[says] > 0.995 ? "> 99" : Math.round(100 * p[says])} %`;
        line.classList.toggle("cem-wrong", says !== (data[key].label ?? data.label));
      }
    },
  };
}

const TURN = 20; // frames in which the bars turn

export async function logits(host, { attack: data }) {
  const parts = both(host, "ten bars, one for each class, that turn from logits into energies");
  const size = { width: 300, height: 190, middle: 95, bar: 20, gap: 8, left: 14 };
  for (const [key, part] of Object.entries(parts)) {
    const f = data[key].logits[0];
    const scale = 80 / Math.max(...f.map(Math.abs));
    const svg = part.stage.appendChild(mark("svg", { viewBox: `0 0 ${size.width} ${size.height}`, class: "cem-bars" }));
    part.bars = f.map((value, k) => {
      const x = size.left + k * (size.bar + size.gap);
      const bar = svg.appendChild(mark("rect", { x, width: size.bar, class: k === data.label ? "cem-bar-label" : "cem-bar" }));
      const name = svg.appendChild(mark("text", { x: x + size.bar / 2, "text-anchor": "middle", class: "cem-bar-name" }));
      name.textContent = k;
      return { bar, name, height: value * scale };
    });
    svg.append(mark("line", { x1: 0, x2: size.width, y1: size.middle, y2: size.middle, class: "cem-zero" }));
    part.depth = svg.appendChild(mark("line", { x1: 0, x2: size.width, class: "cem-depth" }));
    part.at = size.middle - scale * marginal(f);
    part.f = f;
  }
  return {
    frames: TURN + 1,
    interval: 45,
    label: (k) => (k === 0 ? "logits f" : k === TURN ? "energies −f" : "turning"),
    show(k) {
      const turn = Math.cos((Math.PI * k) / TURN); // 1: up, -1: down
      for (const { bars, depth, at, f, line } of Object.values(parts)) {
        for (const { bar, name, height } of bars) {
          const tall = height * turn;
          bar.setAttribute("y", size.middle - Math.max(tall, 0));
          bar.setAttribute("height", Math.abs(tall));
          name.setAttribute("y", tall > 0 ? size.middle + 13 : size.middle - 5);
        }
        depth.setAttribute("y1", at);
        depth.setAttribute("y2", at);
        depth.style.opacity = k === TURN ? 1 : 0;
        const y = data.label;
        line.textContent = k === TURN
          ? `E(x, ${y}) = ${plain(-f[y], 2)};  all together E(x) = ${plain(marginal(f), 2)} (dashed)`
          : `f(x)[${y}] = ${plain(f[y], 2)}`;
      }
    },
  };
}

/** A contour picture of a field, with an svg of marks over it; (0, 0) in the middle, 1 at the edge. */
function chart(stage, field, side, low, high) {
  const grid = bytes(field.grid);
  const map = stage.appendChild(node("div", { class: "cem-ground" }));
  const canvas = map.appendChild(node("canvas", { class: "cem-field" }));
  const colour = (byte) => DEEP[band(valueOf(byte, field), low, high, DEEP.length)];
  contours(canvas, grid, side, colour);
  return { grid, svg: map.appendChild(mark("svg", { viewBox: "-1 -1 2 2", class: "cem-marks" })) };
}

export async function window_(host, { window: data, titles }) {
  const parts = both(host, "the energy of the image's label around the image, deep is likely", titles);
  const side = data.side ?? 41;
  const [low, high] = [Math.min(data.standard.low, data.robust.low), Math.max(data.standard.high, data.robust.high)];
  for (const [key, part] of Object.entries(parts)) {
    Object.assign(part, chart(part.stage, data[key], side, low, high), { field: data[key] });
    part.svg.append(mark("line", { x1: -1, x2: 1, y1: 0, y2: 0, class: "cem-axis-line" }));
    part.svg.append(mark("circle", { cx: 0, cy: 0, r: 0.035, class: "cem-home" }));
    part.dot = part.svg.appendChild(mark("circle", { cy: 0, r: 0.05, class: "cem-ball" }));
  }
  const middle = (side - 1) / 2;
  const frames = middle + 1;
  const away = (k) => (data.radius * k) / middle;
  return {
    frames,
    interval: 120,
    label: (k) => `${away(k).toFixed(1)} along the attack`,
    show(k) {
      for (const { grid, field, dot, line } of Object.values(parts)) {
        dot.setAttribute("cx", Math.min(k / middle, 0.94)); // the whole ball at the edge too
        const at = (column) => valueOf(grid[middle * side + column], field);
        const rise = at(middle + k) - at(middle);
        line.textContent = `E(x, y) is ${plain(at(middle + k))}: ${rise < 0 ? "−" : "+"}${plain(Math.abs(rise))} from the image`;
      }
    },
  };
}

/** The roll in the plane; `film` adds the picture that the ball stands for. */
const roll = (film) => async (host, { roll: data }) => {
  const parts = both(host, "a ball that rolls down the energy from pure noise");
  for (const [key, part] of Object.entries(parts)) {
    const field = data[key];
    Object.assign(part, chart(part.stage, field, 41, field.low, field.high), { field });
    part.trail = part.svg.appendChild(mark("polyline", { class: "cem-trail" }));
    part.ball = part.svg.appendChild(mark("circle", { r: 0.06, class: "cem-ball" }));
    if (!film) continue;
    part.stage.classList.add("cem-with-film");
    part.canvas = part.stage.appendChild(node("canvas", { class: "cem-pixels cem-film" }));
    part.image = await pictures(field.sprite);
  }
  return {
    frames: data.standard.path.length,
    interval: 150,
    label: (k) => `step ${k} of ${data.steps}`,
    show(k) {
      for (const { field, trail, ball, line, canvas, image } of Object.values(parts)) {
        trail.setAttribute("points", field.path.slice(0, k + 1).map(([x, y]) => `${x},${-y}`).join(" "));
        ball.setAttribute("cx", field.path[k][0]);
        ball.setAttribute("cy", -field.path[k][1]);
        line.textContent = `E(x, ${data.asked}) = ${plain(field.energy[k])}`;
        if (canvas) tiles(canvas, image, k, 28, 1, 1);
      }
    },
  };
};

/** A picture that rolls down E(x, asked). */
export async function become(host, { become: data, titles }) {
  const parts = both(host, "the picture as it rolls down the energy of the class asked for", titles);
  for (const [key, part] of Object.entries(parts)) {
    part.canvas = part.stage.appendChild(node("canvas", { class: "cem-pixels cem-one" }));
    part.image = await pictures(data[key].sprite);
  }
  return {
    frames: data.steps + 1,
    interval: 110,
    label: (k) => `step ${k} of ${data.steps}`,
    show(k) {
      for (const [key, { canvas, image, line }] of Object.entries(parts)) {
        tiles(canvas, image, k, data.pixels, 1, 1);
        line.textContent = `E(x, ${data.asked}) = ${plain(data[key].energy[k])}`;
      }
    },
  };
}

export async function plane(host, { plane: data }) {
  const titles = { maximin: ["A", "p₀ everywhere"], "maximin-corner": ["B", "p₀ in one corner"] };
  const at = (byte) => (byte / 255) * 2 - 1;
  const dots = (svg, text, radius, name) => {
    const places = bytes(text);
    for (let i = 0; i < places.length; i += 2) {
      svg.append(mark("circle", { cx: at(places[i]), cy: -at(places[i + 1]), r: radius, class: name }));
    }
  };
  const parts = Object.entries(titles).map(([key, [badge, title]]) => {
    const { stage, line } = panel(host, title, badge, `${title}: the classifier's D over the plane, data in blue`);
    const canvas = stage.appendChild(node("canvas", { class: "cem-field" }));
    const svg = stage.appendChild(mark("svg", { viewBox: "-1 -1 2 2", class: "cem-marks" }));
    return { game: data[key], canvas, svg, line };
  });
  return {
    frames: data.turns.length,
    interval: 700,
    label: (k) => `turn ${data.turns[k]}`,
    show(k) {
      for (const { game, canvas, svg, line } of parts) {
        const shot = game.shots[k];
        contours(canvas, bytes(shot.D), data.side, (byte) => DIVERGING[band(byte, 0, 255, DIVERGING.length)]);
        svg.replaceChildren();
        dots(svg, shot.start, 0.012, "cem-dot-start");
        dots(svg, game.data, 0.016, "cem-dot-data");
        dots(svg, shot.moved, 0.02, "cem-dot-moved");
        line.textContent = `false maxima cover ${Math.round(100 * shot.spurious)} % of the plane`;
      }
    },
  };
}

export const VIEWS = { opening, attack, logits, window: window_, roll: roll(false), film: roll(true), become, plane, unlabelled };
