// The browser counts on from what the server said last, so that a page without its server does not look fresh.

const lines = new WeakMap();

const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

// As age_in_words of store/health/status.py writes it.
function inWords(seconds) {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  return `${Math.max(0, Math.floor(seconds / size))} ${unit}`;
}

// The monotonic clock stands still while a machine sleeps, and the other clock may be set back: the larger time counts.
const sinceS = ({ monotonic, clock }) => Math.max(performance.now() - monotonic, Date.now() - clock) / 1000;

// Streamlit may call us again with what it has already, and may mount us anew. Neither is word from the server.
function hear({ at_s }) {
  const last = window.tickwellHeard;
  if (last?.at_s === at_s) return last;
  return (window.tickwellHeard = { at_s, late_s: lateS(last, at_s), monotonic: performance.now(), clock: Date.now() });
}

// A refresh that was held up on its way tells of a past moment: more time passed here than at the server. Refreshes
// that were held up together come in a burst, and only the last of them may be new. A clock that was set ahead here
// makes one refresh look late.
function lateS(last, at_s) {
  if (!last) return 0;
  const here_s = sinceS(last);
  const there_s = at_s - last.at_s;
  const isBurst = here_s < there_s / 2;
  return Math.max(0, here_s - there_s + (isBurst ? last.late_s : 0));
}

function stateOf(told, heard) {
  const silence_s = heard.late_s + sinceS(heard);
  const age_s = told.age_s === null ? null : told.age_s + silence_s;
  if (silence_s >= told.silent_after_s) {
    const age = age_s === null ? "" : `; the newest price here is ${inWords(age_s)} old`;
    return { kind: "silent", words: `No word from the server for ${inWords(silence_s)}${age}.` };
  }
  if (!told.before) return { kind: "quiet", words: "" };
  const isOld = age_s !== null && age_s > told.stale_after_s;
  const age = age_s === null ? "" : `${inWords(age_s)} old`;
  return { kind: isOld ? "old" : told.mark, words: `${told.before}${age}${told.after}.` };
}

const CHANGES = {
  fresh: "Prices are fresh.",
  old: "The newest price is old.",
  failing: "A part of the recording fails.",
  silent: "The server is silent.",
};

function draw(root, line) {
  const { kind, words } = stateOf(line.told, line.heard);
  const all = `${words} ${line.told.end}`.trim();
  // Not compared with the page: there the browser may have translated the words.
  if (line.words !== all) root.querySelector(".words").textContent = all;
  line.words = all;
  const before = root.dataset.kind;
  if (kind === before) return;
  root.dataset.kind = kind;
  if (before) root.querySelector(".change").textContent = CHANGES[kind] ?? "";
}

function start(root) {
  const line = {};
  const drawNow = () => draw(root, line);
  const timer = setInterval(drawNow, 1000);
  document.addEventListener("visibilitychange", drawNow); // timers of a hidden tab are late
  line.stop = () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", drawNow);
  };
  lines.set(root, line);
  return line;
}

export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".tickwell-pulse");
  const line = lines.get(root) ?? start(root);
  Object.assign(line, { told: data, heard: hear(data) });
  draw(root, line);
  // Streamlit also calls this function after a call that another one overtook.
  return () => root.isConnected || line.stop();
}
