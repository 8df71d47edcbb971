// Reads each step aloud (setting touchscreen.speech): its heading and the sentence below, in the language of the page.  The
// start page is silent, as it comes back after every deposit; a touch or a key stops the voice.
"use strict";

const voice = window.speechSynthesis;

function say() {
  voice.cancel();
  if (document.body.dataset.page === "attract") return;
  const from = document.querySelector(".still") ?? document.querySelector("main");
  for (const words of from.querySelectorAll("h1, h2, .lead, .alert, #still-text")) {
    if (!words.checkVisibility()) continue;
    const sentence = new SpeechSynthesisUtterance(words.textContent.trim().replace(/\s+/g, " "));
    sentence.lang = document.documentElement.lang;
    voice.speak(sentence);
  }
}

if (voice) {
  for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => voice.cancel(), { capture: true });
  addEventListener("pagehide", () => voice.cancel());
  document.addEventListener("step", say);
  say();
}
