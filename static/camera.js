// Only for machines whose camera belongs to the browser.  Shows what the camera sees and takes the photo when the main
// button is pressed.  Whatever goes wrong (no camera, no permission, an old browser), the file control of the page
// stays as it is and does the same work with one touch more.
"use strict";

const form = document.getElementById("photo");
const input = document.getElementById("image");
const chooser = input.closest(".chooser");
const video = document.querySelector("video.live");
const drawing = document.querySelector(".scene--drop");
const WIDTH = { ideal: 1280 };

let live = null;

function fallBack() {
  live?.getTracks().forEach((track) => track.stop());
  live = null;
  video.hidden = true;
  drawing.classList.remove("is-gone");
  chooser.hidden = false;
  input.required = true;
}

async function look() {
  try {
    live = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "environment", width: WIDTH } });
    video.srcObject = live;
    await video.play();
  } catch {
    return fallBack();
  }
  live.getVideoTracks()[0].addEventListener("ended", fallBack); // the plug came out
  video.hidden = false;
  drawing.classList.add("is-gone");
  chooser.hidden = true;
  input.required = false; // the photo is taken on submit, after the browser has checked what is required
}

async function takePhoto() {
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  if (!blob) throw new Error("the camera gave no picture");
  const files = new DataTransfer();
  files.items.add(new File([blob], "photo.jpg", { type: "image/jpeg" }));
  input.files = files.files;
}

// Runs before kiosk.js (which listens on the document): first the photo, then the form is sent like any other.
form.addEventListener("submit", async (event) => {
  if (!live || input.files.length) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const button = event.submitter ?? form.querySelector("button");
  try {
    await takePhoto();
  } catch {
    return fallBack();
  }
  form.requestSubmit(button);
});

input.addEventListener("change", () => {
  const shown = chooser.querySelector("[data-photo-name]");
  if (input.files.length) shown.textContent = input.files[0].name;
});

addEventListener("pagehide", () => live?.getTracks().forEach((track) => track.stop()));

if (navigator.mediaDevices?.getUserMedia) look();
