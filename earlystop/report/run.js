// The chart of one run: its curve, where a setting stops it, and what is kept. To be pointed at,
// moved along by the arrow keys, and zoomed into.

function runChart(figure) {
  const place = figure.querySelector('.chart');
  const caption = figure.querySelector('figcaption');
  const buttons = figure.querySelectorAll('button');
  const state = { run: 0, one: null, from: 0, to: 1, at: 0, drag: null };
  let points = null;
  let geometry = null;

  function reset() {
    state.from = 0;
    state.to = points.x.length ? points.x[points.x.length - 1] : 1;
  }

  function zoom(factor) {
    // Around the point that is pointed at; never beyond the ends.
    const end = points.x[points.x.length - 1];
    const middle = points.x[state.at] ?? end / 2;
    const wide = Math.min(end, Math.max((state.to - state.from) * factor, end / points.x.length * 3));
    state.from = Math.max(0, Math.min(middle - wide / 2, end - wide));
    state.to = state.from + wide;
    draw();
  }

  function visible() {
    // Where the values on the screen lie.
    if (state.from <= 0 && state.to >= points.x[points.x.length - 1]) return padded(points.low, points.high);
    const seen = points.y.filter((value, at) => !Number.isNaN(value) &&
      points.x[at] >= state.from && points.x[at] <= state.to);
    return seen.length ? padded(Math.min(...seen), Math.max(...seen)) : padded(points.low, points.high);
  }

  function padded(low, high) {
    const margin = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
    return points.log ? [low * 0.9, high * 1.05] : [low - margin, high + margin];
  }

  function draw() {
    const wide = place.clientWidth;
    if (wide < 120) return; // not laid out yet: the observer below draws it
    const box = { left: 62, right: wide - 26, top: 26, bottom: 236 };
    const [low, high] = visible();
    const x = scale(state.from, state.to, box.left, box.right, false);
    const y = scale(low, high, box.bottom, box.top, points.log);
    const picture = svg('svg', { viewBox: `0 0 ${wide} 280`, width: wide, 'aria-hidden': 'true' });
    const { divisor } = data.unit;
    const marks = ticks(state.from / divisor, state.to / divisor, wide < 420 ? 3 : 6, false);
    picture.append(axes(
      box, x, y,
      marks.map((value) => ({ value: value * divisor, text: number(value) })),
      ticks(low, high, 4, points.log).map((value) => ({ value, text: number(value) })),
      { x: data.unit.words, y: data.metric },
    ));
    const { one } = state;
    const end = x(one.used);
    const inside = (value) => value >= state.from && value <= state.to;
    if (one.stopped) {
      picture.append(svg('rect', {
        class: 'unused', x: end, y: box.top, width: box.right - end, height: box.bottom - box.top,
      }));
    }
    const seen = points.x.map((value, at) => at).filter((at) => inside(points.x[at]));
    const xs = seen.map((at) => points.x[at]);
    const ys = seen.map((at) => points.y[at]);
    picture.append(svg('path', { class: 'curve', d: path(xs, ys, x, y) }));
    if (xs.length <= 60) {
      xs.forEach((value, at) => {
        if (!Number.isNaN(ys[at])) picture.append(svg('circle', { class: 'point', cx: x(value), cy: y(ys[at]), r: 2 }));
      });
    }
    const best = real(data.best[state.run]);
    if (Number.isFinite(best) && best >= low && best <= high) {
      picture.append(svg('line', { class: 'bestline', x1: box.left, x2: box.right, y1: y(best), y2: y(best) }));
    }
    if (one.stopped && inside(one.used)) {
      picture.append(svg('line', { class: 'stop', x1: end, x2: end, y1: box.top, y2: box.bottom }));
    }
    if (Number.isFinite(one.best) && inside(one.kept)) {
      picture.append(svg('circle', { class: 'kept', cx: x(one.kept), cy: y(one.best), r: 5.5 }));
    }
    const cross = svg('g', { class: 'cross' });
    picture.append(cross);
    place.replaceChildren(picture);
    geometry = { box, x, y, cross };
    const said = inWords(state.run, one);
    caption.textContent = `${names[state.run]}: ${said}. Dashed line: the best of the log` +
      `${Number.isFinite(best) ? `, ${number(best)}` : ''}. Grey: not run.`;
    point(state.at, false);
  }

  function point(at, moved) {
    // Tell one point of the curve, by mouse or by key.
    state.at = Math.max(0, Math.min(points.x.length - 1, at));
    const [where, value] = [points.x[state.at], points.y[state.at]];
    const text = Number.isNaN(value) ? 'no value' : number(value);
    const told = `${placeOf(state.run, where)}: `;
    place.setAttribute('aria-valuemax', String(points.x.length - 1));
    place.setAttribute('aria-valuenow', String(state.at));
    place.setAttribute('aria-valuetext', `${told}${data.metric} ${text}`);
    if (!geometry) return;
    geometry.cross.replaceChildren();
    if (!moved || Number.isNaN(value)) return;
    const { box, x, y, cross } = geometry;
    const label = `${told}${text}`;
    const left = x(where) > (box.left + box.right) / 2;
    cross.append(
      svg('line', { class: 'guide', x1: x(where), x2: x(where), y1: box.top, y2: box.bottom }),
      svg('circle', { class: 'here', cx: x(where), cy: y(value), r: 4 }),
      svg('text', {
        x: x(where) + (left ? -8 : 8), y: box.top + 12, 'text-anchor': left ? 'end' : 'start',
      }, label),
    );
  }

  function nearest(event) {
    const spot = event.clientX - place.getBoundingClientRect().left;
    let [found, least] = [0, Infinity];
    points.x.forEach((value, at) => {
      const far = Math.abs(geometry.x(value) - spot);
      if (far < least && value >= state.from && value <= state.to) [found, least] = [at, far];
    });
    return found;
  }

  place.addEventListener('pointerdown', (event) => { state.drag = nearest(event); });
  place.addEventListener('pointermove', (event) => point(nearest(event), true));
  place.addEventListener('pointerup', (event) => {
    const [from, to] = [points.x[state.drag ?? 0], points.x[nearest(event)]];
    if (state.drag !== null && Math.abs(geometry.x(from) - geometry.x(to)) > 12) {
      [state.from, state.to] = [Math.min(from, to), Math.max(from, to)];
      draw();
    }
    state.drag = null;
  });
  place.addEventListener('pointerleave', () => { state.drag = null; point(state.at, false); });
  place.addEventListener('dblclick', () => { reset(); draw(); });
  place.addEventListener('keydown', (event) => {
    const many = event.shiftKey ? 10 : 1;
    const moves = {
      ArrowLeft: -many, ArrowDown: -many, ArrowRight: many, ArrowUp: many,
      PageUp: 10, PageDown: -10, Home: -points.x.length, End: points.x.length,
    };
    if (event.key in moves) point(state.at + moves[event.key], true);
    else if (event.key === '+') zoom(0.5);
    else if (event.key === '-') zoom(2);
    else if (event.key === '0' || event.key === 'Escape') { reset(); draw(); }
    else return;
    event.preventDefault();
  });
  const act = { in: () => zoom(0.5), out: () => zoom(2), all: () => { reset(); draw(); } };
  for (const button of buttons) button.addEventListener('click', () => act[button.dataset.zoom]());

  new ResizeObserver(() => { if (state.one && !figure.hidden) draw(); }).observe(place);

  return {
    show(run, one) {
      if (points === null || run !== state.run) {
        points = curve(run);
        state.run = run;
        state.at = 0;
        if (points && points.x.length) reset();
      }
      state.one = one;
      figure.hidden = !points || !points.x.length;
      if (!figure.hidden) draw();
    },
  };
}
