// The kiosk's only standing script.  Every page works without it; it adds four things that HTML cannot do alone:
//   1. never leave the page while the server is away (no white screen that nobody can get rid of),
//   2. one press is one deposit (no double submit), and the press is seen at once,
//   3. "Still there?" counts down and is answered without losing what has been chosen,
//   4. pages that refresh themselves change without flicker.
"use strict";

const RETRY_MS = 2000;
const PROBE_MS = 3000;
const QUIET = ["attract", "out_of_order", "judging", "sorting"]; // nobody chooses anything there: their content may be changed in place
const notice = document.getElementById("notice");

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function serverAnswers() {
  try {
    const answer = await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) });
    return answer.ok;
  } catch {
    return false;
  }
}

async function untilServerAnswers() {
  while (!(await serverAnswers())) {
    notice.textContent = notice.dataset.reconnecting;
    await sleep(RETRY_MS);
  }
  notice.textContent = "";
}

// ---- what the person has chosen survives a reload of the same deposit (language, "Still there?", refresh) ----

const photo = (html = document) => html.querySelector(".photo img")?.getAttribute("src");

document.addEventListener("change", (event) => {
  if (event.target.matches("[name=waste_type]")) {
    sessionStorage.setItem("choice", JSON.stringify({ photo: photo(), value: event.target.value }));
  }
});

function restoreChoice() {
  const kept = JSON.parse(sessionStorage.getItem("choice") ?? "null");
  if (!kept || kept.photo !== photo()) return;
  const radio = [...document.querySelectorAll("#confirm [name=waste_type]")].find((one) => one.value === kept.value);
  if (radio) radio.checked = true;
}

// ---- nothing chosen yet: said by the page, as the browser's own words may be in another language ----

const pleaseChoose = () => document.querySelector("[data-please-choose]");

function isChoiceMissing(form) {
  if (form.id !== "confirm" || form.querySelector(":checked")) return false;
  pleaseChoose().hidden = false;
  form.querySelector("[name=waste_type]").focus();
  return true;
}

document.addEventListener("change", () => pleaseChoose()?.setAttribute("hidden", ""));

// ---- presses ----

let leaving = false;

function press(control) {
  leaving = true;
  control?.classList.add("is-pressed");
  control?.setAttribute("aria-busy", "true");
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  if (leaving || isChoiceMissing(form)) return;
  press(event.submitter ?? form.querySelector("button"));
  clearTimeout(refreshing);
  if (form.closest(".still")) return stay(form);
  await untilServerAnswers();
  HTMLFormElement.prototype.submit.call(form); // natively: the answer is a page like any other
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[href]");
  if (!link) return;
  event.preventDefault();
  if (leaving) return;
  press(link);
  await untilServerAnswers();
  location.assign(link.href);
});

// A page that comes back from the browser's memory must not still believe that it is leaving.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// ---- refreshes ----

let refreshing;

function armRefresh() {
  clearTimeout(refreshing);
  const { refreshSeconds, refreshUrl } = document.body.dataset;
  if (refreshSeconds === undefined) return;
  refreshing = setTimeout(refresh, Number(refreshSeconds) * 1000, refreshUrl);
}

async function refresh(url) {
  try {
    takeOver(await page(await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(2 * PROBE_MS) })), url);
  } catch {
    await untilServerAnswers();
    refreshing = setTimeout(refresh, RETRY_MS, url);
  }
}

async function page(answer) {
  return { html: new DOMParser().parseFromString(await answer.text(), "text/html"), url: answer.url };
}

const sameStep = (html) =>
  ["page", "state"].every((name) => html.body.dataset[name] === document.body.dataset[name]) &&
  html.documentElement.lang === document.documentElement.lang &&
  photo(html) === photo();

// Another step: go there.  The same step: change as little as possible, so that nothing flickers and whatever has been
// chosen (a tile, a photo) is still chosen.
function takeOver({ html }, url) {
  if (leaving) return;
  const quiet = QUIET.includes(document.body.dataset.page) && html.body.dataset.page === document.body.dataset.page;
  if (html.documentElement.lang !== document.documentElement.lang || !(quiet || sameStep(html))) return location.replace(url);
  takeClock(html);
  if (quiet) {
    const [old, fresh] = [document.querySelector("main"), html.querySelector("main")];
    if (withoutTokens(old) !== withoutTokens(fresh)) old.replaceWith(document.adoptNode(fresh));
  }
  const panel = html.querySelector(".still");
  if (panel && !document.querySelector(".still")) {
    document.querySelectorAll("header, main, nav").forEach((one) => one.setAttribute("inert", ""));
    document.body.prepend(document.adoptNode(panel));
    panel.querySelector("button").focus();
    countDown();
  }
  armRefresh();
}

function takeClock(html) {
  for (const name of Object.keys(document.body.dataset)) delete document.body.dataset[name];
  Object.assign(document.body.dataset, html.body.dataset);
}

function withoutTokens(element) {
  const copy = element.cloneNode(true);
  copy.querySelectorAll("[name=csrf_token]").forEach((one) => one.remove());
  return copy.innerHTML;
}

// ---- countdowns, "Still there?" ----

function countDown() {
  for (const shown of document.querySelectorAll("[data-countdown]:not(.is-ticking)")) {
    shown.classList.add("is-ticking");
    const end = performance.now() + Number(shown.closest("[data-seconds]").dataset.seconds) * 1000;
    const ticking = setInterval(() => {
      shown.textContent = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      if (!shown.isConnected || performance.now() >= end) clearInterval(ticking);
    }, 250);
  }
}

async function stay(form) {
  await untilServerAnswers();
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), signal: AbortSignal.timeout(2 * PROBE_MS) });
    const { html, url } = await page(answer);
    if (!sameStep(html) || html.querySelector(".still")) return location.replace(url);
    form.closest(".still").remove();
    document.querySelectorAll("[inert]").forEach((one) => one.removeAttribute("inert"));
    takeClock(html);
    leaving = false;
    (document.querySelector("main .button--main") ?? document.querySelector("main button"))?.focus();
    armRefresh();
  } catch {
    HTMLFormElement.prototype.submit.call(form);
  }
}

restoreChoice();
countDown();
armRefresh();
