// The dashboard's only script: what is `data-live` is asked for again and exchanged where it has changed.  The page works
// without it (it then reloads once a minute), and what somebody has opened stays open.
"use strict";

const PATIENCE_MS = 8000;
const FOCUSED = "a, button, summary, [tabindex]";
const seconds = Number(document.body.dataset.liveSeconds);

const opened = (part) => [...part.querySelectorAll("details")].map((one) => one.open);

function exchange(old, fresh) {
  const open = opened(old);
  fresh.querySelectorAll("details").forEach((one, at) => (one.open = open[at] ?? one.open));
  if (old.innerHTML === fresh.innerHTML) return;
  const focused = [...old.querySelectorAll(FOCUSED)].indexOf(document.activeElement);
  const before = new Map([...old.querySelectorAll("[data-number]")].map((one) => [one.dataset.number, one.textContent]));
  old.replaceChildren(...fresh.childNodes);
  if (focused >= 0) old.querySelectorAll(FOCUSED)[focused]?.focus({ preventScroll: true });
  for (const one of old.querySelectorAll("[data-number]")) {
    one.classList.toggle("is-fresh", before.get(one.dataset.number) !== one.textContent);
  }
}

async function look() {
  try {
    if (!document.hidden) {
      const answer = await fetch(location.href, { cache: "no-store", headers: { "X-Triof-Look": "1" }, signal: AbortSignal.timeout(PATIENCE_MS) });
      if (answer.redirected) return location.reload(); // the login has ended
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const old of document.querySelectorAll("[data-live]")) {
          const fresh = page.getElementById(old.id);
          if (fresh) exchange(old, fresh);
        }
      }
      document.body.classList.toggle("is-away", !answer.ok);
    }
  } catch {
    document.body.classList.add("is-away");
  }
  setTimeout(look, seconds * 1000);
}

setTimeout(look, seconds * 1000);
