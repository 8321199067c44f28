// One sitting of a quiz. Python holds the questions, the answers and the
// score; this draws the `view` it sends and reports what was chosen.

const CONFIDENCE = [["", "not said"], ["guess", "a guess"], ["unsure", "not sure"], ["sure", "sure"]];
const WORDS = { right: "right", missed: "the right answer", wrong: "wrong", left: "" };
const PLACED = { right: "right", wrong: "misplaced" }; // order
const SIGNS = { right: "✓", missed: "✓", wrong: "✗", left: "" };

// Each editor draws the way one type is answered and returns
// { nodes, read() -> what was picked, or undefined }.
const EDITORS = {
  single: choiceEditor("radio"),
  "read-events": choiceEditor("radio"),
  multiple: choiceEditor("checkbox"),
  numeric: numericEditor,
  order: orderEditor,
  match: matchEditor,
  "fix-json": documentEditor,
};

function choiceEditor(kind) {
  return (step, name) => {
    const inputs = step.choices.map((_, place) => el("input", { type: kind, name, value: String(place) }));
    const rows = step.choices.map((html, place) =>
      el("label", { class: "ecslab-choice" }, inputs[place], el("span", { html }))
    );
    const picked = () => inputs.flatMap((input, place) => (input.checked ? [place] : []));
    return { nodes: rows, read: () => (kind === "radio" ? picked()[0] : picked()) };
  };
}

function numericEditor(step) {
  const input = el("input", {
    type: "number", step: "any", class: "ecslab-number", "aria-label": step.instruction,
    onkeydown: (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // JupyterLab keeps Enter in a text field from sending its form
      input.form.requestSubmit();
    },
  });
  return {
    nodes: [el("label", { class: "ecslab-line" }, input, " ", step.unit)],
    read: () => (input.value === "" ? undefined : input.value),
  };
}

function orderEditor(step, name, say) {
  const order = step.choices.map((_, place) => place);
  const list = el("ol", { class: "ecslab-order" });
  const move = (from, by) => {
    [order[from], order[from + by]] = [order[from + by], order[from]];
    draw();
    const buttons = list.children[from + by].querySelectorAll("button");
    const wanted = buttons[by < 0 ? 0 : 1];
    (wanted.disabled ? buttons[by < 0 ? 1 : 0] : wanted).focus();
    say(`Now at place ${from + by + 1} of ${order.length}.`);
  };
  const draw = () =>
    list.replaceChildren(
      ...order.map((place, index) => {
        const text = el("span", { html: step.choices[place] });
        const up = button("↑", () => move(index, -1), { "aria-label": `Move up: ${text.textContent}`, disabled: index === 0 });
        const down = button("↓", () => move(index, 1), {
          "aria-label": `Move down: ${text.textContent}`, disabled: index === order.length - 1,
        });
        return el("li", {}, el("span", { class: "ecslab-moves" }, up, down), text);
      })
    );
  draw();
  return { nodes: [list], read: () => [...order] };
}

function matchEditor(step) {
  const sides = step.choices.map((html) => el("span", { html }).textContent);
  const selects = step.lefts.map(() =>
    el("select", { class: "ecslab-select" },
      el("option", { value: "-1" }, "choose…"),
      ...sides.map((side, place) => el("option", { value: String(place) }, side))
    )
  );
  const rows = step.lefts.map((html, index) =>
    el("label", { class: "ecslab-pair" }, el("span", { html }), selects[index])
  );
  return { nodes: rows, read: () => selects.map((select) => Number(select.value)) };
}

function documentEditor(step) {
  const area = el("textarea", {
    class: "ecslab-document", spellcheck: "false", "aria-label": step.instruction,
    rows: Math.min(30, step.document.split("\n").length + 1), value: step.document,
  });
  return { nodes: [area], read: () => area.value };
}

function feedback(step) {
  const result = step.result;
  const words = step.type === "order" ? PLACED : WORDS;
  const rows = result.lines.map((line) =>
    el("li", { class: `ecslab-feedback ecslab-${line.mark}` },
      el("span", { class: "ecslab-sign", "aria-hidden": "true" }, SIGNS[line.mark]),
      el("div", {},
        el("div", {}, el("span", { html: line.text }), words[line.mark] ? el("span", { class: "ecslab-word" }, ` ${words[line.mark]}`) : null),
        line.why ? el("div", { class: "ecslab-why", html: line.why }) : null)
    )
  );
  const { title, url, checked } = result.reference;
  return [
    result.answer && !result.correct ? el("p", { html: `You answered: ${result.answer}` }) : null,
    el("ul", { class: "ecslab-list", "aria-label": "Every option with its reason" }, ...rows),
    result.explanation ? el("div", { class: "ecslab-explanation", html: result.explanation }) : null,
    el("p", { class: "ecslab-reference" },
      el("a", { href: url, target: "_blank", rel: "noopener" }, title), ` (checked ${checked})`),
  ];
}

function render(context) {
  const root = context.el;
  root.classList.add("ecslab-panel", "ecslab-quiz");
  const name = `ecslab-${Math.random().toString(36).slice(2)}`;
  const firstSeen = new Map(); // step id -> when it was first shown here
  const status = liveRegion();
  const shown = { id: null, log: null }; // where the lines of a proof go
  const hear = ({ shown: id, line }) => {
    if (shown.log && id === shown.id) shown.log.append(el("p", {}, line));
  };
  context.model.on("msg:custom", hear);

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

    function stem() {
      const step = view.step;
      return el("div", { id: `${name}-stem`, class: "ecslab-stem" },
        step.background ? el("div", { class: "ecslab-background", html: step.background }) : null,
        el("div", { html: step.stem }),
        step.trace ? el("pre", { class: "ecslab-trace", tabindex: "0", "aria-label": "Trace" }, step.trace.trimEnd()) : null);
    }

    function drawQuestion() {
      const step = view.step;
      if (!firstSeen.has(step.id)) firstSeen.set(step.id, performance.now());
      const editor = EDITORS[step.type](step, name, say);
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
      lay(root, status, [top, bar, stem(), form]);
      return view.focus === "message" ? form.querySelector("input, select, textarea, button") : heading;
    }

    // The proof of an answer: a button, and a log that is read out line by line.
    function drawProof() {
      const { id, proof } = view.step;
      if (!proof) return [];
      const log = el("div", { role: "log", "aria-live": "polite", "aria-label": "What happens", tabindex: "-1", class: "ecslab-proof" },
        ...proof.lines.map((line) => el("p", {}, line)));
      Object.assign(shown, { id, log });
      const show = button("Show me", () => {
        show.remove();
        log.append(el("p", {}, "A region of its own plays this…"));
        log.focus();
        context.model.send({ do: "show", place: view.place });
      });
      return [proof.begun ? null : el("div", { class: "ecslab-actions" }, show), log];
    }

    function drawAnswered() {
      const last = view.place + 1 === view.count;
      const next = button(last ? "Result" : "Next", go(view.place + 1), { class: "ecslab-button ecslab-main" });
      const verdict = view.step.result.correct ? "Right." : "Wrong.";
      lay(root, status, [top, bar, stem(), el("p", { class: `ecslab-verdict ecslab-${view.marks[view.place]}` }, verdict),
        ...feedback(view.step), ...drawProof(),
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
    context.model.off("msg:custom", hear);
    stop();
  };
}

export default { render };
