// The board: lanes of task cards. A card keeps its element when its task
// changes lane, and slides from the old place to the new one.

const LANES = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "STOPPING", "STOPPED"];
const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

function cardContent(task) {
  const health = { HEALTHY: "✓ healthy", UNHEALTHY: "✗ unhealthy" }[task.health];
  const ended = task.codes.length ? `exit ${task.codes.join(", ")}` : task.reason.split(":")[0];
  return [
    el("span", { class: "ecslab-card-name" }, task.name, el("b", {}, ` :${task.revision}`)),
    el("span", { class: "ecslab-card-id" }, task.short),
    health && task.status === "RUNNING" ? el("span", { class: `ecslab-health ecslab-${task.health}` }, health) : null,
    task.status === "STOPPED" ? el("span", { class: "ecslab-card-id" }, ended) : null,
  ].filter(Boolean);
}

function summary(view) {
  return view.services.map((service) => {
    const dots = Math.min(service.desired, 40);
    const meter = el("span", { class: "ecslab-meter", "aria-hidden": "true" });
    for (let i = 0; i < dots; i++) meter.append(el("i", { class: i < service.running ? "on" : "" }));
    const deployments = service.deployments.map((d) =>
      el("li", {}, el("b", {}, d.status), ` ${d.definition} · ${d.rollout.replace("_", " ").toLowerCase()} · running ${d.running}, pending ${d.pending}`));
    return el("div", { class: "ecslab-service" },
      el("div", {}, el("b", {}, service.name), ` desired ${service.desired} · running ${service.running} · pending ${service.pending} `, meter),
      el("ul", {}, ...deployments));
  });
}

function render({ model, el: root }) {
  const cards = new Map();
  const head = el("header");
  const services = el("div");
  const lanes = el("div", { class: "ecslab-lanes" });
  const events = el("ol", { class: "ecslab-events", "aria-label": "Service events, newest first" });
  const lists = {};
  for (const lane of LANES) {
    const count = el("span", { class: "ecslab-count" });
    const list = el("ul", { "aria-label": lane });
    lists[lane] = { list, count };
    lanes.append(el("section", { class: `ecslab-lane ecslab-lane-${lane}` }, el("h4", {}, lane.toLowerCase(), " ", count), list));
  }
  root.append(el("div", { class: "ecslab-panel ecslab-board" }, head, services, lanes, events));

  const draw = () => {
    const view = model.get("view");
    if (!view.lanes) return;
    const before = new Map([...cards].map(([id, node]) => [id, node.getBoundingClientRect()]));
    const seen = new Set();
    for (const lane of LANES) {
      const { list, count } = lists[lane];
      const tasks = view.lanes[lane] || [];
      count.textContent = tasks.length || "";
      for (const task of tasks) {
        seen.add(task.id);
        let node = cards.get(task.id);
        if (!node) {
          node = el("li", { class: "ecslab-card" });
          cards.set(task.id, node);
        }
        node.className = `ecslab-card ecslab-revision-${task.revision % 4} ecslab-${task.health}`;
        node.title = [task.id, task.zone, task.status, task.reason].filter(Boolean).join("\n");
        node.replaceChildren(...cardContent(task));
        list.append(node);
      }
    }
    for (const [id, node] of cards) if (!seen.has(id)) { node.remove(); cards.delete(id); }
    if (!calm()) {
      for (const [id, from] of before) {
        const node = cards.get(id);
        if (!node) continue;
        const to = node.getBoundingClientRect();
        const [dx, dy] = [from.left - to.left, from.top - to.top];
        if (dx || dy) node.animate([{ transform: `translate(${dx}px, ${dy}px)` }, { transform: "none" }], { duration: 300, easing: "ease-out" });
      }
    }
    const speed = view.speed !== 1 ? ` · ${view.speed}× time` : "";
    head.replaceChildren(el("h3", {}, "Board"), el("span", { class: "ecslab-score" }, `${view.engine} · ${view.clock}${speed}`));
    services.replaceChildren(...summary(view));
    events.replaceChildren(...view.events.map((event) => el("li", {}, el("time", {}, event.at), " ", event.text)));
  };
  model.on("change:view", draw);
  draw();
  return () => model.off("change:view", draw);
}

export default { render };
