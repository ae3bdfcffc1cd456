// The trade-off of a scenario: what runs use, and what that gives up, for every setting.

function tradeoff(figure, choose) {
  const place = figure.querySelector('.chart');
  const caption = figure.querySelector('figcaption');
  const tip = figure.querySelector('.tip');
  let near = () => null;

  place.addEventListener('pointermove', (event) => {
    const found = near(event);
    tip.textContent = found ? found.text : '';
    tip.hidden = !found;
  });
  place.addEventListener('pointerleave', () => { tip.hidden = true; });
  place.addEventListener('click', (event) => {
    const found = near(event);
    if (found) choose(found.at);
  });

  let last = null;
  new ResizeObserver(() => { if (last) draw(...last); }).observe(place);
  return draw;

  function draw(scenario, at) {
    last = [scenario, at];
    const total = scenario.total;
    const used = total.used.map((value) => 1 - real(value));
    const regret = total.regret.map(real);
    const some = regret.map((value, index) => index).filter((index) => Number.isFinite(regret[index]));
    figure.hidden = scenario.axes.length === 0 || some.length < 2;
    if (figure.hidden) return;
    const wide = place.clientWidth;
    if (wide < 120) return; // not laid out yet: the observer draws it
    const box = { left: 62, right: wide - 26, top: 26, bottom: 236 };
    const band = total.low && scenario.axes.length === 1;
    const highest = top(scenario, some.map((index) => regret[index])) || 1;
    const x = scale(0, 1, box.left, box.right, false);
    const y = scale(0, highest * 1.04, box.bottom, box.top, false, true);
    const picture = svg('svg', { viewBox: `0 0 ${wide} 280`, width: wide, role: 'img' });
    const shares = ticks(0, 1, wide < 420 ? 3 : 5, false);
    picture.append(axes(
      box, x, y,
      shares.map((value) => ({ value, text: percent(value) })),
      ticks(0, highest, 4, false).map((value) => ({ value, text: number(value) })),
      { x: `${data.unit.words} used, share of those logged`, y: `mean regret (${data.metric})` },
    ));
    const order = [...some].sort((one, other) => used[one] - used[other]);
    const inner = within(box);
    picture.append(inner);
    if (band) inner.append(bandOf(total, order, used, x, y));
    if (scenario.axes.length === 1) {
      const line = path(some.map((i) => used[i]), some.map((i) => regret[i]), x, y);
      inner.append(svg('path', { class: 'line', d: line }));
    }
    for (const index of some) {
      inner.append(svg('circle', { class: 'dot', cx: x(used[index]), cy: y(regret[index]), r: 2.2 }));
    }
    for (const mark of scenario.marks) {
      if (!Number.isFinite(regret[mark.at])) continue;
      const [cx, cy] = [x(used[mark.at]), y(regret[mark.at])];
      inner.append(svg('circle', { class: 'mark', cx, cy, r: 6 }));
    }
    if (Number.isFinite(regret[at])) {
      const height = Math.max(y(regret[at]), box.top);
      inner.append(
        svg('line', { class: 'guide', x1: x(used[at]), x2: x(used[at]), y1: height, y2: box.bottom }),
        svg('circle', { class: 'here', cx: x(used[at]), cy: height, r: 6 }),
      );
    }
    const words = `${settingText(scenario, at)}: ${percent(1 - used[at])} of the ${data.unit.words} ` +
      `saved, mean regret ${regretText(regret[at])}`;
    picture.setAttribute('aria-label', `Trade-off. ${words}.`);
    place.replaceChildren(picture);
    caption.textContent = `${words}.${band ? ' Shaded: 10 to 90 % of runs.' : ''} ` +
      `Rings: ${scenario.marks.map((mark) => mark.label).join(', ') || 'none'}.`;
    near = (event) => {
      const spot = place.getBoundingClientRect();
      const [px, py] = [event.clientX - spot.left, event.clientY - spot.top];
      let [found, least] = [null, 28 ** 2];
      for (const index of some) {
        const far = (x(used[index]) - px) ** 2 + (y(regret[index]) - py) ** 2;
        if (far < least) [found, least] = [index, far];
      }
      if (found === null) return null;
      const text = `${settingText(scenario, found)}: ${percent(1 - used[found])} saved, ` +
        `regret ${regretText(regret[found])}`;
      return { at: found, text };
    };
  }
}

function top(scenario, regrets) {
  // Where the axis of regrets ends: what is far above the settings with a name is beyond it.
  const sorted = [...regrets].sort((one, other) => one - other);
  const named = scenario.marks.map((mark) => real(scenario.total.regret[mark.at])).filter(Number.isFinite);
  const enough = Math.max(5 * Math.max(0, ...named), 2 * sorted[Math.floor(sorted.length / 2)]);
  return enough > 0 ? Math.min(enough, sorted[sorted.length - 1]) : sorted[sorted.length - 1];
}

function bandOf(total, order, used, x, y) {
  // Between two quantiles over runs.
  const finite = order.filter((i) => Number.isFinite(real(total.high[i])) && Number.isFinite(real(total.low[i])));
  const upper = finite.map((i) => `${x(used[i]).toFixed(1)} ${y(real(total.high[i])).toFixed(1)}`);
  const lower = finite.map((i) => `${x(used[i]).toFixed(1)} ${y(real(total.low[i])).toFixed(1)}`);
  const corners = [...upper, ...lower.reverse()];
  return svg('path', { class: 'band', d: corners.length ? `M${corners.join('L')}Z` : '' });
}

function settingText(scenario, at) {
  // A setting in words: the scenario's name with the values of its axes.
  if (!scenario.axes.length) return scenario.label;
  const values = positions(scenario, at).map((value, axis) => {
    const one = scenario.axes[axis];
    return scenario.axes.length === 1 ? one.values[value] : `${one.name} ${one.values[value]}`;
  });
  return `${scenario.label} ${values.join(', ')}`;
}

function positions(scenario, at) {
  // The number of the value on each axis, of a setting.
  const found = [];
  let rest = at;
  for (const axis of [...scenario.axes].reverse()) {
    found.unshift(rest % axis.values.length);
    rest = Math.floor(rest / axis.values.length);
  }
  return found;
}

function setting(scenario, values) {
  return scenario.axes.reduce((at, axis, number) => at * axis.values.length + values[number], 0);
}
