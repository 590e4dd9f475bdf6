// Filters the questions and opens the one that an address names. Reads what the page shows and sets no markup;
// without it everything can be read, only not filtered.
"use strict";

const form = document.querySelector(".filters");
const items = [...document.querySelectorAll(".item")];

const fits = (item, choice) =>
  ["outcome", "layer", "kind"].every((name) => !choice.get(name) || item.dataset[name] === choice.get(name)) &&
  (!choice.get("tags") || item.dataset.tags.split(" ").includes(choice.get("tags"))) &&
  (!choice.get("find").trim() || item.textContent.toLowerCase().includes(choice.get("find").trim().toLowerCase()));

function filter() {
  const choice = new FormData(form);
  for (const item of items) item.hidden = !fits(item, choice);
  const shown = items.filter((item) => !item.hidden).length;
  form.querySelector("output").textContent = `${shown} of ${items.length} shown`;
}

function show(chosen) {
  form.reset();
  for (const [name, value] of Object.entries(chosen)) form.elements[name].value = value;
  filter();
}

function openNamed() {
  const named = location.hash && document.getElementById(location.hash.slice(1));
  const item = named && named.closest(".item");
  if (!item) return;
  item.hidden = false;
  item.open = true;
  named.scrollIntoView();
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  for (const button of form.querySelectorAll("[data-fold]")) {
    button.addEventListener("click", () => {
      for (const item of items) if (!item.hidden) item.open = button.dataset.fold === "open";
    });
  }
  for (const link of document.querySelectorAll("a[data-layer]")) {
    link.addEventListener("click", () => show({ layer: link.dataset.layer, outcome: link.dataset.outcome }));
  }
  addEventListener("hashchange", openNamed);
  filter();
  openNamed();
}
