"use strict";
// One sound at a time; a button plays the sound that it names, and shows how far it is.
document.documentElement.classList.add("js");
let playing = null;
const buttonsOf = (sound) => document.querySelectorAll(`.play[data-sound="${CSS.escape(sound.id)}"]`);
const show = (sound, on) => buttonsOf(sound).forEach((button) => {
  button.setAttribute("aria-pressed", String(on));
  if (!on) button.style.removeProperty("--done");
});
const endOf = (sound) => {
  const stretch = /#t=([\d.]+),([\d.]+)$/.exec(sound.getAttribute("src"));
  return stretch ? [Number(stretch[1]), Number(stretch[2])] : [0, sound.duration];
};
const stop = () => {
  if (!playing) return;
  playing.pause();
  show(playing, false);
  playing = null;
};
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.play");
  if (!button) return;
  const sound = document.getElementById(button.dataset.sound);
  const again = sound === playing;
  stop();
  if (again) return;
  playing = sound;
  show(sound, true);
  const [start] = endOf(sound);
  try {
    if (sound.readyState > 0) sound.currentTime = start;
    await sound.play();
  } catch (error) {
    if (error.name === "AbortError") return;
    stop();
    button.classList.add("lost");
    button.setAttribute("title", "The file is not beside this page, or this browser cannot play it.");
  }
});
document.querySelectorAll("audio").forEach((sound) => {
  sound.addEventListener("timeupdate", () => {
    const [start, end] = endOf(sound);
    const done = (sound.currentTime - start) / (end - start);
    if (sound !== playing || !(done >= 0)) return;
    buttonsOf(sound).forEach((button) => button.style.setProperty("--done", `${Math.min(1, done) * 100}%`));
    if (sound.currentTime >= end) stop();
  });
  sound.addEventListener("ended", () => sound === playing && stop());
});

// What is filtered: lines, targets and details, by state, language and text.
const items = [...document.querySelectorAll("[data-filter]")];
const targets = items.filter((item) => "target" in item.dataset);
const chips = [...document.querySelectorAll("[data-chip]")];
const language = document.getElementById("language");
const text = document.getElementById("text");
const shown = document.getElementById("shown");
const filter = () => {
  const states = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.chip);
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of items) {
    const { state, language: spoken, text: said } = item.dataset;
    item.hidden = (states.length > 0 && !states.includes(state))
      || (language.value !== "" && spoken !== language.value)
      || !words.every((word) => said.includes(word));
  }
  const left = targets.filter((item) => !item.hidden).length;
  shown.textContent = left === targets.length ? "" : `${left} of ${targets.length} targets`;
};
chips.forEach((chip) => chip.addEventListener("click", () => {
  chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
  filter();
}));
language.addEventListener("change", filter);
text.addEventListener("input", filter);
document.querySelector(".filter").addEventListener("submit", (event) => event.preventDefault());

// A link into a target in detail opens it.
const open = () => {
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = place && place.closest("details");
  if (!folded) return;
  folded.open = true;
  folded.hidden = false;
  place.scrollIntoView();
};
window.addEventListener("hashchange", open);
open();

document.querySelectorAll(".copy").forEach((button) => button.addEventListener("click", async () => {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}));
