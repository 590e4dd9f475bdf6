// Runs once per HTML component that holds passages, chips or folds (Gradio's js_on_load).
// Gradio rewrites such a component's markup by patching nodes in place: buttons stay the same
// nodes, but a patch drops what only the browser knew (an opened fold, focus in replaced markup).
const folds = new Set();
let focused = null;

const keyOf = (button) => [button.dataset.article, button.dataset.start, button.className].join("|");

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-article]");
  if (!button) return;
  window.datelineOpener = button;
  trigger("open", {
    article: button.dataset.article,
    start: Number(button.dataset.start),
    end: Number(button.dataset.end),
  });
});

// toggle does not bubble; capture reaches it. It fires after a patch has been mended below.
element.addEventListener("toggle", (event) => {
  const key = event.target.dataset.keep;
  if (!key) return;
  if (event.target.open) folds.add(key);
  else folds.delete(key);
}, true);

element.addEventListener("focusin", (event) => {
  const button = event.target.closest("button[data-article]");
  focused = button ? keyOf(button) : null;
});
element.addEventListener("focusout", (event) => {
  // A button removed by a patch also loses focus, but to nothing and while already detached.
  if (event.relatedTarget || event.target.isConnected) focused = null;
});

watch("value", () => {
  for (const fold of element.querySelectorAll("details[data-keep]")) {
    if (folds.has(fold.dataset.keep)) fold.open = true;
  }
  if (focused && document.activeElement === document.body) {
    const buttons = [...element.querySelectorAll("button[data-article]")];
    buttons.find((button) => keyOf(button) === focused)?.focus({ preventScroll: true });
  }
  const asked = element.querySelector(".looking");
  if (asked) asked.closest(".turn").scrollIntoView({ block: "start" });
});
