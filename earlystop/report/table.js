// The table of runs: sorted, filtered, with small curves, filled in for the setting that is shown.

const FEW = 50; // rows, until all are asked for

function runsTable(section, select) {
  const table = section.querySelector('table');
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const keys = [...table.tHead.rows[0].cells].map((cell) => cell.dataset.key);
  const more = section.querySelector('#more');
  const state = { key: null, down: false, text: '', which: 'all', every: false, selected: 0 };
  const sparks = new Map();
  const numberOf = new Map(rows.map((row, run) => [row, run]));
  let shown = rows.map((row, run) => run);
  let now = [];
  let placed = false;

  const texts = {
    logged: (one) => amount(one.logged),
    used: (one) => amount(one.used),
    ended: (one) => (one.stopped ? 'rule' : 'log'),
    kept: (one) => amount(one.kept - one.ahead),
    best: (one) => number(one.best),
    regret: (one) => regretText(one.regret),
    hours: (one) => duration(3600 * one.hours),
    cost: (one) => (Number.isNaN(one.hours) ? '-' : priceOf(one.hours)),
  };
  const values = {
    run: (run) => run,
    curve: (run) => real(data.best[run]),
    ended: (run) => (now[run].stopped ? 0 : 1),
    cost: (run) => now[run].hours,
  };
  const wanted = {
    all: () => true,
    stopped: (one) => one.stopped,
    regret: (one) => one.regret > 0,
    none: (one) => one.regret === 0,
  };

  rows.forEach((row, run) => {
    const name = row.cells[0];
    const button = html('button', { type: 'button', class: 'name' }, name.textContent);
    button.addEventListener('click', () => select(run));
    name.replaceChildren(button);
  });
  keys.forEach((key, column) => {
    const cell = table.tHead.rows[0].cells[column];
    const button = html('button', { type: 'button', class: 'sort' }, cell.textContent);
    button.addEventListener('click', () => sort(key));
    cell.replaceChildren(button);
  });
  section.querySelector('#find').addEventListener('input', (event) => {
    state.text = event.target.value.toLowerCase();
    filter();
  });
  section.querySelector('#which').addEventListener('change', (event) => {
    state.which = event.target.value;
    filter();
  });
  more.addEventListener('click', () => {
    state.every = !state.every;
    place();
  });

  let changed = () => {};

  function sort(key) {
    state.down = state.key === key ? !state.down : ['regret', 'hours', 'cost'].includes(key);
    state.key = key;
    keys.forEach((each, column) => {
      const cell = table.tHead.rows[0].cells[column];
      if (each === key) cell.setAttribute('aria-sort', state.down ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    });
    order();
    place();
  }

  function order() {
    if (state.key === null) return;
    const value = values[state.key] || ((run) => now[run][state.key]);
    const last = state.down ? -Infinity : Infinity;
    const sortable = new Map(shown.map((run) => [run, Number.isNaN(value(run)) ? last : value(run)]));
    const way = state.down ? -1 : 1;
    shown.sort((one, other) => way * (sortable.get(one) - sortable.get(other) || 0) || one - other);
  }

  function filter() {
    shown = rows.map((row, run) => run).filter((run) => (
      names[run].toLowerCase().includes(state.text) && wanted[state.which](now[run])));
    order();
    place();
    changed();
  }

  function onScreen() {
    return state.every ? shown : shown.slice(0, FEW);
  }

  function place() {
    body.replaceChildren(...onScreen().map((run) => rows[run]));
    more.hidden = shown.length <= FEW;
    more.textContent = state.every ? `Show ${FEW}` : `Show all ${shown.length.toLocaleString('en-US')}`;
    section.querySelector('#none').hidden = shown.length > 0;
    fill();
  }

  const near = new Set(); // rows that can be seen, or soon
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const run = numberOf.get(entry.target);
      if (entry.isIntersecting) near.add(run);
      else near.delete(run);
    }
  }, { rootMargin: '300px' });
  rows.forEach((row) => watcher.observe(row));
  let waiting = 0;

  function fill() {
    // What can be seen at once; of many rows, the others when nothing else is to be done.
    const wanted = onScreen();
    const many = wanted.length > 2 * FEW;
    for (const run of wanted) if (!many || near.has(run)) fillRow(run);
    clearTimeout(waiting);
    if (many) waiting = setTimeout(fillSome, 150, wanted, 0);
  }

  function fillSome(wanted, from) {
    wanted.slice(from, from + FEW).forEach(fillRow);
    if (from + FEW < wanted.length) waiting = setTimeout(fillSome, 0, wanted, from + FEW);
  }

  function fillRow(run) {
    const cells = rows[run].cells;
    keys.forEach((key, column) => {
      if (key in texts) {
        const text = texts[key](now[run]);
        if (cells[column].textContent !== text) cells[column].textContent = text;
      }
      if (key === 'curve') {
        if (!sparks.has(run)) {
          sparks.set(run, sparkline(run));
          cells[column].replaceChildren(sparks.get(run).picture);
        }
        sparks.get(run).show(now[run]);
      }
    });
    rows[run].classList.toggle('selected', run === state.selected);
  }

  return {
    filtered: () => (state.text || state.which !== 'all' ? shown : null),
    onChange(action) { changed = action; },
    show(scenario, at) {
      now = rows.map((row, run) => outcome(scenario, at, run));
      if (!placed) place();
      else if (state.which === 'all') fill();
      else filter();
      placed = true;
      return now;
    },
    resort() {
      if (state.key !== null) { order(); place(); }
    },
    highlight(run) {
      state.selected = run;
      fill();
    },
  };
}
