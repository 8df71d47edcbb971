// The labelling page works without this script; it adds keys, and keeps anybody from deciding about a photo unseen:
// a second press, or a key held down, must not reach the photo that comes next.
"use strict";

const LOOK_MS = 120; // nobody has seen a photo that is there for less

const photo = document.getElementById("photo");
let leaving = false;
let seen = !photo;

function show() {
  setTimeout(() => {
    seen = true;
    document.body.dataset.ready = "";
  }, LOOK_MS);
}

if (photo?.complete ?? true) show();
else for (const event of ["load", "error"]) photo.addEventListener(event, show, { once: true });

document.addEventListener("submit", (event) => {
  if (leaving || !seen) return event.preventDefault();
  leaving = true;
  event.submitter?.classList.add("is-pressed");
});

// Back from another page the browser may show an old photo: the server knows which one it is.
addEventListener("pageshow", (event) => event.persisted && location.reload());

const labels = [...document.querySelectorAll(".label")];

function step(by) {
  const from = labels.indexOf(document.activeElement);
  labels[(from + by + (from < 0 && by < 0 ? 1 : 0) + labels.length) % labels.length]?.focus();
}

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key in STEPS) {
    event.preventDefault();
    return step(STEPS[event.key]);
  }
  if (event.repeat) {
    if (event.key !== "Tab") event.preventDefault();
    return;
  }
  // On a French keyboard the row of digits gives letters.
  const key = event.code.startsWith("Digit") ? event.code.slice(5) : event.key.toLowerCase();
  const button = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (button) button.click();
  else if (event.key === "Enter" && !document.activeElement?.closest("button, a")) document.querySelector(".is-now")?.click();
});
