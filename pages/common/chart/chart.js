// One chart over Plotly.react: it is redrawn in place, so zoom and hover outlive each refresh.
const charts = new WeakMap();

function plotly(url) {
  window.tickwellPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => (window.Plotly ? resolve(window.Plotly) : reject(new Error("not served")));
    script.onerror = () => reject(new Error("not served"));
    document.head.append(script);
  });
  return window.tickwellPlotly;
}

function themeOf(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  return {
    text: read("text-color"),
    muted: read("gray-text-color"),
    background: read("background-color"),
    grid: read("border-color-light"),
    border: read("border-color"),
    up: read("green-color"),
    down: read("red-color"),
    orange: read("orange-color"),
    font: read("font"),
    palette: read("chart-categorical-colors").split(","),
  };
}

function template(theme) {
  const axis = { gridcolor: theme.grid, linecolor: theme.border, zeroline: false, tickcolor: theme.border };
  return {
    layout: {
      font: { family: theme.font, size: 13, color: theme.muted },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      colorway: theme.palette,
      xaxis: { ...axis, showgrid: false, showspikes: true, spikemode: "across", spikethickness: 1, spikedash: "dot", spikecolor: theme.muted },
      yaxis: axis,
      hoverlabel: { bgcolor: theme.background, bordercolor: theme.border, font: { family: theme.font, size: 13, color: theme.text } },
      legend: { font: { color: theme.text } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.muted, activecolor: theme.text },
      shapedefaults: { line: { color: theme.muted } },
    },
  };
}

// The worse an hour, the more its square stands out; hatching shows the class without colours.
const hatched = (color, theme, shape) => ({
  color,
  line: { color, width: 1 },
  pattern: { shape, fillmode: "overlay", fgcolor: theme.background, fgopacity: 1, size: 5, solidity: 0.3 },
});
const HOURS = {
  live: (theme) => ({ color: `${theme.up}59` }),
  healed: (theme) => hatched(theme.palette[0], theme, "/"),
  missing: (theme) => ({ color: theme.palette[1] }),
  lost: (theme) => hatched(theme.down, theme, "x"),
};

// The worse an alert, the larger its mark; the shape shows the severity without colours.
const ALERTS = {
  info: (theme) => ({ color: theme.muted, symbol: "circle", size: 8 }),
  warning: (theme) => ({ color: theme.orange, symbol: "triangle-up", size: 11 }),
  critical: (theme) => ({ color: theme.down, symbol: "diamond", size: 13 }),
};

// Up is hollow and down is filled, so that candles can be read without colours.
function paint(trace, theme) {
  const { series, part } = trace.meta ?? {};
  const color = theme.palette[series % theme.palette.length];
  const dash = ["solid", "dash", "dot"][Math.floor(series / theme.palette.length) % 3];
  if (part === "line") trace.line = { color, width: 2, dash };
  if (part === "averages") Object.assign(trace, { line: { color, width: 1.5, dash: "4px,2px" } });
  if (part === "band") Object.assign(trace, { line: { width: 0 }, fillcolor: `${color}33` });
  if (part === "alone") trace.marker = { color, size: 4 };
  if (part === "bars") trace.marker = { color };
  if (part === "alert") {
    trace.marker = { ...ALERTS[trace.meta.severity](theme), line: { color: theme.background, width: 1.5 } };
  }
  if (part in HOURS) trace.marker = HOURS[part](theme);
  if (part === "candles") {
    trace.increasing = { line: { color: theme.up, width: 1.5 }, fillcolor: theme.background };
    trace.decreasing = { line: { color: theme.down, width: 1.5 }, fillcolor: theme.down };
  }
}

const wall = (ms) => new Date(ms).toISOString().replace("T", " ").replace("Z", "");

function times({ bdata }) {
  const bytes = Uint8Array.from(atob(bdata), (char) => char.charCodeAt(0));
  return Array.from(new Float64Array(bytes.buffer), wall);
}

function figureOf(state) {
  const theme = themeOf(state.root);
  const { data, layout } = JSON.parse(state.data.figure);
  data.forEach((trace) => {
    paint(trace, theme);
    if (trace.x?.bdata) trace.x = times(trace.x);
  });
  const touch = matchMedia("(pointer: coarse)").matches; // on touch screens a drag scrolls the page
  const { view, height } = state.data;
  const dragmode = touch ? false : "zoom";
  Object.assign(layout, { template: template(theme), dragmode, uirevision: view, height, autosize: true });
  // We keep the zoom ourselves: Plotly's uirevision drops it as soon as the range below it moves on.
  if (state.zoom?.view === view) layout.xaxis.range = state.zoom.range;
  if (state.root.clientWidth < 500) layout.xaxis.nticks = 4;
  return { data, layout };
}

async function draw(state, Plotly) {
  const { data, layout } = figureOf(state);
  await Plotly.react(state.plot, data, layout, { displayModeBar: false, doubleClick: false });
  if (state.listening) return;
  state.listening = true;
  state.root.classList.add("drawn");
  listen(state, Plotly);
}

function listen(state, Plotly) {
  const { plot } = state;
  plot.on("plotly_relayout", (change) => {
    if (!("xaxis.range[0]" in change)) return;
    state.zoom = { view: state.data.view, range: [change["xaxis.range[0]"], change["xaxis.range[1]"]] };
    if (state.data.zooms) state.send("zoomed", state.zoom.range);
  });
  const zoomOut = () => {
    state.zoom = undefined;
    if (state.data.zooms) state.send("zoomed", "out");
    else draw(state, Plotly);
  };
  plot.on("plotly_doubleclick", zoomOut);
  new ResizeObserver(() => plot.isConnected && Plotly.Plots.resize(plot)).observe(state.root);
  state.root.onkeydown = (event) => onKey(event, state, Plotly, zoomOut);
}

// Arrow keys read one point after the other, + and - zoom, 0 shows the whole range again.
function onKey(event, state, Plotly, zoomOut) {
  const { plot } = state;
  const zoom = (factor) => {
    const [start, end] = viewOf(plot);
    const [middle, half] = [(start + end) / 2, ((end - start) / 2) * factor];
    Plotly.relayout(plot, { "xaxis.range[0]": wall(middle - half), "xaxis.range[1]": wall(middle + half) });
  };
  const keys = {
    ArrowLeft: () => read(state, Plotly, -1),
    ArrowRight: () => read(state, Plotly, 1),
    "+": () => zoom(0.5),
    "-": () => zoom(2),
    0: zoomOut,
  };
  if (!(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
}

const viewOf = ({ _fullLayout: { xaxis } }) => xaxis.range.map((at) => xaxis.d2c(at));

function read(state, Plotly, step) {
  const points = pointsInView(state.plot);
  const { last } = state;
  const order = (point) => Math.sign(point.x - last.x) || Math.sign(point.curveNumber - last.curveNumber);
  const [first, further] = step > 0 ? [points[0], (p) => order(p) > 0] : [points.at(-1), (p) => order(p) < 0];
  const next = last ? (step > 0 ? points.find(further) : points.findLast(further)) : first;
  if (!next) return;
  state.last = next;
  Plotly.Fx.hover(state.plot, [{ curveNumber: next.curveNumber, pointNumber: next.pointNumber }]);
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });
  // x is already wall-clock time
  const words = next.words?.replaceAll("<br>", ", ") ?? `${next.name}, ${format.format(next.x)}: ${next.price.toLocaleString()}`;
  state.root.querySelector(".reading").textContent = words;
}

const READ = new Set(["line", "averages", "candles", "bars", "alert", ...Object.keys(HOURS)]);

function pointsInView(plot) {
  const [start, end] = viewOf(plot);
  const pointsOf = (trace, curveNumber) =>
    Array.from(trace.x, (x, pointNumber) => ({
      ...{ curveNumber, pointNumber, name: trace.name, words: trace.hovertext?.[pointNumber] },
      x: plot._fullLayout.xaxis.d2c(x) + (trace.base?.[pointNumber] ?? 0) * 3.6e6, // the hour of a calendar's square
      price: (trace.y ?? trace.close)[pointNumber],
    }));
  return plot._fullData
    .flatMap((trace, number) => (READ.has(trace.meta?.part) ? pointsOf(trace, number) : []))
    .filter(({ x, price }) => x >= start && x <= end && Number.isFinite(price))
    .sort((a, b) => a.x - b.x || a.curveNumber - b.curveNumber);
}

export default function ({ parentElement, data, setTriggerValue, setStateValue }) {
  const root = parentElement.querySelector(".tickwell-chart");
  const state = charts.get(root) ?? { root, plot: root.querySelector(".plot") };
  charts.set(root, Object.assign(state, { data, send: setTriggerValue }));
  root.style.height = `${data.height}px`;
  root.setAttribute("aria-label", `${data.alt} Arrow keys read the points, plus and minus zoom, 0 shows all.`);
  plotly(data.plotly)
    .then((Plotly) => root.isConnected && draw(state, Plotly))
    .catch((error) => (error.message === "not served" ? setStateValue("missing", true) : console.error(error)));
  return () => window.Plotly && !root.isConnected && window.Plotly.purge(state.plot);
}
