// The technician's script: the live picture with its readings, and the keypad.  Pages work without it: the keypad asks the
// server for each digit, and the picture is renewed by "Look again".
"use strict";

const PICTURE_MS = 700;
const WAIT_MS = 5000;
const picture = document.querySelector("[data-live-picture]");
const cut = document.querySelector("[data-cut]");
const pin = document.getElementById("pin");

// ---- keypad ----

pin?.addEventListener("click", (event) => {
  const key = event.target.closest("button[name]");
  if (!key) return;
  event.preventDefault();
  const typed = pin.elements.pin;
  typed.value = key.name === "digit" ? (typed.value + key.value).slice(0, typed.maxLength) : typed.value.slice(0, -1);
});

// ---- presses: a movement takes seconds, and one press is one movement ----

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("data-stays")) return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "1";
  event.submitter?.classList.add("is-pressed");
});

addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// ---- live picture ----

let best = 0;
const decimals = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function show(name, value) {
  const meter = document.querySelector(`[data-meter="${name}"]`);
  meter?.querySelector(".bar__part").setAttribute("width", Math.min(100, (100 * value) / Number(meter.dataset.most)));
  document.querySelector(`[data-reading="${name}"]`).textContent = decimals.format(value);
}

function read(headers) {
  const of = (name) => Number(headers.get(`X-Triof-${name}`));
  show("focus", of("Focus"));
  for (const name of ["Brightness", "Dark", "Bright"]) show(name.toLowerCase(), of(name));
  best = Math.max(best, of("Focus"));
  show("best", best);
  const slot = document.querySelector("[data-slot]");
  slot.textContent = slot.getAttribute(`data-${(headers.get("X-Triof-Slot") ?? "").replace("_", "-")}`) ?? "";
}

// A picture without a cut is judged as a whole.
async function renewCut() {
  const answer = await request("/technician/cut");
  if (answer.status === 200) take(cut, await answer.blob());
  else cut.src = picture.src;
}

const request = (url) => fetch(url, { cache: "no-store", headers: { "X-Triof-Look": "1" }, signal: AbortSignal.timeout(WAIT_MS) });

function take(image, blob) {
  const last = image.dataset.own;
  image.src = image.dataset.own = URL.createObjectURL(blob);
  if (last) URL.revokeObjectURL(last);
}

async function renew() {
  const fault = document.querySelector("[data-picture-fault]");
  try {
    if (!document.hidden) {
      const answer = await request("/technician/picture");
      if (answer.redirected) return location.reload();
      if (answer.ok) {
        take(picture, await answer.blob());
        read(answer.headers);
        fault.textContent = "";
        await renewCut();
      } else {
        fault.textContent = `${answer.headers.get("X-Triof-Code") ?? ""} ${await answer.text()}`;
      }
    }
  } catch {
    // The page says that the server does not answer (dashboard.js).
  }
  setTimeout(renew, PICTURE_MS);
}

if (picture) renew();
