// The sound: from the page itself or from the file beside it, and what is heard shown in the list and on the timeline.
const audio = $("audio");
let stopAt = null; // where a single turn ends
let held = null; // address of the sound made from this page

const position = () => (state.talk.sound && state.talk.timed && (audio.currentTime > 0 || !audio.paused) ? audio.currentTime : null);

function openPlayer() {
  audio.pause();
  audio.removeAttribute("src");
  if (held) URL.revokeObjectURL(held);
  held = null;
  stopAt = null;
  state.playing = -1;
  const sound = state.talk.sound;
  $("player").hidden = !sound;
  $("beside").hidden = sound !== "beside";
  if (sound === "inside") {
    const bytes = Uint8Array.from(atob($(`sound-${state.number}`).textContent), (c) => c.charCodeAt(0));
    held = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
    audio.src = held;
  } else if (sound === "beside") {
    $("beside").textContent = `The recording is too large for this page. It is played from its own file, ${decodeURIComponent(state.talk.address)}; keep the two together.`;
    audio.src = state.talk.address;
  }
}

function seek(time) {
  if (!state.talk.sound || !state.talk.timed) return;
  stopAt = null;
  audio.currentTime = time;
  moveHead();
}

function toggle() {
  if (!state.talk.sound) return;
  stopAt = null;
  if (audio.paused) begin(); else audio.pause();
}

function playTurn() {
  if (!state.talk.sound || !state.talk.timed || state.selected < 0 || !onLine(state.selected)) return;
  const turn = state.talk.turns[state.selected];
  audio.currentTime = turn.a;
  stopAt = Math.max(turn.b, turn.a + 0.3);
  begin();
}

/** Play; a browser that refuses says so in its own controls. */
function begin() {
  audio.play().catch(() => {});
}

function heard() {
  if (stopAt !== null && audio.currentTime >= stopAt) { audio.pause(); stopAt = null; }
  if (!state.talk.timed) return;
  let place = -1;
  if (!audio.paused) {
    for (const n of ordered()) {
      if (start(n) > audio.currentTime) break;
      if (end(n) > audio.currentTime) place = n;
    }
  }
  if (place !== state.playing) {
    rows[state.playing]?.classList.remove("playing");
    rows[place]?.classList.add("playing");
    state.playing = place;
    if (place >= 0 && $("follow").checked && stopAt === null && state.shown[place]) select(place, { scroll: true, quietly: true });
  }
  if (!audio.paused && $("follow").checked && (audio.currentTime > state.to || audio.currentTime < state.from)) {
    show(audio.currentTime - (state.to - state.from) * 0.1, audio.currentTime + (state.to - state.from) * 0.9);
  }
  moveHead();
}

function listenToPlayer() {
  const frame = () => { heard(); if (!audio.paused) requestAnimationFrame(frame); };
  audio.addEventListener("play", () => requestAnimationFrame(frame));
  for (const name of ["pause", "seeked", "timeupdate", "ended"]) audio.addEventListener(name, heard);
  audio.addEventListener("error", () => {
    if (!audio.getAttribute("src")) return;
    $("beside").hidden = false;
    $("beside").textContent = state.talk.sound === "beside"
      ? `The recording is too large for this page, and its file, ${decodeURIComponent(state.talk.address)}, is not there or cannot be played here.`
      : "This browser cannot play the sound of this page.";
  });
}
