// Every operation as a bar in its process's lane, on canvas. Only what is in view is drawn, and what
// would fall on one pixel is drawn once, so that tens of thousands of operations stay smooth.
function drawTimeline(data) {
  const { count, columns, invoked, completed, concurrency, faults, anomalies, leaderships } = data;
  const canvas = byId("lanes"), overview = byId("overview"), box = byId("timeline-box");
  const tooltip = byId("tooltip"), status = byId("timeline-status");
  const GUTTER = 50, AXIS = 24, NAMES = 18;
  const end = Math.max(data.end_us, 1);
  let width = 0, dpr = 1, hues = {};

  // Lanes: a retired process's successor continues in its lane.
  const processes = [...new Set(columns.process)].sort((a, b) => a - b);
  const laneNames = concurrency > 0 ? [...new Set(processes.map((process) => process % concurrency))].sort((a, b) => a - b) : processes;
  const laneAt = new Map(laneNames.map((name, lane) => [name, lane]));
  const laneOf = (i) => laneAt.get(concurrency > 0 ? columns.process[i] % concurrency : columns.process[i]);
  const lanes = laneNames.map(() => []);
  for (let i = 0; i < count; i++) lanes[laneOf(i)].push(i);
  // What never completed is drawn until its lane goes on.
  const ends = Float64Array.from(completed);
  for (const lane of lanes) lane.forEach((i, at) => { if (ends[i] === Infinity) ends[i] = at + 1 < lane.length ? invoked[lane[at + 1]] : end; });
  const laneHeight = Math.max(5, Math.min(28, 640 / lanes.length));
  const labels = laneHeight >= 17;
  const nameRows = faultRows();
  const top = NAMES * nameRows.count + 6;
  const height = Math.ceil(top + laneHeight * lanes.length + AXIS);

  const functions = Array.from({ length: count }, (_, i) => functionOf(data, i));
  const at = new Map();
  data.ids.forEach((id, i) => at.set(id, i));
  const witnesses = new Set(anomalies.flatMap((anomaly) => anomaly.operations));
  const visible = new Uint8Array(count).fill(1);

  const view = { from: 0, to: end };
  let selected = null, chosen = -1, pending = false;

  /// Rows for the names of faults, so that no two overlap at any zoom where they matter.
  function faultRows() {
    const rows = [], placed = [];
    for (const fault of faults) {
      let row = rows.findIndex((until) => until <= fault.from_us);
      if (row < 0) row = rows.length < 4 ? rows.push(0) - 1 : 3;
      rows[row] = Math.max(rows[row], fault.to_us);
      placed.push(row);
    }
    return { placed, count: rows.length };
  }

  const x = (time) => GUTTER + ((time - view.from) / (view.to - view.from)) * (width - GUTTER - 8);
  const timeAt = (px) => view.from + ((px - GUTTER) / (width - GUTTER - 8)) * (view.to - view.from);

  function show(from, to) {
    const span = Math.min(Math.max(to - from, 20), end * 1.02);
    const middle = (from + to) / 2;
    from = Math.min(Math.max(middle - span / 2, -end * 0.01), end * 1.01 - span);
    Object.assign(view, { from, to: from + span });
    schedule();
  }
  const zoom = (factor, time = (view.from + view.to) / 2) => show(time - (time - view.from) * factor, time + (view.to - time) * factor);
  const pan = (share) => { const by = (view.to - view.from) * share; show(view.from + by, view.to + by); };

  function schedule() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => { pending = false; draw(); });
  }

  function resize() {
    width = box.clientWidth;
    dpr = devicePixelRatio || 1;
    for (const [target, tall] of [[canvas, height], [overview, 44]]) {
      target.width = Math.round(width * dpr);
      target.height = Math.round(tall * dpr);
      target.style.height = `${tall}px`;
    }
    for (const name of ["card", "ink", "muted", "rule", "strong-rule", "lane", "write", "read", "cas", "inspect", "other", "fail", "info", "valid", "fault", "fault-edge", "witness", "link"]) hues[name] = colour(name);
    histogram = null;
    draw();
  }

  function context(target) {
    const ctx = target.getContext("2d");
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
    ctx.clearRect(0, 0, width, target.height / dpr);
    return ctx;
  }

  function draw() {
    if (width <= 0) return;
    const ctx = context(canvas);
    const sans = getComputedStyle(document.body).fontFamily;
    const bottom = top + laneHeight * lanes.length;
    lanes.forEach((_, lane) => {
      if (lane % 2) { ctx.fillStyle = hues.lane; ctx.fillRect(0, top + lane * laneHeight, width, laneHeight); }
    });
    ctx.save();
    ctx.beginPath();
    ctx.rect(GUTTER, 0, width - GUTTER, height);
    ctx.clip();
    drawFaults(ctx, sans, bottom);
    drawAxis(ctx, sans, bottom);
    const drawn = drawOperations(ctx);
    drawLeaders(ctx, bottom);
    drawMarks(ctx);
    ctx.restore();
    ctx.fillStyle = hues.ink;
    ctx.font = `600 12px ${sans}`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    const every = Math.ceil(13 / laneHeight);
    laneNames.forEach((name, lane) => { if (lane % every === 0) ctx.fillText(`p${name}`, 12, top + (lane + 0.5) * laneHeight); });
    drawOverview(sans);
    root.dataset.drawn = drawn;
    root.dataset.lanes = lanes.length;
  }

  function drawFaults(ctx, sans, bottom) {
    ctx.font = `600 11px ${sans}`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    const free = new Array(4).fill(-Infinity);
    faults.forEach((fault, index) => {
      const from = x(fault.from_us), to = Math.max(x(fault.to_us), from + 1);
      if (to < GUTTER || from > width) return;
      const row = nameRows.placed[index], y = 3 + row * NAMES;
      ctx.fillStyle = hues.fault;
      ctx.fillRect(from, y, to - from, bottom - y);
      ctx.fillStyle = hues["fault-edge"];
      ctx.fillRect(from, y, to - from, 2);
      const at = Math.max(from, GUTTER) + 4;
      const text = [`${fault.number} ${fault.label}${fault.failed ? " ✕" : ""}`, `${fault.number}`].find((text) => at > free[row] && at + ctx.measureText(text).width + 4 <= Math.max(Math.min(to, width), nextName(index)));
      if (text) { ctx.fillText(text, at, y + 10); free[row] = at + ctx.measureText(text).width + 6; }
    });
  }
  /// Where a fault's name must end: at the next fault of its row.
  function nextName(index) {
    for (let next = index + 1; next < faults.length; next++) if (nameRows.placed[next] === nameRows.placed[index]) return Math.min(x(faults[next].from_us), width - 6);
    return width - 6;
  }

  function drawLeaders(ctx, bottom) {
    let epoch = null;
    ctx.strokeStyle = hues.valid;
    ctx.lineWidth = 1.2;
    ctx.setLineDash([5, 3]);
    for (const leadership of leaderships) {
      if (epoch !== null && leadership[1] > epoch) {
        const at = x(leadership[2]);
        if (at >= GUTTER && at <= width) { ctx.beginPath(); ctx.moveTo(at, top); ctx.lineTo(at, bottom); ctx.stroke(); }
      }
      epoch = Math.max(epoch ?? 0, leadership[1]);
    }
    ctx.setLineDash([]);
  }

  function drawAxis(ctx, sans, bottom) {
    const span = view.to - view.from;
    const least = span / Math.max(2, (width - GUTTER) / 110);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
    const decimals = Math.max(0, Math.min(6, Math.ceil(6 - Math.log10(step) - 1e-9)));
    ctx.font = `11px ${sans}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "alphabetic";
    for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
      if (time < -1e-6 || time > end * 1.01) continue;
      const at = x(time);
      ctx.strokeStyle = hues.rule;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(at, top);
      ctx.lineTo(at, bottom + 4);
      ctx.stroke();
      ctx.fillStyle = hues.muted;
      const text = seconds(time, decimals), half = ctx.measureText(text).width / 2;
      if (at - half > GUTTER && at + half < width) ctx.fillText(text, at, bottom + 17);
    }
    ctx.strokeStyle = hues["strong-rule"];
    ctx.beginPath();
    ctx.moveTo(GUTTER, bottom);
    ctx.lineTo(width, bottom);
    ctx.stroke();
  }

  /// The first operation of a lane that may be in view.
  function firstInView(lane, time) {
    let low = 0, high = lane.length;
    while (low < high) { const middle = (low + high) >> 1; if (invoked[lane[middle]] < time) low = middle + 1; else high = middle; }
    return Math.max(0, low - 4);
  }

  /// Zoomed far out, operations are no longer bars but the share of each moment that was spent in
  /// operations that came out ok, fail and info, from the bottom up.
  function drawShares(ctx) {
    const PX = 2, bins = Math.ceil((width - GUTTER) / PX), perBin = (PX / (width - GUTTER - 8)) * (view.to - view.from);
    let drawn = 0;
    lanes.forEach((lane, index) => {
      const shares = [new Float64Array(bins), new Float64Array(bins), new Float64Array(bins)];
      for (let k = firstInView(lane, view.from); k < lane.length; k++) {
        const i = lane[k];
        if (invoked[i] > view.to) break;
        if (!visible[i] || ends[i] < view.from) continue;
        drawn++;
        const share = shares[columns.outcome[i]], from = (invoked[i] - view.from) / perBin, to = (ends[i] - view.from) / perBin;
        for (let bin = Math.max(0, Math.floor(from)); bin <= to && bin < bins; bin++) share[bin] += Math.min(to, bin + 1) - Math.max(from, bin);
      }
      const margin = Math.min(3, laneHeight * 0.12), tall = laneHeight - 2 * margin, floor = top + (index + 1) * laneHeight - margin;
      for (let bin = 0; bin < bins; bin++) {
        let filled = 0;
        [hues.other, hues.fail, hues.info].forEach((hue, outcome) => {
          if (shares[outcome][bin] === 0) return;
          const part = Math.min(Math.max(shares[outcome][bin] * tall, outcome === 0 ? 0.5 : 1.5), tall - filled);
          ctx.fillStyle = hue;
          ctx.globalAlpha = outcome === 0 ? 0.45 : 1;
          ctx.fillRect(GUTTER + bin * PX, floor - filled - part, PX, part);
          filled += part;
        });
      }
      ctx.globalAlpha = 1;
    });
    return drawn;
  }

  /// Whether bars would be too narrow to tell apart.
  function isFarOut() {
    const inView = lanes.reduce((sum, lane) => sum + firstInView(lane, view.to) - firstInView(lane, view.from), 0);
    return inView > 0 && ((width - GUTTER) * lanes.length) / inView < 4;
  }

  function drawOperations(ctx) {
    if (isFarOut()) return drawShares(ctx);
    let drawn = 0;
    ctx.font = `11px ${getComputedStyle(probe.parentElement).getPropertyValue("--mono")}`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    lanes.forEach((lane, index) => {
      const y = top + index * laneHeight + Math.min(4, laneHeight * 0.15), tall = laneHeight - 2 * Math.min(4, laneHeight * 0.15);
      const late = [];
      const taken = {};
      for (let k = firstInView(lane, view.from); k < lane.length; k++) {
        const i = lane[k];
        if (invoked[i] > view.to) break;
        if (!visible[i] || ends[i] < view.from) continue;
        drawn++;
        const from = x(invoked[i]), to = x(ends[i]), name = hueOf(functions[i]);
        if (columns.outcome[i] !== 0) { late.push(i); continue; }
        if (to - from < 2) {
          const pixel = Math.floor(from * dpr);
          if (taken[name] === pixel) continue;
          taken[name] = pixel;
          ctx.fillStyle = hues[name];
          ctx.fillRect(pixel / dpr, y, Math.max(1 / dpr, to - from), tall);
        } else {
          ctx.fillStyle = hues[name];
          const gap = to - from > 5 ? 1 : 0.4;
          ctx.fillRect(from, y, to - from - gap, tall);
          label(ctx, i, from, to, y + tall / 2, hues.card);
        }
      }
      taken.fail = taken.info = -1;
      for (const i of late) drawLate(ctx, i, y, tall, taken);
    });
    return drawn;
  }

  /// What did not (certainly) happen: never a full bar.
  function drawLate(ctx, i, y, tall, taken) {
    const from = x(invoked[i]), to = Math.max(x(ends[i]), from + 1), failed = columns.outcome[i] === 1;
    if (to - from < 7) {
      const pixel = Math.floor(from), kind = failed ? "fail" : "info";
      if (taken[kind] === pixel) return;
      taken[kind] = pixel;
      ctx.fillStyle = hues.card;
      ctx.fillRect(pixel - 0.5, y, Math.max(to - from, 2.5) + 1, tall);
      ctx.fillStyle = failed ? hues.fail : hues.info;
      ctx.fillRect(pixel, failed ? y + tall * 0.55 : y, Math.max(to - from, 2.5), tall * 0.45);
      return;
    }
    const hue = hues[hueOf(functions[i])];
    ctx.fillStyle = hues.card;
    ctx.fillRect(from, y, to - from - 1, tall);
    ctx.strokeStyle = hue;
    ctx.lineWidth = 1.3;
    if (!failed) {
      ctx.globalAlpha = 0.2;
      ctx.fillStyle = hue;
      ctx.fillRect(from, y, to - from - 1, tall);
      ctx.globalAlpha = 1;
      ctx.setLineDash([4, 2.5]);
    }
    ctx.strokeRect(from + 0.7, y + 0.7, to - from - 2.4, tall - 1.4);
    ctx.setLineDash([]);
    label(ctx, i, from, to - 12, y + tall / 2, hues.ink);
    const mark = Math.min(to, width - 4) - 9, middle = y + tall / 2, half = Math.min(3.5, tall / 3);
    if (failed) {
      ctx.strokeStyle = hues.fail;
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.moveTo(mark, middle - half); ctx.lineTo(mark + 2 * half, middle + half);
      ctx.moveTo(mark + 2 * half, middle - half); ctx.lineTo(mark, middle + half);
      ctx.stroke();
    } else if (to - from > 14) {
      ctx.fillStyle = hues.info;
      ctx.fillText("?", mark, middle + 0.5);
    }
  }

  function label(ctx, i, from, to, y, hue) {
    if (!labels || to - from < 34) return;
    const start = Math.max(from, GUTTER) + 5;
    const text = labelOf(data, i);
    if (start + text.length * 6.7 > to - 2) return;
    ctx.fillStyle = hue;
    ctx.fillText(text, start, y + 0.5);
  }

  function ring(ctx, i, hue, line) {
    const from = x(invoked[i]), to = Math.max(x(ends[i]), from + 3);
    if (to < GUTTER || from > width) return;
    const y = top + laneOf(i) * laneHeight;
    ctx.strokeStyle = hue;
    ctx.lineWidth = line;
    ctx.strokeRect(from - 1.5, y + 1, to - from + 2, laneHeight - 2);
    ctx.fillStyle = hue;
    const middle = Math.min(Math.max((from + to) / 2, from), from + 12);
    ctx.beginPath();
    ctx.moveTo(middle - 4, y - 4); ctx.lineTo(middle + 4, y - 4); ctx.lineTo(middle, y + 2);
    ctx.fill();
  }

  function drawMarks(ctx) {
    const chosenSet = selected ? new Set(selected.operations) : witnesses;
    for (const id of chosenSet) { const i = at.get(id); if (i !== undefined && visible[i]) ring(ctx, i, hues.witness, selected ? 2.2 : 1.3); }
    if (chosen >= 0) ring(ctx, chosen, hues.ink, 1.6);
  }

  let histogram = null;
  function drawOverview(sans) {
    const ctx = context(overview), room = width - GUTTER - 8;
    const px = (time) => GUTTER + (time / end) * room;
    const bins = Math.max(1, Math.floor(room / 2));
    if (!histogram) {
      histogram = { ok: new Float64Array(bins), other: new Float64Array(bins), most: 1 };
      for (let i = 0; i < count; i++) {
        if (!visible[i]) continue;
        const bin = Math.min(bins - 1, Math.floor((invoked[i] / end) * bins));
        histogram[columns.outcome[i] === 0 ? "ok" : "other"][bin]++;
      }
      for (let bin = 0; bin < bins; bin++) histogram.most = Math.max(histogram.most, histogram.ok[bin] + histogram.other[bin]);
    }
    for (const fault of faults) { ctx.fillStyle = hues.fault; ctx.fillRect(px(fault.from_us), 0, Math.max(1, px(fault.to_us) - px(fault.from_us)), 44); }
    for (let bin = 0; bin < bins; bin++) {
      const ok = (histogram.ok[bin] / histogram.most) * 30, other = (histogram.other[bin] / histogram.most) * 30, at = GUTTER + (bin / bins) * room;
      ctx.fillStyle = hues.other; ctx.globalAlpha = 0.5; ctx.fillRect(at, 43 - ok, room / bins - 0.4, ok); ctx.globalAlpha = 1;
      if (other) { ctx.fillStyle = hues.fail; ctx.fillRect(at, 43 - ok - other, room / bins - 0.4, other); }
    }
    ctx.fillStyle = hues.witness;
    for (const anomaly of anomalies) {
      const at = px(anomaly.from_us);
      ctx.beginPath(); ctx.moveTo(at - 4, 1); ctx.lineTo(at + 4, 1); ctx.lineTo(at, 8); ctx.fill();
    }
    ctx.fillStyle = hues.muted;
    ctx.font = `11px ${sans}`;
    ctx.textBaseline = "middle";
    ctx.fillText("whole", 8, 16); ctx.fillText("history", 8, 30);
    const from = Math.max(px(view.from), GUTTER), to = Math.min(px(view.to), width - 8);
    ctx.globalAlpha = 0.62;
    ctx.fillStyle = hues.card;
    ctx.fillRect(GUTTER, 0, from - GUTTER, 44); ctx.fillRect(to, 0, width - to, 44);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = hues.link;
    ctx.lineWidth = 1.5;
    ctx.strokeRect(from, 1, Math.max(to - from, 3), 42);
  }

  function hit(px, py) {
    const lane = lanes[Math.floor((py - top) / laneHeight)];
    if (!lane || px < GUTTER) return -1;
    const slack = ((view.to - view.from) / (width - GUTTER)) * 4, time = timeAt(px);
    let best = -1, nearest = slack;
    for (let k = firstInView(lane, time - slack); k < lane.length && invoked[lane[k]] <= time + slack; k++) {
      const i = lane[k];
      if (!visible[i]) continue;
      const away = Math.max(invoked[i] - time, time - ends[i], 0);
      if (away <= nearest) { nearest = away; best = i; }
    }
    return best;
  }

  function describe(i, px, py) {
    if (i < 0) { tooltip.hidden = true; return; }
    const title = document.createElement("b"), list = document.createElement("dl");
    title.textContent = labelOf(data, i);
    const rows = detailsOf(data, i);
    const part = anomalies.filter((anomaly) => anomaly.operations.includes(data.ids[i]));
    if (part.length) rows.push(["part of", part.map((anomaly) => `anomaly ${anomaly.number} (${anomaly.kind})`).join(", ")]);
    for (const [name, text] of rows) {
      list.appendChild(document.createElement("dt")).textContent = name;
      list.appendChild(document.createElement("dd")).textContent = text;
    }
    tooltip.replaceChildren(title, list);
    tooltip.hidden = false;
    const left = Math.min(Math.max(px + 16, 6), Math.max(6, box.clientWidth - tooltip.offsetWidth - 6));
    let down = py + 44 + 18;
    if (down + tooltip.offsetHeight > box.clientHeight - 4) down = Math.max(4, py + 44 - tooltip.offsetHeight - 12);
    Object.assign(tooltip.style, { left: `${left}px`, top: `${down}px` });
  }

  function tell() {
    const shown = visible.reduce((sum, one) => sum + one, 0);
    const all = data.operations > count ? ` drawn of ${grouped(data.operations)} recorded` : "";
    status.textContent = shown === count ? `${grouped(count)} operations${all}` : `${grouped(shown)} of ${grouped(count)} operations${all}`;
  }

  /// Whether a key is the one asked for; a text may be asked for without its quotation marks.
  const isKey = (number, asked) => [asked, `"${asked}"`].includes(String(shown(data, number)));

  function filter() {
    const key = byId("filter-key").value.trim(), process = byId("filter-process").value, name = byId("filter-function").value;
    const outcomes = OUTCOMES.map((outcome) => byId(`filter-${outcome}`).checked);
    for (let i = 0; i < count; i++) {
      let keep = outcomes[columns.outcome[i]] && (process === "" || columns.process[i] === +process) && (name === "" || functions[i] === name);
      if (keep && key !== "") {
        keep = false;
        for (let op = data.first[i]; op < data.first[i + 1]; op++) if (isKey(columns.key[op], key)) keep = true;
      }
      visible[i] = keep ? 1 : 0;
    }
    histogram = null;
    tell();
    schedule();
  }

  function choose(i) {
    chosen = i;
    if (i < 0) { tooltip.hidden = true; tell(); schedule(); return; }
    const span = view.to - view.from;
    if (invoked[i] < view.from || ends[i] > view.to) show(invoked[i] - span / 2, invoked[i] + span / 2);
    schedule();
    describe(i, x(Math.max(invoked[i], view.from)), top + (laneOf(i) + 1) * laneHeight);
    status.textContent = `${labelOf(data, i)}: ${detailsOf(data, i).map(([name, text]) => `${name} ${text}`).join(", ")}`;
  }
  function step(by) {
    if (chosen < 0) { const first = invoked.findIndex((time, i) => time >= view.from && visible[i]); return choose(first); }
    const lane = lanes[laneOf(chosen)];
    let k = lane.indexOf(chosen) + by;
    while (k >= 0 && k < lane.length && !visible[lane[k]]) k += by;
    if (lane[k] !== undefined) choose(lane[k]);
  }
  function otherLane(by) {
    if (chosen < 0) return step(1);
    const lane = lanes[laneOf(chosen) + by];
    if (!lane) return;
    const k = lane.findIndex((i) => ends[i] >= invoked[chosen] && visible[i]);
    if (k >= 0) choose(lane[k]);
  }

  function jumpTo(number) {
    selected = anomalies.find((anomaly) => anomaly.number === number) ?? null;
    byId("jump").value = selected ? String(number) : "";
    tooltip.hidden = true;
    chosen = -1;
    if (!selected) return schedule();
    const margin = Math.max((selected.to_us - selected.from_us) * 0.15, 5000);
    show(selected.from_us - margin, selected.to_us + margin);
    status.textContent = `Anomaly ${number} (${selected.kind}): ${selected.operations.length} operations marked`;
  }

  // Pointers: drag pans, two pinch.
  const pointers = new Map();
  let pressed = null;
  const place = (event) => { const bounds = canvas.getBoundingClientRect(); return [event.clientX - bounds.left, event.clientY - bounds.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, place(event));
    canvas.setPointerCapture(event.pointerId);
    pressed = { from: view.from, to: view.to, at: place(event), moved: false };
    if (pointers.size === 2) pressed.pinch = [...pointers.values()].map(([px]) => timeAt(px));
  });
  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = place(event);
    if (!pointers.has(event.pointerId)) { if (event.pointerType === "mouse") describe(hit(px, py), px, py); return; }
    pointers.set(event.pointerId, [px, py]);
    if (pressed?.pinch && pointers.size === 2) {
      const [one, other] = [...pointers.values()].map(([px]) => px), [first, second] = pressed.pinch;
      if (Math.abs(other - one) < 8) return;
      const perPixel = Math.abs((second - first) / (other - one)), from = first - (one - GUTTER) * perPixel;
      show(from, from + perPixel * (width - GUTTER - 8));
    } else if (pressed && (pressed.moved || Math.abs(px - pressed.at[0]) > 3)) {
      pressed.moved = true;
      tooltip.hidden = true;
      canvas.classList.add("dragging");
      const by = ((pressed.at[0] - px) / (width - GUTTER - 8)) * (pressed.to - pressed.from);
      show(pressed.from + by, pressed.to + by);
    }
  });
  const release = (event) => {
    if (pressed && !pressed.moved && pointers.size === 1) { const [px, py] = place(event), i = hit(px, py); if (i >= 0) choose(i); else choose(-1); }
    pointers.delete(event.pointerId);
    if (pointers.size === 0) pressed = null;
    canvas.classList.remove("dragging");
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", (event) => { pointers.delete(event.pointerId); pressed = null; });
  canvas.addEventListener("pointerleave", () => { if (chosen < 0) tooltip.hidden = true; });
  canvas.addEventListener("dblclick", (event) => zoom(0.4, timeAt(place(event)[0])));
  canvas.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) { event.preventDefault(); pan((event.deltaX || event.deltaY) / width); return; }
    if (!(event.ctrlKey || event.metaKey || document.activeElement === canvas)) return;
    event.preventDefault();
    zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), timeAt(place(event)[0]));
  }, { passive: false });

  let scrubbing = false;
  const scrub = (event) => {
    const bounds = overview.getBoundingClientRect(), middle = ((event.clientX - bounds.left - GUTTER) / (width - GUTTER - 8)) * end;
    const half = (view.to - view.from) / 2;
    show(middle - half, middle + half);
  };
  overview.addEventListener("pointerdown", (event) => { scrubbing = true; overview.setPointerCapture(event.pointerId); scrub(event); });
  overview.addEventListener("pointermove", (event) => { if (scrubbing) scrub(event); });
  overview.addEventListener("pointerup", () => { scrubbing = false; });
  overview.addEventListener("pointercancel", () => { scrubbing = false; });

  const keys = {
    ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), ArrowUp: () => otherLane(-1), ArrowDown: () => otherLane(1),
    "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: () => show(0, end),
    n: () => step(1), p: () => step(-1),
    a: () => { if (anomalies.length) jumpTo(((selected?.number ?? 0) % anomalies.length) + 1); },
    Escape: () => { choose(-1); jumpTo(0); canvas.blur(); },
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  byId("zoom-in").addEventListener("click", () => zoom(0.6));
  byId("zoom-out").addEventListener("click", () => zoom(1 / 0.6));
  byId("zoom-all").addEventListener("click", () => show(0, end));
  byId("jump").addEventListener("change", (event) => jumpTo(+event.target.value));
  for (const link of document.querySelectorAll("a.jump")) link.addEventListener("click", () => jumpTo(+link.dataset.anomaly));

  const option = (select, value, text) => { const one = document.createElement("option"); one.value = value; one.textContent = text; select.append(one); };
  for (const process of processes.slice(0, 2000)) option(byId("filter-process"), process, `p${process}`);
  for (const name of [...new Set(functions)].sort()) option(byId("filter-function"), name, name);
  for (const anomaly of anomalies) option(byId("jump"), anomaly.number, `${anomaly.number} ${anomaly.kind}`);
  byId("jump-tool").hidden = anomalies.length === 0;
  for (const name of ["key", "process", "function", "ok", "fail", "info"]) byId(`filter-${name}`).addEventListener("input", filter);
  if (Object.keys(data.names).length > 0) byId("filter-key").inputMode = "text";
  byId("timeline-tools").hidden = false;

  const legend = byId("timeline-legend");
  const entry = (style, text) => {
    const span = document.createElement("span"), swatch = document.createElement("i");
    Object.assign(swatch.style, style);
    span.append(swatch, text);
    legend.append(span);
  };
  for (const name of [...new Set(functions)].sort()) entry({ background: `var(--${hueOf(name)})` }, name);
  entry({ boxShadow: "inset 0 -5px var(--fail)" }, "fail: lower half, or hollow with ✕");
  entry({ boxShadow: "inset 0 5px var(--info)" }, "info: upper half, or dashed with ?");
  entry({ background: "linear-gradient(to top, color-mix(in srgb, var(--other) 45%, transparent) 50%, var(--fail) 50% 75%, var(--info) 75%)" }, "far out: share of time in ok, fail, info (bottom up)");
  if (faults.length) entry({ background: "var(--fault)", borderTop: "2px solid var(--fault-edge)" }, "fault");
  if (anomalies.length) entry({ outline: "2px solid var(--witness)", outlineOffset: "-1px" }, "▼ witness of an anomaly");
  if (leaderships.length > 1) entry({ borderLeft: "1.5px dashed var(--valid)", width: "2px", borderRadius: 0 }, "change of leader");

  tell();
  resize();
  onRecolour.push(resize);
  new ResizeObserver(() => { if (Math.abs(box.clientWidth - width) > 1) resize(); }).observe(box);
}
