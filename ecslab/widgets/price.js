// What if? Controls on top, the bill and the plot below. A control keeps its
// element while others move, so that a slider can be dragged through.

const PAUSE = 120; // milliseconds after the last movement

function control(send) {
  let timer;
  const said = el("output");
  const input = (one) => {
    if (one.kind === "select") {
      return el("select", { onchange: (event) => send({ name: one.name, value: event.target.value }) });
    }
    const later = (event) => {
      clearTimeout(timer);
      const value = Number(event.target.value);
      timer = setTimeout(() => send({ name: one.name, value }), PAUSE);
    };
    return el("input", { type: "range", oninput: later });
  };
  let node;
  return (one) => {
    if (!node) {
      const field = input(one);
      node = el("label", { class: `ecslab-control ecslab-${one.kind}` }, el("span", {}, one.label), field, one.kind === "slider" ? said : null);
      node.field = field;
    }
    const field = node.field;
    if (one.kind === "select") {
      if ([...field.options].map((o) => o.value).join() !== one.options.join()) {
        field.replaceChildren(...one.options.map((name) => el("option", { value: name }, name)));
      }
    } else {
      Object.assign(field, { min: one.least, max: one.most, step: one.step });
      field.setAttribute("aria-valuetext", one.said);
      said.textContent = one.said;
    }
    if (field.value !== String(one.value)) field.value = one.value;
    return node;
  };
}

function render({ model, el: root }) {
  root.classList.add("ecslab-panel", "ecslab-price");
  const send = (message) => model.send(message);
  const drawn = new Map();
  const panelOf = el("div", { class: "ecslab-controls" });
  const headline = liveRegion();
  const bill = el("div");
  const plot = el("div", { class: "ecslab-plot" });
  root.append(el("header", {}, el("h3", {}, "What would it cost?")), panelOf, headline, bill, plot);

  const draw = () => {
    const view = model.get("view");
    if (!view.controls) return;
    for (const one of view.controls) {
      if (!drawn.has(one.name)) drawn.set(one.name, control(send));
      const node = drawn.get(one.name)(one);
      if (!node.isConnected) panelOf.append(node);
    }
    if (headline.textContent !== view.headline) headline.textContent = view.headline;
    bill.replaceChildren(
      el("table", {}, el("caption", {}, view.what),
        el("thead", {}, el("tr", {}, ...["part", "a month", "price", "dollars"].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, ...view.rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell)))))),
      el("p", {}, el("b", {}, view.sum)),
      el("p", {}, view.crossing));
    plot.innerHTML = view.plot; // our own picture
  };
  model.on("change:view", draw);
  draw();
  return () => model.off("change:view", draw);
}

export default { render };
