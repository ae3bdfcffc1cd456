// Charts as SVG: their parts, and the small curves of the table.

const SVG = 'http://www.w3.org/2000/svg';

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function html(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function scale(low, high, from, to, log, beyond = false) {
  // From values to places on the screen; what lies outside is at the edge, or beyond it.
  const warp = log ? Math.log : (value) => value;
  const [start, wide] = [warp(low), warp(high) - warp(low) || 1];
  return (value) => {
    const share = (warp(value) - start) / wide;
    const place = beyond ? share : Math.min(1, Math.max(0, share));
    return from + (Number.isNaN(place) ? 0 : place) * (to - from);
  };
}

function ticks(low, high, many, log) {
  // Round numbers between two ends.
  if (!(high > low)) return [low];
  if (log && high / low >= 10) {
    const found = [];
    const every = Math.ceil(Math.log10(high / low) / many);
    for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high); power += every) {
      found.push(10 ** power);
    }
    if (found.length > 1) return found;
  }
  const raw = (high - low) / many;
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((each) => each * magnitude >= raw) * magnitude;
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high * (1 + 1e-12); at += 1) found.push(at * step);
  return found.map((value) => Number(value.toPrecision(12)));
}

function path(xs, ys, x, y) {
  // A line through points, broken where there is no value.
  let text = '';
  let open = false;
  for (let at = 0; at < xs.length; at += 1) {
    if (Number.isNaN(ys[at])) {
      open = false;
    } else {
      text += `${open ? 'L' : 'M'}${x(xs[at]).toFixed(1)} ${y(ys[at]).toFixed(1)}`;
      open = true;
    }
  }
  return text;
}

function within(box) {
  // A part of a chart that shows nothing outside its axes.
  const [left, top] = [box.left - 8, box.top - 8];
  const [width, height] = [box.right - left + 8, box.bottom - top + 8];
  return svg('svg', { x: left, y: top, width, height, viewBox: `${left} ${top} ${width} ${height}` });
}

function axes(box, x, y, xTicks, yTicks, labels) {
  // Grid, numbers and names of two axes. box: left, right, top, bottom.
  const group = svg('g', { class: 'axes' });
  for (const tick of yTicks) {
    const at = y(tick.value);
    group.append(
      svg('line', { class: 'grid', x1: box.left, x2: box.right, y1: at, y2: at }),
      svg('text', { x: box.left - 6, y: at + 4, 'text-anchor': 'end' }, tick.text),
    );
  }
  for (const tick of xTicks) {
    const at = x(tick.value);
    group.append(
      svg('line', { class: 'tick', x1: at, x2: at, y1: box.bottom, y2: box.bottom + 4 }),
      svg('text', { x: at, y: box.bottom + 18, 'text-anchor': 'middle' }, tick.text),
    );
  }
  group.append(
    svg('line', { class: 'axis', x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }),
    svg('text', { x: box.right, y: box.bottom + 36, 'text-anchor': 'end' }, labels.x),
    svg('text', { x: 0, y: 12 }, labels.y),
  );
  return group;
}

function inWords(run, one) {
  // What a curve shows, for those who do not see it.
  const unit = data.unit.words;
  const end = one.stopped ? `stopped after ${amount(one.used)}` : `not stopped, ${amount(one.used)}`;
  const kept = Number.isNaN(one.kept) ? 'nothing kept' : `kept ${data.unit.one ? '' : 'after '}${placeOf(run, one.kept)}`;
  const value = Number.isNaN(one.best) ? '' : `: ${number(one.best)}`;
  const regret = Number.isNaN(one.regret) ? '' : `, regret ${regretText(one.regret)}`;
  return `${end} of ${amount(one.logged)} ${data.unit.time ? '' : unit}, ${kept}${value}${regret}`;
}

function sparkline(run) {
  // The small curve of a run, with a function that shows what a setting does to it.
  const points = curve(run);
  const [wide, high] = [112, 30];
  const picture = svg('svg', { class: 'spark', viewBox: `0 0 ${wide} ${high}`, role: 'img' });
  if (!points || !points.x.length) return { picture, show: () => {} };
  const x = scale(0, points.x[points.x.length - 1], 3, wide - 3, false);
  const y = scale(points.low, points.high, high - 4, 4, points.log);
  const step = Math.ceil(points.x.length / wide); // no more points than the picture has room for
  const some = (values) => values.filter((value, at) => at % step === 0);
  const line = path(some(points.x), some(points.y), x, y);
  const rest = svg('rect', { class: 'unused', y: 0, height: high });
  const stop = svg('line', { class: 'stop', y1: 0, y2: high });
  const kept = svg('circle', { class: 'kept', r: 3 });
  picture.append(rest, svg('path', { class: 'curve', d: line }), stop, kept);
  return {
    picture,
    show(one) {
      const end = x(one.used);
      rest.setAttribute('x', end);
      rest.setAttribute('width', one.stopped ? Math.max(0, wide - end) : 0);
      stop.setAttribute('x1', end);
      stop.setAttribute('x2', end);
      stop.style.display = one.stopped ? '' : 'none';
      kept.style.display = Number.isNaN(one.best) ? 'none' : '';
      if (!Number.isNaN(one.best)) {
        kept.setAttribute('cx', x(one.kept));
        kept.setAttribute('cy', y(one.best));
      }
      picture.setAttribute('aria-label', inWords(run, one));
    },
  };
}
