// A Plotly figure that is redrawn in place. `props.value` is the figure as JSON; see views.live_plot.
const plot = element.querySelector(".cem-plot");
// A plane keeps its shape on a narrow page: no taller than it is wide, plus room for its titles.
const NARROW = 260; // px
const EXTRA = 70; // px of words and numbers below a square plane; on a phone the words go
const narrow = () => props.square && plot.clientWidth > 0 && plot.clientWidth < NARROW;
function heightNow() {
  if (!props.square || !plot.clientWidth) return props.height;
  return Math.min(props.height, plot.clientWidth + (narrow() ? 0 : EXTRA));
}
plot.style.height = `${heightNow()}px`;
plot.setAttribute("aria-label", props.label);

const CONFIG = { displaylogo: false, responsive: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
const HOVER_EVENTS_PER_SECOND = 8;

let busy = false;
let stale = false;
let bound = false;
let lastHover = 0;

const pageIsDark = () => document.body.classList.contains("dark");
const cssValue = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// Four megabytes that no page without a figure needs: the first figure of a page fetches them, all others wait for the same.
function plotlyLoaded() {
  window.cemPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.querySelector("meta[name=cem-plotly]").content;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly.js did not arrive: reload the page"));
    document.head.append(script);
  });
  return window.cemPlotly;
}

// Until plotly.js is there, a quick drawing of the figure stands where its own will.
let rough = null;
async function sketched() {
  const { sketch } = await import(new URL(document.querySelector("meta[name=cem-sketch]").content, document.baseURI));
  if (window.Plotly || !props.value || !plot.clientWidth) return;
  rough?.remove();
  rough = sketch(readFigure(), plot.clientWidth, heightNow(), cssValue("--body-text-color"));
  if (!rough) return;
  rough.className = "cem-sketch";
  plot.before(rough);
  await new Promise((painted) => setTimeout(painted, 50)); // plotly.js holds the page up while it begins
}

function readFigure() {
  // Figures are built with the light palette; in the dark each of its colours has a partner.
  const swap = (hex) => props.dark_of[hex.toUpperCase()] ?? hex;
  const json = pageIsDark() ? props.value.replace(/#[0-9a-f]{6}\b/gi, swap) : props.value;
  const figure = JSON.parse(json);
  figure.layout = themed(figure.layout ?? {});
  return figure;
}

// The page's colours, wherever the figure did not choose its own.
function themed(layout) {
  const text = cssValue("--body-text-color");
  const grid = cssValue("--cem-grid");
  const axisColours = { gridcolor: grid, zerolinecolor: grid, linecolor: grid };
  const withColours = (axes) => {
    for (const name of Object.keys(axes).filter((key) => /^[xyz]axis\d*$/.test(key))) {
      axes[name] = { ...axisColours, ...axes[name] };
    }
  };
  const result = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    uirevision: "keep",
    xaxis: {},
    yaxis: {},
    ...layout,
    font: { color: text, family: cssValue("--font") || "sans-serif", size: 12, ...layout.font },
    height: heightNow(),
    autosize: true,
  };
  withColours(result);
  if (narrow()) {
    // two planes side by side on a phone: the numbers stay, the words go
    for (const name of ["xaxis", "yaxis"]) result[name] = { ...result[name], title: { text: "" }, nticks: 4 };
    Object.assign(result, { margin: { l: 24, r: 2, t: 4, b: 22 }, annotations: [], font: { ...result.font, size: 10 } });
  }
  for (const name of Object.keys(result).filter((key) => /^scene\d*$/.test(key))) {
    result[name] = { xaxis: {}, yaxis: {}, zaxis: {}, ...result[name] };
    withColours(result[name]);
  }
  return result;
}

const pointOf = (event) => {
  const point = event.points[0];
  return { x: point.x, y: point.y, curve: point.curveNumber, index: point.pointNumber };
};

function bindEvents() {
  bound = true;
  plot.on("plotly_click", (event) => trigger("select", pointOf(event)));
  if (!props.hover) return;
  plot.on("plotly_hover", (event) => {
    const now = performance.now();
    if (now - lastHover < 1000 / HOVER_EVENTS_PER_SECOND) return;
    lastHover = now;
    trigger("hover_point", pointOf(event));
  });
}

// The image under the pointer, of figures that bring a plane of images (see packed.plane): made here, without a request.
const glass = document.createElement("canvas");
glass.className = "cem-glass";
glass.hidden = true;
let plane = null;

function unpack(held) {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const direction = (name) => Float32Array.from(bytes(held[name]), (byte) => (byte - 127) * held[`${name} scale`] * 255);
  return { x: bytes(held.x), u: direction("u"), v: direction("v"), shape: held.shape };
}

function imageAt(a, b) {
  const { x, u, v, shape: [height, width, channels] } = plane;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) {
      const from = i * channels + (channels === 3 ? c : 0);
      image.data[4 * i + c] = x[from] + a * u[from] + b * v[from]; // clamped by its type
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}

function look(event) {
  const { xaxis, yaxis } = plot._fullLayout ?? {};
  if (!plane || !xaxis) return;
  const box = plot.getBoundingClientRect();
  const [a, b] = [xaxis.p2d(event.clientX - box.left - xaxis._offset), yaxis.p2d(event.clientY - box.top - yaxis._offset)];
  const within = (value, [low, high]) => value >= low && value <= high;
  glass.hidden = !(within(a, xaxis.range) && within(b, yaxis.range));
  if (glass.hidden) return;
  [glass.height, glass.width] = plane.shape;
  glass.getContext("2d").putImageData(imageAt(a, b), 0, 0);
  glass.dataset.at = `${a.toFixed(2)},${b.toFixed(2)}`;
  glass.classList.toggle("cem-glass-left", a > (xaxis.range[0] + xaxis.range[1]) / 2); // never under the pointer
}
plot.addEventListener("pointermove", look);
plot.addEventListener("pointerdown", look);
plot.addEventListener("pointerleave", () => (glass.hidden = true));

// While one frame is being drawn, newer ones only mark the picture as stale: the last one wins, none queue up.
async function draw() {
  if (!props.value && !bound) {
    setTimeout(plotlyLoaded, 1000); // beforehand: it holds the page up for most of a second
    return;
  }
  if (busy) {
    stale = true;
    return;
  }
  busy = true;
  try {
    if (!window.Plotly) await sketched().catch((error) => console.error("sketch:", error));
    const Plotly = await plotlyLoaded();
    if (props.value) {
      const { data, layout } = readFigure();
      plane = layout.meta?.plane ? unpack(layout.meta.plane) : null;
      delete layout.meta;
      await Plotly.react(plot, data, layout, { ...CONFIG, displayModeBar: plane || props.square ? false : "hover" });
      rough?.remove();
      plot.dispatchEvent(new CustomEvent("cemviz-drawn", { bubbles: true }));
      if (plane && !glass.isConnected) plot.after(glass);
      if (!bound) bindEvents();
    } else if (bound) {
      await Plotly.react(plot, [], themed({ xaxis: { visible: false }, yaxis: { visible: false } }), CONFIG);
    }
  } catch (error) {
    console.error("live_plot:", error);
  } finally {
    busy = false;
    if (stale) {
      stale = false;
      draw();
    }
  }
}

// Plotly's own `responsive` listens to the window only, and misses a tab or a side bar that opens.
let width = 0;
new ResizeObserver(([entry]) => {
  const changed = entry.contentRect.width !== width;
  width = entry.contentRect.width;
  if (!changed || width === 0) return;
  plot.style.height = `${heightNow()}px`;
  if (bound) window.Plotly.relayout(plot, { height: heightNow() }).then(() => window.Plotly.Plots.resize(plot));
}).observe(plot);

const themeObserver = new MutationObserver(() => (element.isConnected ? draw() : themeObserver.disconnect()));
themeObserver.observe(document.body, { attributes: true, attributeFilter: ["class"] });

// Values that arrive faster than the screen refreshes are drawn once: Plotly.react works synchronously, and a queue of draws
// would keep the page from hearing a press on Pause.
let asked = false;
watch("value", () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
});
draw();
