// What is on the page follows what is chosen: a scenario, a setting, a run.

const $ = (id) => document.getElementById(id);
const names = [...document.querySelectorAll('#runs tbody th')].map((cell) => cell.textContent);
const chosen = { scenario: data.scenarios[data.start], at: data.scenarios[data.start].start, run: 0 };
let outcomesNow = [];

const drawTradeoff = tradeoff($('tradeoff'), (at) => choose(chosen.scenario, at));
const chart = runChart($('run'));
const table = runsTable($('runs'), (run) => {
  selectRun(run);
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  $('run').scrollIntoView({ block: 'nearest', behavior: still ? 'auto' : 'smooth' });
});

function selectRun(run) {
  chosen.run = run;
  table.highlight(run);
  if (outcomesNow[run]) chart.show(run, outcomesNow[run]);
}

function choose(scenario, at) {
  if (scenario !== chosen.scenario) {
    chosen.scenario = scenario;
    $('scenario').value = String(data.scenarios.indexOf(scenario));
    buildControls();
  }
  chosen.at = at;
  update();
}

function update() {
  const { scenario, at } = chosen;
  positions(scenario, at).forEach((value, axis) => {
    const input = $(`axis-${axis}`);
    input.value = String(value);
    const text = scenario.axes[axis].values[value];
    input.setAttribute('aria-valuetext', text);
    $(`value-${axis}`).textContent = text;
  });
  for (const button of $('marks').querySelectorAll('button')) {
    button.setAttribute('aria-pressed', String(Number(button.dataset.at) === at));
  }
  outcomesNow = table.show(scenario, at);
  const what = `What ${settingText(scenario, at)} does to each run`;
  $('runs').querySelector('caption').textContent = what;
  $('runs').querySelector('[role=region]').setAttribute('aria-label', what);
  drawTradeoff(scenario, at);
  if (outcomesNow[chosen.run]) chart.show(chosen.run, outcomesNow[chosen.run]);
  updateNumbers();
}

let saying = 0;

function updateNumbers() {
  const some = table.filtered();
  const sums = totals(chosen.scenario, chosen.at, some);
  const saved = percent(sums.saved);
  const stopped = `${whole(sums.stopped)} of ${whole(sums.runs)}`;
  $('n-saved').textContent = saved;
  $('n-stopped').textContent = stopped;
  $('n-regret').textContent = regretText(sums.regret);
  const time = Number.isNaN(sums.hours) ? null : duration(3600 * sums.hours);
  $('t-hours').hidden = time === null;
  if (time !== null) {
    $('n-hours').textContent = data.price ? `${time} (${priceOf(sums.hours)})` : time;
  }
  const of = some === null ? counted(data.all, 'run') : `the ${counted(sums.runs, 'run')} that are listed`;
  $('of').textContent = `${settingText(chosen.scenario, chosen.at)}, on ${of}`;
  const said = `${settingText(chosen.scenario, chosen.at)}, on ${of}: ${saved} of the ` +
    `${data.unit.words} saved${time === null ? '' : `, ${time}`}, mean regret ` +
    `${regretText(sums.regret)}, ${stopped} runs stopped.`;
  clearTimeout(saying); // not every step of a slide is said
  saying = setTimeout(() => { $('said').textContent = said; }, 250);
}

function buildControls() {
  const { scenario } = chosen;
  $('axes').replaceChildren(...scenario.axes.map((axis, number_) => {
    const id = `axis-${number_}`;
    const input = html('input', { type: 'range', id, min: 0, max: axis.values.length - 1, step: 1 });
    input.addEventListener('input', () => {
      const values = scenario.axes.map((each, other) => Number($(`axis-${other}`).value));
      choose(scenario, setting(scenario, values));
    });
    input.addEventListener('change', () => table.resort());
    const label = html('label', { for: id }, axis.name);
    const value = html('output', { id: `value-${number_}`, for: id });
    return html('div', { class: 'slider' }, label, input, value);
  }));
  $('marks').hidden = scenario.marks.length === 0;
  $('marks').replaceChildren(...scenario.marks.map((mark) => {
    const button = html('button', { type: 'button', 'data-at': mark.at, 'aria-pressed': 'false' }, mark.label);
    button.addEventListener('click', () => {
      choose(scenario, mark.at);
      table.resort();
    });
    return button;
  }));
}

data.scenarios.forEach((scenario, place) => {
  const any = { 0: '', 1: ' (any value)' }[scenario.axes.length] ?? ' (any values)';
  const text = `${scenario.label}${any}`;
  $('scenario').append(html('option', { value: place }, text));
});
$('scenario').value = String(data.start);
$('scenario').parentElement.hidden = data.scenarios.length < 2;
$('scenario').addEventListener('change', (event) => {
  const scenario = data.scenarios[Number(event.target.value)];
  choose(scenario, scenario.start);
  table.resort();
});
table.onChange(updateNumbers);
for (const element of document.querySelectorAll('.scripted')) element.hidden = false;
buildControls();
update();
selectRun(worst());

function worst() {
  // The run that the chart starts with: of those that lose, the one that loses the most.
  let found = 0;
  outcomesNow.forEach((one, run) => {
    if (one.regret > (outcomesNow[found].regret || 0)) found = run;
  });
  return found;
}
