// What all parts share: the data, the state, and making elements. Words of the data only ever become text.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const NEUTRAL_LOOK = { colour: "#bbbbbb", ink: "#000000", code: "?" };

const state = {
  number: 0, // of the conversation shown
  talk: null, // the conversation
  selected: -1, // place of the selected turn
  playing: -1, // place of the turn that sounds
  shown: null, // for each turn whether the filters let it through
  emotions: new Set(), // labels that are let through; all if empty
  from: 0, to: 1, // what the timeline shows, seconds (or turns)
};

/** An element with attributes and children; text is text, never markup. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("--") || key === "width") element.style.setProperty(key, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const look = (label) => data.looks[state.talk.labels[label]] || NEUTRAL_LOOK;
const lookOf = (turn) => (scored() ? scoreLook(turn.v) : look(turn.e));
const share = (value) => value / data.scale;
const confidence = (turn) => (scored() ? 1 : share(turn.p[turn.e]));
const percent = (value) => `${Math.round(value * 100)}\u00a0%`;
const feeling = (turn) => (scored() ? number(turn.v) : state.talk.labels[turn.e] + (turn.u ? "?" : ""));
const sureness = (turn) => (scored() ? span(turn) : percent(confidence(turn)));
const named = (speaker) => state.talk.speakers[speaker].name ?? "unknown speaker";

/** m:ss, or h:mm:ss from one hour on. */
function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes >= 60 ? `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** The same with tenths of a second. */
function fine(seconds) {
  const tenths = Math.round(seconds * 10);
  return `${clock(tenths / 10)}.${tenths % 10}`;
}

/** When a turn begins, as it is shown; its number where nothing has times. */
const when = (place) => {
  const turn = state.talk.turns[place];
  return turn.a === null ? `#${place + 1}` : clock(turn.a);
};

function chip(turn) {
  const own = lookOf(turn);
  return make("span", { class: turn.u ? "chip unsure" : "chip", "--c": own.colour, "--i": own.ink, "aria-hidden": "true" },
    own.code + (turn.u ? "?" : ""));
}
