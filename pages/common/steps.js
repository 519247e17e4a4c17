// Each step of the browser's Back is something that the reader did. When the page changes, Streamlit adds steps of its
// own: the path of one page with the choices of the other. It also adds a step when a page that was just opened completes
// its address. Going back to such a step would show a view that the reader never chose.
// No tag may stand in this file: Streamlit takes scripts with tags out of a page.
(() => {
  if (window.tickwellSteps) return;
  window.tickwellSteps = true;

  let isArriving = true; // the reader did nothing since the page was opened
  let isWritten = false; // the address changed since the reader did something

  const note = (arriving, written) => () => ([isArriving, isWritten] = [arriving, written]);
  ["pointerdown", "keydown", "click"].forEach((kind) => window.addEventListener(kind, note(false, false), true));
  window.addEventListener("popstate", note(true, true), true); // the step is there already

  const { pushState, replaceState } = window.history;
  window.history.pushState = function (state, title, url) {
    const isOtherPage = new URL(url ?? location.href, location.href).pathname !== location.pathname;
    const isStep = isOtherPage ? !isWritten : !isArriving;
    isArriving ||= isOtherPage;
    isWritten = true;
    return (isStep ? pushState : replaceState).call(this, state, title, url);
  };
})();
