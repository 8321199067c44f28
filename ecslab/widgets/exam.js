// The exam room. Python keeps everything and counts the time; this draws the
// page it sends and reports every change at once. A page with the same key is
// mended in place, so that nothing is lost under the learner's hands.

const STATUS = { answered: "answered", incomplete: "not complete", unanswered: "not answered" };
const STATUS_SIGNS = { answered: "✓", incomplete: "½", unanswered: "" };
const VERDICTS = { right: "✓ right", wrong: "✗ wrong", open: "– not answered" };
const WARNINGS = [10, 5, 1]; // minutes left that are read out
const PAUSE_MS = 400; // of typing, before it is kept
const SILENCE_MS = 3000; // after a press, before the learner hears that it was not kept
const SILENCE = "Not kept yet: the kernel does not answer. If it was restarted, run this cell again; it goes on from what was kept.";
const IN_THE_ROOM = ["question", "review"]; // pages on which time is told

function render(context) {
  const root = context.el;
  root.classList.add("ecslab-panel", "ecslab-question", "ecslab-exam");
  const name = `ecslab-${Math.random().toString(36).slice(2)}`;
  const alarm = liveRegion();
  const status = liveRegion();
  const paper = el("div");
  root.append(alarm, paper);
  const attempt = (tell, message) => {
    try {
      tell(message);
    } catch {
      say(SILENCE); // JupyterLab knows that the kernel is gone
    }
  };
  const look = () => attempt((message) => context.model.send(message), { do: "look" });
  const clock = examClock(alarm, look);
  const proof = proofs(context.model);
  const say = (sentence) => (status.textContent = sentence);
  let drawn = { key: null, mend: () => {}, leave: () => {} };
  let silence = null;

  const stop = panel(context, (view, tell) => {
    clearTimeout(silence);
    const send = (message) => {
      clearTimeout(silence);
      silence = setTimeout(() => say(SILENCE), SILENCE_MS);
      attempt(tell, message);
    };
    clock.read(view);
    say(view.message);
    if (view.key === drawn.key) {
      drawn.mend(view);
      return null;
    }
    drawn.leave();
    alarm.textContent = "";
    drawn = { key: view.key, mend: () => {}, leave: () => {} };
    const heading = el("h3", { tabindex: "-1" });
    const focus = PAGES[view.page]({ view, send, say, name, heading, clock, proof, drawn, put: (above, below) => lay(paper, status, above, below) });
    drawn.mend(view);
    return focus || heading;
  });
  look(); // a page that was loaded again shows an old time
  return () => {
    drawn.leave();
    clearTimeout(silence);
    clock.stop();
    proof.stop();
    stop();
  };
}

const PAGES = { door: drawDoor, question: drawAsked, review: drawReview, paused: drawPaused, over: drawOver, results: drawResults, explained: drawExplained };

// -- the clock -----------------------------------------------------------------

// Counts down between two views. What it writes is not announced; the warnings are.
function examClock(alarm, look) {
  const node = el("span", { role: "timer", "aria-live": "off", class: "ecslab-clock" });
  let ends = null, before = null, hidden = false;
  const left = () => Math.max(0, (ends - performance.now()) / 1000);
  const tick = () => {
    if (ends === null) return;
    const now = left();
    node.textContent = hidden ? "" : `${timeText(now)} left`;
    const passed = WARNINGS.findLast((minutes) => before > minutes * 60 && now <= minutes * 60 && now > 0);
    if (passed) alarm.textContent = `${passed} minute${passed > 1 ? "s" : ""} left.`;
    if (now === 0 && before > 0) look();
    before = now;
  };
  const seen = () => document.visibilityState === "visible" && look(); // a machine that slept counts again
  const ticking = setInterval(tick, 1000);
  document.addEventListener("visibilitychange", seen);
  return {
    node,
    read({ page, timer }) {
      const runs = IN_THE_ROOM.includes(page) && timer.left !== null;
      if (!runs) node.textContent = "";
      ends = runs ? performance.now() + timer.left * 1000 : null;
      before = runs ? before ?? timer.left : null;
      hidden = runs && timer.hidden;
      tick();
    },
    stop() {
      clearInterval(ticking);
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

function timeText(seconds) {
  const whole = Math.ceil(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// Hide the timer, have more time, pause.
function timeTools({ view, send, say, drawn }) {
  const tools = [];
  if (view.timer.left !== null) {
    const hide = button("", () => send({ do: "hide", on: hide.textContent === "Hide timer" }));
    drawn.hide = hide;
    const minutes = el("input", { type: "number", min: "1", max: "1440", step: "1", value: "15", class: "ecslab-minutes", "aria-label": "Minutes more" });
    const add = button("Add", () =>
      minutes.validity.valid && minutes.value !== "" ? send({ do: "extend", minutes: Number(minutes.value) }) : say("Minutes are more than 0 and at most 1440."));
    tools.push(hide, el("details", {}, el("summary", {}, "More time"), el("label", {}, minutes, " minutes "), add));
  }
  if (view.practice) tools.push(button("Pause", () => send({ do: "pause" })));
  return tools;
}

// -- before and beside -----------------------------------------------------------

function drawDoor({ view, send, heading, put }) {
  heading.textContent = view.title;
  put([el("header", {}, heading),
    el("ul", { class: "ecslab-facts" }, ...view.facts.map((fact) => el("li", {}, fact))),
    view.last ? el("p", {}, `Last time: ${view.last}`) : null,
    el("div", { class: "ecslab-actions" },
      button("Begin", () => send({ do: "begin" }), { class: "ecslab-button ecslab-main" }),
      view.last ? button("See the last results", () => send({ do: "look-back" })) : null)]);
}

function drawPaused({ view, send, heading, put }) {
  heading.textContent = `${view.title}: paused`;
  const on = button("Go on", () => send({ do: "go-on" }), { class: "ecslab-button ecslab-main" });
  put([el("header", {}, heading), el("p", {}, "The clock stands still. Everything is kept."), el("div", { class: "ecslab-actions" }, on)]);
  return on;
}

function drawOver(room) {
  const { view, send, heading, put } = room;
  heading.textContent = `${view.title}: the time is over`;
  put([el("header", {}, heading), el("p", {}, `What you answered is kept. ${answered(view)}`),
    el("div", { class: "ecslab-actions" },
      button("See the results", () => send({ do: "finish" }), { class: "ecslab-button ecslab-main" }),
      ...timeTools({ ...room, drawn: {} }).filter((tool) => tool.tagName === "DETAILS"))]);
}

// -- a question --------------------------------------------------------------------

function drawAsked(room) {
  const { view, heading, clock } = room;
  heading.textContent = `${view.title}: question ${view.place + 1} of ${view.count}`;
  const top = [el("header", {}, heading, clock.node), numberRow(room)];
  return view.step.result ? drawTold(room, top) : drawOpen(room, top);
}

function drawOpen(room, top) {
  const { view, send, say, name, drawn, put } = room;
  const { step, place } = view;
  const keep = (doing, more) => send({ do: doing, place, ...more });
  const answer = () => keep("answer", { picked: editor.read() ?? null });
  const typing = later(answer);
  const changed = (event) => {
    if (view.practice) return; // there an answer is final, so it takes a press
    if (event?.type === "input") typing.soon();
    else if (event?.target.matches("textarea, [type=number]")) typing.flush(); // it told of each letter already
    else typing.now();
  };
  const strikes = [];
  const beside = (at) =>
    (strikes[at] = button("strike out", () => keep("strike", { option: at, on: strikes[at].getAttribute("aria-pressed") === "false" }),
      { class: "ecslab-button ecslab-strike", "aria-pressed": "false", "aria-label": `Strike out: ${el("span", { html: step.choices[at] }).textContent}` }));
  const editor = EDITORS[step.type](step, name, { say, changed, beside });

  const sure = el("select", { class: "ecslab-select", onchange: () => keep("confidence", { how: sure.value }) },
    ...CONFIDENCE.map(([value, text]) => el("option", { value }, text)));
  const flag = button("⚑ Flag", () => keep("flag", { on: flag.getAttribute("aria-pressed") === "false" }), { "aria-pressed": "false" });
  const clear = button("Clear answer", () => keep("answer", { picked: null }));
  const noting = later(() => keep("note", { text: note.value }));
  const note = el("textarea", { rows: "2", class: "ecslab-note", oninput: noting.soon, onchange: noting.flush });

  const fields = el("fieldset", { "aria-describedby": `${name}-stem` }, el("legend", {}, step.instruction), ...editor.nodes);
  const onward = place + 1 < view.count ? () => send({ do: "go", place: place + 1 }) : () => send({ do: "review" });
  const check = () => {
    const picked = editor.read();
    if (picked === undefined) return say(step.instruction);
    keep("answer", { picked });
  };
  const form = el("form", {
    onsubmit: (event) => {
      event.preventDefault();
      typing.flush();
      (view.practice ? check : onward)();
    },
  },
    fields,
    el("div", { class: "ecslab-actions" },
      el("button", { type: "submit", class: "ecslab-button ecslab-main" }, view.practice ? "Check" : place + 1 < view.count ? "Next" : "Review"),
      view.practice ? button(place + 1 < view.count ? "Skip" : "Review", onward) : null,
      button("Previous", () => send({ do: "go", place: place - 1 }), { disabled: place === 0 }),
      el("label", { class: "ecslab-confidence" }, "How sure? ", sure), flag, view.practice ? null : clear));
  put([...top, stemOf(step, name), form], [
    el("label", { class: "ecslab-note-line" }, "Note", note),
    el("div", { class: "ecslab-actions ecslab-tools" }, ...timeTools(room), el("span", { class: "ecslab-gap" }),
      button("Review and finish", () => send({ do: "review" })))]);

  // What is under the learner's hands is newer than any view.
  const untouched = (node) => !node.contains(document.activeElement);
  let first = true;
  drawn.mend = (now) => {
    if (first || (!view.practice && untouched(fields))) editor.put(now.picked ?? undefined);
    first = false;
    strikes.forEach((strike, at) => {
      strike.setAttribute("aria-pressed", String(now.struck.includes(at)));
      strike.parentElement.classList.toggle("ecslab-struck", now.struck.includes(at));
    });
    flag.setAttribute("aria-pressed", String(now.flagged));
    sure.value = now.confidence;
    if (untouched(note)) note.value = now.note;
    clear.disabled = now.picked === null;
    mendRoom(drawn, now);
  };
  drawn.leave = () => [typing, noting].forEach((one) => one.flush());
}

// In practice: the answer with its reasons.
function drawTold(room, top) {
  const { view, send, say, name, drawn, proof, put } = room;
  const last = view.place + 1 === view.count;
  const next = button(last ? "Review" : "Next", () => send(last ? { do: "review" } : { do: "go", place: view.place + 1 }), { class: "ecslab-button ecslab-main" });
  const verdict = view.step.result.correct ? "Right." : "Wrong.";
  put([...top, stemOf(view.step, name),
    el("p", { class: `ecslab-verdict ecslab-${view.step.result.correct ? "right" : "wrong"}` }, verdict),
    ...feedback(view.step), ...proof.draw(view.step, view.place),
    view.note ? el("p", {}, `Your note: ${view.note}`) : null,
    el("div", { class: "ecslab-actions" }, next,
      button("Previous", () => send({ do: "go", place: view.place - 1 }), { disabled: view.place === 0 }), ...timeTools(room),
      el("span", { class: "ecslab-gap" }), button("Review and finish", () => send({ do: "review" })))]);
  say(`${verdict} The reasons are shown below.`);
  drawn.mend = (now) => mendRoom(drawn, now);
  return next;
}

// Call `act` when typing pauses, or now.
function later(act) {
  let waiting = null;
  const now = () => {
    clearTimeout(waiting);
    waiting = null;
    act();
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(now, PAUSE_MS);
  };
  return { soon, now, flush: () => waiting !== null && now() };
}

// -- the navigator and the review list ------------------------------------------------

// Every question's number. One stop of Tab; the arrows go through it, Enter goes there.
function numberRow({ view, send, drawn }) {
  const buttons = view.marks.map((_, place) => button(String(place + 1), () => send({ do: "go", place }), { tabindex: "-1" }));
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10, Home: -Infinity, End: Infinity };
  const nav = el("div", {
    role: "toolbar", "aria-label": "Questions", class: "ecslab-navigator",
    onkeydown: (event) => {
      const from = buttons.indexOf(document.activeElement);
      if (!(event.key in steps) || from < 0) return;
      event.preventDefault();
      const to = Math.max(0, Math.min(buttons.length - 1, from + steps[event.key]));
      buttons[from].tabIndex = -1;
      buttons[to].tabIndex = 0;
      buttons[to].focus();
    },
  }, ...buttons);
  buttons[view.place].tabIndex = 0;
  buttons[view.place].setAttribute("aria-current", "step");
  drawn.numbers = buttons;
  return nav;
}

// What may change on a page of the room while it is drawn.
function mendRoom(drawn, view) {
  drawn.numbers?.forEach((number, place) => {
    const { status, flagged } = view.marks[place];
    number.className = `ecslab-button ecslab-${status}${flagged ? " ecslab-flagged" : ""}`;
    number.setAttribute("aria-label", `Question ${place + 1}, ${STATUS[status]}${flagged ? ", flagged" : ""}`);
  });
  if (drawn.hide) drawn.hide.textContent = view.timer.hidden ? "Show timer" : "Hide timer";
}

const SHOWN = { all: () => true, "not answered": (mark) => mark.status !== "answered", flagged: (mark) => mark.flagged };

function drawReview(room) {
  const { view, send, heading, clock, drawn, put } = room;
  heading.textContent = `${view.title}: review`;
  const rows = view.rows.map(({ stem, note }, place) => {
    const { status, flagged } = view.marks[place];
    return el("li", {},
      button(`Question ${place + 1}`, () => send({ do: "go", place })),
      el("span", { class: "ecslab-state" }, `${STATUS_SIGNS[status]} ${STATUS[status]}${flagged ? ", ⚑ flagged" : ""}`),
      el("span", { class: "ecslab-words" }, stem, note ? el("em", {}, ` Note: ${note}`) : null));
  });
  const none = el("p", { hidden: true }, "None.");
  const show = el("select", {
    class: "ecslab-select",
    onchange: () => {
      rows.forEach((row, place) => (row.hidden = !SHOWN[show.value](view.marks[place])));
      none.hidden = rows.some((row) => !row.hidden);
    },
  }, ...Object.keys(SHOWN).map((value) => el("option", { value }, value)));
  const back = button("Back to the question", () => send({ do: "go", place: view.place }), { disabled: view.count === 0 });
  const finish = button("Finish…", () => ask(true), { class: "ecslab-button ecslab-main" });
  const keep = button("Not yet", () => ask(false));
  const sure = button("Yes, finish", () => send({ do: "finish" }));
  const missing = view.count - view.open.answered;
  const sentence = `${missing ? `${missing} of ${view.count} not answered or not complete` : "All are answered"}. Finish? Then no answer can change. `;
  const confirm = el("span", { class: "ecslab-confirm", role: "group", "aria-label": sentence, hidden: true }, sentence, sure, " ", keep);
  const ask = (open) => {
    confirm.hidden = !open;
    finish.hidden = open;
    (open ? keep : finish).focus();
  };
  put([el("header", {}, heading, clock.node), ...view.notices.map((notice) => el("p", { class: "ecslab-word" }, notice)),
    el("p", {}, answered(view)),
    el("div", { class: "ecslab-actions" }, finish, confirm, back, ...timeTools(room),
      el("span", { class: "ecslab-gap" }), el("label", { class: "ecslab-confidence" }, "Show ", show)),
    el("ul", { class: "ecslab-list ecslab-rows", "aria-label": "Questions" }, ...rows), none]);
  drawn.mend = (now) => mendRoom(drawn, now);
}

function answered({ count, open }) {
  const begun = open.incomplete ? ` ${open.incomplete} ${open.incomplete > 1 ? "are" : "is"} not complete.` : "";
  return `${open.answered} of ${count} answered.${begun}`;
}

// -- after the end ---------------------------------------------------------------------

function drawResults({ view, send, heading, put }) {
  heading.textContent = `${view.title}: results`;
  const rows = view.marked.map(({ mark, about, stem }, place) =>
    el("li", { "data-mark": mark },
      button(`Question ${place + 1}`, () => send({ do: "go", place })),
      el("span", { class: `ecslab-state ecslab-${mark}` }, VERDICTS[mark]),
      el("span", { class: "ecslab-words" }, stem, el("span", { class: "ecslab-word" }, ` ${about}`))));
  const show = el("select", {
    class: "ecslab-select",
    onchange: () => rows.forEach((row) => (row.hidden = show.value === "missed" && row.dataset.mark === "right")),
  }, el("option", { value: "all" }, "all"), el("option", { value: "missed" }, "only what was not right"));
  const slowest = view.slowest.map(({ place, seconds }) => button(`${place + 1} (${seconds} s)`, () => send({ do: "go", place }), { "aria-label": `Question ${place + 1}, ${seconds} seconds` }));
  put([el("header", {}, heading),
    el("p", { class: "ecslab-total" }, view.headline), ...view.lines.map((line) => el("p", {}, line)),
    el("div", { class: "ecslab-explanation" }, ...view.estimate.map((line) => el("p", {}, line))),
    ...view.tables.map(tallyTable),
    slowest.length ? el("p", { class: "ecslab-slowest" }, "Longest thought about: ", ...slowest) : null,
    view.labs.length ? el("p", {}, "Next labs: ", el("strong", {}, view.labs.join(", "))) : null,
    el("div", { class: "ecslab-actions" }, el("strong", {}, "Every question, every option explained"),
      el("label", { class: "ecslab-confidence" }, "Show ", show), el("span", { class: "ecslab-gap" }),
      button("Close", () => send({ do: "leave" }))),
    el("ul", { class: "ecslab-list ecslab-rows", "aria-label": "Questions" }, ...rows)]);
}

function tallyTable({ title, rows }) {
  return el("table", { class: "ecslab-tally" }, el("caption", {}, title),
    el("thead", {}, el("tr", {}, ...["", "right", "", "time each"].map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...rows.map(({ name, right, count, percent, each }) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, `${right} of ${count}`),
        el("td", {}, el("span", { class: "ecslab-share", "aria-hidden": "true" }, el("span", { style: `width: ${percent}%` })), ` ${percent} %`),
        el("td", {}, `${each} s`)))));
}

function drawExplained({ view, send, name, heading, proof, put }) {
  heading.textContent = `${view.title}: question ${view.place + 1} of ${view.count} explained`;
  const go = (place, label) => button(label, () => send({ do: "go", place }), { disabled: place < 0 || place >= view.count });
  put([el("header", {}, heading), el("p", { class: "ecslab-word" }, view.about), stemOf(view.step, name),
    el("p", { class: `ecslab-verdict ecslab-${view.mark}` }, VERDICTS[view.mark]),
    ...feedback(view.step), ...proof.draw(view.step, view.place),
    view.note ? el("p", {}, `Your note: ${view.note}`) : null,
    el("div", { class: "ecslab-actions" }, go(view.place + 1, "Next"), go(view.place - 1, "Previous"), el("span", { class: "ecslab-gap" }),
      button("All results", () => send({ do: "review" }), { class: "ecslab-button ecslab-main" }))]);
}

export default { render };
