// The unit sphere of an encoder's features, seen along one direction: a dot a chain, which moves with the step, the way of the
// selected chain so far, and named landmarks. Loaded between chart.js and player.js. All colours come from the style sheet.
const RADIUS = 100; // units of the drawing
const REACH = 12; // how near a click has to come to a dot
const APART = 9; // landmarks nearer than this share one name tag

class SphereMap {
  // places: per chain its [x, y] at every step, y upwards; landmarks: [{name, at: [x, y]}].
  constructor({ places, landmarks, panel, title, onChain }) {
    Object.assign(this, { places, landmarks, title, chain: 0, step: 0 });
    this.node = html("figure", `cem-map cem-panel-${panel}`);
    const edge = RADIUS + 8;
    this.svg = svg("svg", "cem-map-plot", { role: "img", viewBox: `${-edge} ${-edge} ${2 * edge} ${2 * edge}` });
    this.svg.append(svg("circle", "cem-sphere", { r: RADIUS }));
    this.trail = svg("path", "cem-trail");
    this.dots = places.map(() => svg("circle", "cem-chain", { r: places.length > 100 ? 2.4 : 3.2 }));
    this.svg.append(...this.dots, this.trail);
    for (const group of this.groups()) this.drawLandmark(group);
    this.ring = svg("circle", "cem-ring", { r: 5.5 });
    this.svg.append(this.ring);
    const words = [["cem-key-dot", "a chain, at this step"], ["cem-key-ring", "the selected one, and its way"]];
    if (landmarks.length) words.push(["cem-key-mark", "the mean image of a class"]);
    const key = html("ul", "cem-map-key");
    key.append(...words.map(([name, text]) => html("li", name, text)));
    const caption = html("figcaption", "cem-map-title", "features on their unit sphere");
    this.node.append(caption, this.svg, key);
    this.svg.addEventListener("click", (event) => {
      const near = this.nearest(event);
      if (near >= 0) onChain(near);
    });
  }

  at([x, y]) {
    return [RADIUS * x, -RADIUS * y];
  }

  // The chain whose dot lies nearest to a click, or -1.
  nearest(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    let found = -1;
    let least = REACH;
    this.places.forEach((steps, chain) => {
      const [x, y] = this.at(steps[this.step]);
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance >= least) return;
      least = distance;
      found = chain;
    });
    return found;
  }

  // Landmarks that would cover each other's names stand together.
  groups() {
    const found = [];
    for (const { name, at } of this.landmarks) {
      const [x, y] = this.at(at);
      const group = found.find((other) => Math.abs(other.y - y) < APART && Math.abs(other.x - x) < 2 * APART);
      if (group) {
        group.names.push(name);
        group.marks.push([x, y]);
      } else found.push({ x, y, names: [name], marks: [[x, y]] });
    }
    return found;
  }

  drawLandmark({ x, y, names, marks }) {
    for (const [left, top] of marks) {
      this.svg.append(svg("path", "cem-landmark", { d: `M${left} ${top - 4}l4 4l-4 4l-4 -4z` }));
    }
    const shown = [];
    for (const name of names) if (!shown.length || [...shown, name].join(" ").length <= 24) shown.push(name);
    const more = names.length - shown.length;
    const inward = x > 0; // the tag points to the middle, where there is room
    const text = svg("text", "cem-landmark-name", { x: x + (inward ? -8 : 8), y: y + 3.5, "text-anchor": inward ? "end" : "start" });
    text.textContent = shown.join(" ") + (more ? ` +${more}` : "");
    this.svg.append(text);
  }

  select(chain) {
    this.chain = chain;
    this.moveTo(this.step);
  }

  moveTo(step) {
    this.step = step;
    this.places.forEach((steps, chain) => {
      const [x, y] = this.at(steps[step]);
      this.dots[chain].setAttribute("cx", x);
      this.dots[chain].setAttribute("cy", y);
    });
    const own = this.places[this.chain];
    this.trail.setAttribute("d", own ? `M${own.slice(0, step + 1).map((place) => this.at(place).join(" ")).join("L")}` : "");
    this.ring.style.display = own ? "" : "none";
    if (own) {
      const [x, y] = this.at(own[step]);
      this.ring.setAttribute("cx", x);
      this.ring.setAttribute("cy", y);
    }
    this.svg.setAttribute("aria-label", `${this.title}: features on their unit sphere at step ${step}. ${this.spread()}`);
  }

  // The picture in a number, for people who do not see it.
  spread() {
    const here = this.places.map((steps) => steps[this.step]);
    const [x, y] = [0, 1].map((i) => here.reduce((sum, place) => sum + place[i], 0) / here.length);
    const away = here.map((place) => Math.hypot(place[0] - x, place[1] - y)).sort((a, b) => a - b);
    return `Half of the ${here.length} chains lie within ${figure(away[Math.floor(away.length / 2)])} radii of their centre.`;
  }
}
