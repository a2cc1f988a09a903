// Reads the embedded columns (src/timeline.rs says what they mean) into typed arrays.
const OUTCOMES = ["ok", "fail", "info"];

function readData() {
  const data = JSON.parse(byId("data").textContent);
  const columns = data.columns, count = columns.process.length;
  const invoked = new Float64Array(count), completed = new Float64Array(count), ids = new Uint32Array(count);
  const first = new Uint32Array(count + 1), old = new Map();
  let time = 0, id = 0, nextOld = 0;
  const two = ["cas", "transfer"].map((name) => columns.functions.indexOf(name));
  for (let i = 0; i < count; i++) {
    time += columns.invoked[i];
    invoked[i] = time;
    completed[i] = columns.took[i] < 0 ? Infinity : time + columns.took[i];
    id = columns.id ? id + columns.id[i] : i;
    ids[i] = id;
    first[i + 1] = first[i] + (columns.size ? columns.size[i] : 1);
  }
  columns.function.forEach((name, at) => { if (two.includes(name)) old.set(at, columns.old[nextOld++]); });
  return { ...data, columns, count, invoked, completed, ids, first, old };
}

const node = (number) => (number < 0 ? "" : `n${number + 1}`);
const seconds = (us, decimals = 3) => `${(us / 1e6).toFixed(decimals)} s`;
function duration(us) {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${+(us / 1000).toPrecision(3)} ms`;
  return `${+(us / 1e6).toPrecision(4)} s`;
}
const grouped = (number) => number.toLocaleString("en-US");

/// Colour class of operation `i`: its only function, or "txn".
function functionOf(data, i) {
  const { first, columns } = data;
  const name = columns.function[first[i]];
  for (let at = first[i] + 1; at < first[i + 1]; at++) if (columns.function[at] !== name) return "txn";
  return columns.functions[name] ?? "txn";
}

/// A key or a value as people know it: its name, or itself.
const shown = (data, number) => data.names[number] ?? number;

/// Operation `i` in words, as src/operation_text.rs has it.
function labelOf(data, i) {
  const { columns, first, old } = data, parts = [];
  for (let at = first[i]; at < first[i + 1]; at++) {
    const name = columns.functions[columns.function[at]], key = shown(data, columns.key[at]), number = columns.value[at], value = shown(data, number);
    if (name === "write") parts.push(`write ${key} := ${value}`);
    else if (name === "cas") parts.push(`cas ${key}: ${shown(data, old.get(at))} → ${value}`);
    else if (name === "transfer") parts.push(`transfer ${key} → ${shown(data, old.get(at))}: ${number}`);
    else if (name === "increment") parts.push(`increment ${key}: ${number < 0 ? "" : "+"}${number}`);
    else if (["add", "release", "append", "enqueue", "push"].includes(name)) parts.push(`${name} ${key}: ${value}`);
    else if (columns.outcome[i] !== 0 || name === "lock" || name === "unlock") parts.push(`${name} ${key}`);
    else if (name.endsWith("-set") || name === "read-list") parts.push(`${name} ${key} → ${number} element${number === 1 ? "" : "s"}`);
    else if (name === "acquire" && number === null) parts.push(`acquire ${key}`);
    else parts.push(`${name} ${key} → ${value ?? "nil"}`);
  }
  return parts.join(", ");
}

/// Everything about operation `i`: pairs of name and text.
function detailsOf(data, i) {
  const { columns } = data, completed = data.completed[i];
  const asked = node(columns.node[i]), served = node(columns.served[i]);
  const rows = [
    ["index", grouped(data.ids[i])],
    ["process", `p${columns.process[i]}`],
    ["outcome", OUTCOMES[columns.outcome[i]] + (columns.outcome[i] === 2 ? " (may or may not have happened)" : "")],
    ["error", columns.error[i] < 0 ? "" : columns.errors[columns.error[i]]],
    ["node", served && asked && served !== asked ? `${served} (asked ${asked})` : served || asked],
    ["invoked", seconds(data.invoked[i], 6)],
    ["completed", completed === Infinity ? "never" : `${seconds(completed, 6)} (took ${duration(completed - data.invoked[i])})`],
    ["version", Number(columns.epoch[i]) < 0 ? "" : `${columns.epoch[i]}.${columns.position[i]}`],
  ];
  return rows.filter(([, text]) => text !== "");
}
const HUES = {
  write: "write", add: "write", increment: "write", acquire: "write", append: "write", enqueue: "write", push: "write", lock: "write",
  read: "read", "read-set": "read", "read-counter": "read", "read-list": "read", dequeue: "read", pop: "read",
  cas: "cas", release: "cas", unlock: "cas", generate: "cas", transfer: "cas",
  inspect: "inspect", "inspect-set": "inspect", "inspect-counter": "inspect",
};
const hueOf = (name) => HUES[name] ?? "other";
