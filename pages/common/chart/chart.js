// One chart over Plotly.react: it is redrawn in place, so zoom and hover outlive each refresh.
const charts = new WeakMap();

function load(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    const fail = () => {
      script.remove();
      reject(new Error("not served"));
    };
    script.onload = () => (window.Plotly ? resolve(window.Plotly) : fail());
    script.onerror = fail;
    document.head.append(script);
  });
}

// A load that fails in passing is tried once more.
function plotly(url) {
  window.tickwellPlotly ??= load(url)
    .catch(() => new Promise((go) => setTimeout(go, 1000)).then(() => load(url)))
    .catch((error) => {
      window.tickwellPlotly = undefined;
      throw error;
    });
  return window.tickwellPlotly;
}

function themeOf(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const palette = read("chart-categorical-colors").split(",");
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
    palette,
    first: palette[0],
    second: palette[1],
  };
}

// STYLES is styles.json; paint.py does the same with it.
function filled(style, theme) {
  if (style instanceof Object && !Array.isArray(style)) {
    return Object.fromEntries(Object.entries(style).map(([name, part]) => [name, filled(part, theme)]));
  }
  const [, name, opacity] = (typeof style === "string" && style.match(/^\$([a-z]+)(\d*)$/)) || [];
  return name ? (opacity ? theme[name] + opacity : theme[name]) : style;
}

function paint(trace, theme) {
  const { series = 0, part, severity } = trace.meta;
  const { palette } = theme;
  const dash = STYLES.dashes[Math.floor(series / palette.length) % STYLES.dashes.length];
  const colors = { ...theme, series: palette[series % palette.length], dash };
  Object.assign(trace, filled(STYLES.parts[severity ?? part], colors));
}

// No range reaches beyond these times, as views.py has it. Plotly draws none beyond the year 9999.
const [EARLIEST, LATEST] = [Date.UTC(2001, 0), Date.UTC(2101, 0)];

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
    if (trace.x?.bdata && layout.xaxis.type === "date") trace.x = times(trace.x);
  });
  state.offset = layout.meta?.offset;
  state.view = `${state.data.view} ${state.offset}`; // a zoom means other times under another offset
  const touch = matchMedia("(pointer: coarse)").matches; // on touch screens a drag scrolls the page
  const { view } = state;
  const { height } = state.data;
  const dragmode = touch ? false : "zoom";
  const template = { layout: filled(STYLES.layout, theme) };
  Object.assign(layout, { template, dragmode, uirevision: view, height, autosize: true });
  // We keep the zoom ourselves: Plotly's uirevision drops it as soon as the range below it moves on, and keeps it until
  // then, also after a zoom out.
  layout.xaxis.uirevision = false;
  // It ends with its view: the same view may come again in another session, such as after a restart of the server.
  if (state.zoom?.view !== view) state.zoom = undefined;
  const narrow = state.root.clientWidth < 500;
  if (narrow && layout.meta?.narrow) layout.xaxis.range = layout.meta.narrow;
  if (state.zoom) layout.xaxis.range = state.zoom.range;
  if (narrow) layout.xaxis.nticks = 4;
  return { data, layout };
}

async function draw(state, Plotly) {
  const { data, layout } = figureOf(state);
  await Plotly.react(state.plot, data, layout, { ...STYLES.config, doubleClick: false });
  if (state.listening) return;
  state.listening = true;
  state.root.classList.add("drawn");
  listen(state, Plotly);
}

function listen(state, Plotly) {
  const { plot } = state;
  plot.on("plotly_relayout", (change) => {
    if (!("xaxis.range[0]" in change)) return;
    const range = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    state.zoom = { view: state.view, range };
    if (state.data.zooms) state.send("zoomed", range.map((at) => wall(plot._fullLayout.xaxis.d2c(at)) + state.offset));
  });
  const zoomOut = () => {
    state.zoom = undefined;
    if (state.data.zooms) state.send("zoomed", "out");
    else draw(state, Plotly);
  };
  plot.on("plotly_doubleclick", zoomOut);
  plot.on("plotly_click", ({ points: [point] }) => choose(state, point.customdata));
  new ResizeObserver(() => plot.isConnected && Plotly.Plots.resize(plot)).observe(state.root);
  state.root.onkeydown = (event) => onKey(event, state, Plotly, zoomOut);
}

// A point's customdata names what a reader chooses with it.
function choose(state, name) {
  if (state.data.chooses && name !== undefined) state.send("chosen", name);
}

// Arrow keys read one point after the other, + and - zoom, 0 shows the whole range again, Enter chooses what was read.
// With Ctrl, Alt or the like a key is the browser's, such as to zoom the page.
function onKey(event, state, Plotly, zoomOut) {
  const { plot } = state;
  const zoom = (factor) => {
    const { xaxis } = plot._fullLayout;
    const [start, end] = xaxis.range.map((at) => xaxis.r2l(at)); // on a logarithmic axis logarithms
    const [middle, half] = [(start + end) / 2, ((end - start) / 2) * factor];
    const [first, last] = xaxis.type === "date" ? [EARLIEST, LATEST] : [-Infinity, Infinity];
    const range = [Math.max(middle - half, first), Math.min(middle + half, last)].map((at) => xaxis.l2r(at));
    Plotly.relayout(plot, { "xaxis.range[0]": range[0], "xaxis.range[1]": range[1] });
  };
  const keys = {
    ArrowLeft: () => read(state, Plotly, -rising(plot)),
    ArrowRight: () => read(state, Plotly, rising(plot)),
    "+": () => zoom(0.5),
    "-": () => zoom(2),
    0: zoomOut,
    Enter: () => choose(state, state.last?.custom),
  };
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
}

// 1 where the axis rises to the right, -1 where it falls.
const rising = ({ _fullLayout: { xaxis } }) => Math.sign(xaxis.r2c(xaxis.range[1]) - xaxis.r2c(xaxis.range[0]));

const viewOf = ({ _fullLayout: { xaxis } }) => xaxis.range.map((at) => xaxis.r2c(at)).sort((a, b) => a - b);

function read(state, Plotly, step) {
  const points = pointsInView(state.plot);
  const { last } = state;
  const order = (point) => Math.sign(point.x - last.x) || Math.sign(point.curveNumber - last.curveNumber);
  const [first, further] = step > 0 ? [points[0], (p) => order(p) > 0] : [points.at(-1), (p) => order(p) < 0];
  const next = last ? (step > 0 ? points.find(further) : points.findLast(further)) : first;
  if (!next) return;
  state.last = next;
  Plotly.Fx.hover(state.plot, [{ curveNumber: next.curveNumber, pointNumber: next.pointNumber }]);
  scrollTo(state, next.place);
  state.root.querySelector(".reading").textContent = next.words ?? `${next.name}, ${TIME.format(next.x)}: ${said(next)}`;
}

// What is read stays in sight in a chart that is wider than its box.
function scrollTo({ root, plot }, place) {
  const { xaxis } = plot._fullLayout;
  root.scrollLeft = xaxis._offset + xaxis.c2p(place) - root.clientWidth / 2;
}

const TIME = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" }); // x is wall-clock time

// A value with the digits and the unit that the chart shows; short times in milliseconds.
function said({ value, digits, unit }) {
  if (unit === "s") {
    const short = Math.abs(value) < 1;
    return `${(short ? 1000 * value : value).toLocaleString("en", { maximumSignificantDigits: 3 })} ${short ? "ms" : "s"}`;
  }
  const number = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return unit ? `${number} ${value === 1 ? unit.replace(/s$/, "") : unit}` : number;
}

// The words of a hover box without its HTML.
const plain = (html) => html?.replaceAll("<br>", ", ").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

const UNREAD = new Set(["band", "alone", "whiskers", "outline", "reach", "middle", "few"]);

function pointsInView(plot) {
  const [start, end] = viewOf(plot);
  const pointsOf = (trace, curveNumber) =>
    Array.from(trace.x, (x, pointNumber) => ({
      ...{ curveNumber, pointNumber, name: trace.name, words: plain(trace.hovertext?.[pointNumber]), ...trace.meta },
      place: plot._fullLayout.xaxis.d2c(x),
      x: plot._fullLayout.xaxis.d2c(x) + (trace.base?.[pointNumber] ?? 0) * 3.6e6, // the hour of a calendar's square
      value: (trace.y ?? trace.close)[pointNumber],
      custom: trace.customdata?.[pointNumber],
    }));
  return plot._fullData
    .flatMap((trace, number) => (UNREAD.has(trace.meta.part) ? [] : pointsOf(trace, number)))
    .filter(({ place, value }) => place >= start && place <= end && Number.isFinite(value))
    .sort((a, b) => a.x - b.x || a.curveNumber - b.curveNumber);
}

export default function ({ parentElement, data, setTriggerValue, setStateValue }) {
  const root = parentElement.querySelector(".tickwell-chart");
  const state = charts.get(root) ?? { root, plot: root.querySelector(".plot") };
  charts.set(root, Object.assign(state, { data, send: setTriggerValue }));
  root.style.height = `${data.height}px`;
  state.plot.style.minWidth = `${data.least_width}px`;
  root.style.overflow = data.least_width ? "auto hidden" : "";
  const chooses = data.chooses ? " Enter chooses what was read." : "";
  root.setAttribute("aria-label", `${data.alt} Arrow keys read the points, plus and minus zoom, 0 shows all.${chooses}`);
  plotly(data.plotly)
    .then((Plotly) => root.isConnected && draw(state, Plotly))
    .catch((error) => (error.message === "not served" ? setStateValue("missing", true) : console.error(error)));
  return () => window.Plotly && !root.isConnected && window.Plotly.purge(state.plot);
}
