// One sitting of a quiz. Python holds the questions, the answers and the
// score; this draws the `view` it sends and reports what was chosen.

function render(context) {
  const root = context.el;
  root.classList.add("ecslab-panel", "ecslab-question", "ecslab-quiz");
  const name = `ecslab-${Math.random().toString(36).slice(2)}`;
  const firstSeen = new Map(); // step id -> when it was first shown here
  const status = liveRegion();
  const proof = proofs(context.model);

  const stop = panel(context, (view, send) => {
    const heading = el("h3", { tabindex: "-1" });
    const say = (sentence, seen = true) => {
      status.textContent = sentence;
      status.classList.toggle("ecslab-unseen", !seen);
    };
    say(view.message);
    const go = (place) => () => send({ do: "go", place });
    const previous = button("Previous", go(view.place - 1), { disabled: view.place === 0 });
    const bar = el("div", { class: "ecslab-bar", "aria-hidden": "true" },
      ...view.marks.map((mark, place) => el("span", { class: `ecslab-${mark}${place === view.place ? " ecslab-here" : ""}` })));
    const top = el("header", {}, heading, el("span", { class: "ecslab-score" }, view.score));

    if (!view.step) {
      heading.textContent = `${view.title}: result`;
      drawResult();
      return heading;
    }
    heading.textContent = `${view.title}: question ${view.place + 1} of ${view.count}`;
    return view.step.result ? drawAnswered() : drawQuestion();

    function drawQuestion() {
      const step = view.step;
      if (!firstSeen.has(step.id)) firstSeen.set(step.id, performance.now());
      const editor = EDITORS[step.type](step, name, { say });
      const confidence = el("select", { class: "ecslab-select" },
        ...CONFIDENCE.map(([value, text]) => el("option", { value }, text)));
      const check = el("button", { type: "submit", class: "ecslab-button ecslab-main" }, "Check");
      const form = el("form", {
        onsubmit: (event) => {
          event.preventDefault();
          const picked = editor.read();
          const few = Array.isArray(picked) && step.type === "multiple" && picked.length !== step.choose;
          if (picked === undefined || few) return say(few ? `${step.instruction} ${picked.length} chosen so far.` : step.instruction);
          say("Checking…");
          const seconds = (performance.now() - firstSeen.get(step.id)) / 1000;
          send({ do: "answer", place: view.place, picked, seconds, confidence: confidence.value });
        },
      },
        el("fieldset", { "aria-describedby": `${name}-stem` }, el("legend", {}, step.instruction), ...editor.nodes),
        el("div", { class: "ecslab-actions" }, check,
          el("label", { class: "ecslab-confidence" }, "How sure? ", confidence),
          el("span", { class: "ecslab-gap" }), previous, button(view.place + 1 < view.count ? "Skip" : "Result", go(view.place + 1))));
      lay(root, status, [top, bar, stemOf(step, name), form]);
      return view.focus === "message" ? form.querySelector("input, select, textarea, button") : heading;
    }

    function drawAnswered() {
      const last = view.place + 1 === view.count;
      const next = button(last ? "Result" : "Next", go(view.place + 1), { class: "ecslab-button ecslab-main" });
      const verdict = view.step.result.correct ? "Right." : "Wrong.";
      lay(root, status, [top, bar, stemOf(view.step, name), el("p", { class: `ecslab-verdict ecslab-${view.marks[view.place]}` }, verdict),
        ...feedback(view.step), ...proof.draw(view.step, view.place),
        el("div", { class: "ecslab-actions" }, next, el("span", { class: "ecslab-gap" }), previous)]);
      if (view.focus === "next") say(`${verdict} The reasons are shown above.`, false);
      return view.focus === "next" ? next : heading;
    }

    function drawResult() {
      const open = view.marks.filter((mark) => mark === "open").length;
      const rows = view.marks.map((mark, place) =>
        el("li", { class: "ecslab-feedback" }, button(`Question ${place + 1}`, go(place)),
          el("span", { class: `ecslab-${mark}` }, { right: " ✓ right", wrong: " ✗ wrong", open: " not answered" }[mark])));
      lay(root, status, [top, bar,
        el("p", { class: "ecslab-total" }, `${view.score}${open ? `, ${open} not answered` : ""}.`),
        el("ul", { class: "ecslab-list ecslab-columns" }, ...rows),
        el("div", { class: "ecslab-actions" },
          view.missed ? button("Try the missed ones again", () => send({ do: "again" }), { class: "ecslab-button ecslab-main" }) : null,
          el("span", { class: "ecslab-gap" }), previous)]);
    }
  });
  return () => {
    proof.stop();
    stop();
  };
}

export default { render };
