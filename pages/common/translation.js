// A browser that translates a page puts a font element into the place of each text node. React goes on changing the text
// nodes that it made, and readers would see the old words for good. So a text node that changes comes back into its
// place, where the browser translates it anew.
// No tag may stand in this file: Streamlit takes scripts with tags out of a page.
(() => {
  if (window.tickwellBearsTranslation) return;
  window.tickwellBearsTranslation = true;

  const places = new WeakMap();
  const taken = new WeakSet();

  function restore(node) {
    const font = node && places.get(node);
    if (!font) return;
    places.delete(node);
    if (font.isConnected) font.replaceWith(node);
  }

  const changed = new MutationObserver((changes) => changes.forEach(({ target }) => restore(target)));

  function note({ addedNodes, removedNodes, previousSibling, nextSibling }) {
    const font = [...addedNodes, previousSibling, nextSibling].find((each) => each?.nodeName === "FONT" && !taken.has(each));
    const text = [...removedNodes].find((each) => each.nodeType === Node.TEXT_NODE && !each.isConnected);
    if (!font || !text) return;
    taken.add(font);
    places.set(text, font);
    changed.observe(text, { characterData: true });
  }

  new MutationObserver((changes) => changes.forEach(note)).observe(document.body, { childList: true, subtree: true });

  // React fails when it removes a text node that is not there, or puts something before it.
  const { removeChild, insertBefore } = Node.prototype;
  Node.prototype.removeChild = function (child) {
    restore(child);
    return removeChild.call(this, child);
  };
  Node.prototype.insertBefore = function (node, child) {
    restore(child);
    return insertBefore.call(this, node, child);
  };
})();
