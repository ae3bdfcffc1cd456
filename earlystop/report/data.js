// The data of the page, and what is looked up in it: nothing here decides what a rule does.

const data = JSON.parse(document.getElementById('data').textContent);
const listed = data.logged.length;

function real(value) {
  // A number of the data: null is unknown, and what is infinite is text.
  if (typeof value === 'string') return value === '-inf' ? -Infinity : Infinity;
  return value === null ? NaN : value;
}

function unpacked(stretches) {
  // [first, step, count, ...] or [[number, ...]] as numbers; NaN for what is unknown.
  if (Array.isArray(stretches[0])) return stretches[0].map(real);
  const values = [];
  for (let at = 0; at < stretches.length; at += 3) {
    const first = real(stretches[at]);
    const step = stretches[at + 1];
    for (let more = 0; more < stretches[at + 2]; more += 1) {
      values.push(step ? first + step * more : first);
    }
  }
  return values;
}

const opened = new Map(); // scenarios whose outcomes have been unpacked

function outcomes(scenario) {
  // Of each column, such as `used`, one array per run, with a number for each setting.
  if (!opened.has(scenario)) {
    const columns = {};
    for (const [name, rows] of Object.entries(scenario.runs)) columns[name] = rows.map(unpacked);
    opened.set(scenario, columns);
  }
  return opened.get(scenario);
}

function outcome(scenario, at, run) {
  // What one setting does to one run.
  const columns = outcomes(scenario);
  const value = (name) => (columns[name] ? columns[name][run][at] : NaN);
  const seconds = real(data.seconds_logged[run]) - value('seconds');
  return {
    logged: real(data.logged[run]),
    used: value('used'),
    stopped: value('stopped') === 1,
    kept: value('kept'),
    ahead: real(data.ahead[run]),
    regret: value('regret'),
    best: keptValue(scenario, run, value('kept'), value('regret')),
    hours: seconds / 3600,
  };
}

function keptValue(scenario, run, kept, regret) {
  if (!scenario.on_curve || Number.isNaN(kept)) return NaN;
  const best = real(data.best[run]);
  return data.falls ? best + regret : best - regret;
}

function totals(scenario, at, runs) {
  // Over some runs; over all there are, if `runs` is null: those were added up beforehand.
  if (runs === null) {
    const total = scenario.total;
    return {
      runs: data.all,
      stopped: real(total.stopped[at]),
      saved: real(total.used[at]),
      regret: real(total.regret[at]),
      hours: data.hours === null ? NaN : data.hours - real(total.hours[at]),
    };
  }
  const sums = { used: 0, logged: 0, regret: 0, known: 0, hours: 0, timed: 0, stopped: 0 };
  for (const run of runs) {
    const one = outcome(scenario, at, run);
    sums.stopped += one.stopped ? 1 : 0;
    if (!Number.isNaN(one.used)) sums.used += one.used;
    if (!Number.isNaN(one.logged)) sums.logged += one.logged;
    if (!Number.isNaN(one.regret)) {
      sums.regret += one.regret;
      sums.known += 1;
    }
    if (!Number.isNaN(one.hours)) {
      sums.hours += one.hours;
      sums.timed += 1;
    }
  }
  return {
    runs: runs.length,
    stopped: sums.stopped,
    saved: sums.logged > 0 ? 1 - sums.used / sums.logged : 0,
    regret: sums.known ? sums.regret / sums.known : NaN,
    hours: sums.timed ? sums.hours : NaN,
  };
}

const curveCache = new Map();

function curve(run) {
  // The points of a run, where its axis ends, and whether that is logarithmic.
  if (!curveCache.has(run)) {
    const raw = data.curves[run];
    curveCache.set(run, raw ? { ...raw, x: unpacked(raw.x), y: raw.y.map(real) } : null);
  }
  return curveCache.get(run);
}
