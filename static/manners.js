// How the touchscreen behaves: a resting or sliding finger opens no menu and drags nothing, and each step begins at its
// heading, for keyboards and screen readers.  Pinching and selecting are switched off in kiosk.css; the keyboard enlarges
// as ever.
"use strict";

for (const gesture of ["contextmenu", "dragstart"]) document.addEventListener(gesture, (event) => event.preventDefault());

function beginAtHeading() {
  const heading = document.querySelector("h1");
  if (!heading || document.querySelector(".still")) return; // "Still there?" has the focus on its button
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

document.addEventListener("step", beginAtHeading); // kiosk.js has changed the page in place
beginAtHeading();
