// Numbers as text: as the tables of the page, which Python wrote, have them.

function general(value, digits) {
  // As Python's format(value, '.6g') with so many digits.
  if (value === null || Number.isNaN(value)) return '-';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return '0';
  const [mantissa, power] = value.toExponential(digits - 1).split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) return String(Number(value.toPrecision(digits)));
  const sign = exponent < 0 ? '-' : '+';
  return `${Number(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function number(value) {
  return general(value, 6);
}

function regretText(value) {
  return general(value, 3);
}

function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}

function percent(share) {
  return Number.isFinite(share) ? `${general(100 * share, 3)} %` : '-';
}

function duration(seconds) {
  if (seconds === null || Number.isNaN(seconds)) return '-';
  if (seconds < 59.5) return `${general(seconds, 3)} s`;
  if (seconds < 3599.5) return inTwo(Math.round(seconds), 'min', 's');
  if (seconds < 100 * 3600 - 30) return inTwo(Math.round(seconds / 60), 'h', 'min');
  return `${whole(seconds / 3600)} h`;
}

function inTwo(amount, large, small) {
  const rest = amount % 60;
  return `${Math.floor(amount / 60)} ${large}${rest ? ` ${rest} ${small}` : ''}`;
}

function amount(value) {
  // Of the unit that cost is told in.
  if (value === null || Number.isNaN(value)) return '-';
  if (data.unit.time) return duration(value);
  return value % 1 === 0 ? value.toLocaleString('en-US') : number(value);
}

function placeOf(run, after) {
  // The check with which so much has been used, by its number in the log: epoch 30 after 31 epochs.
  const text = amount(after - real(data.ahead[run]));
  if (data.unit.one) return `${data.unit.one} ${text}`;
  return data.unit.time ? text : `${text} ${data.unit.words}`;
}

function priceOf(hours) {
  const [perHour, before, after] = data.price;
  const sum = (perHour * hours).toLocaleString('en-US', {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  });
  const space = /^\p{L}+$/u.test(before) ? ' ' : '';
  return `${before}${space}${sum}${after ? ` ${after}` : ''}`;
}

function counted(many, what) {
  return `${many.toLocaleString('en-US')} ${what}${many === 1 ? '' : 's'}`;
}
