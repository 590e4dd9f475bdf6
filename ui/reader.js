// The side panel: shows the cited sentence, and gives focus back on closing (Gradio's js_on_load).
const panel = element.closest("#reader");

const close = () => {
  if (!props.value) return;
  props.value = "";
  if (window.datelineOpener?.isConnected) window.datelineOpener.focus({ preventScroll: true });
};

element.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) close();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") close();
});

watch("value", () => {
  if (!element.querySelector(".source")) return;
  const cited = element.querySelector("#cited");
  // Not scrollIntoView: it would scroll the conversation behind the panel as well.
  if (cited) {
    const offset = cited.getBoundingClientRect().top - panel.getBoundingClientRect().top;
    panel.scrollTop += offset - panel.clientHeight / 3;
  } else {
    panel.scrollTop = 0;
  }
  element.querySelector("[data-close]")?.focus({ preventScroll: true });
});
