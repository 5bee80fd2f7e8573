// Numbers, moments and ages as the server writes them (gateway/display.py).

const DIGITS = 4;
const clock = new Intl.DateTimeFormat("en-GB", {
  month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

export function numberText(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const whole = Math.floor(Math.log10(Math.abs(value))) + 1;
  const decimals = Math.min(Math.max(DIGITS - Math.max(whole, 1), 0), DIGITS);
  let text = value.toFixed(decimals);
  if (text.includes(".")) text = text.replace(/0+$/, "").replace(/\.$/, "");
  return text === "-0" ? "0" : text;
}

export function clockText(atMs) {
  const part = Object.fromEntries(clock.formatToParts(new Date(atMs)).map(({ type, value }) => [type, value]));
  return `${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}`;
}

export function ageText(ageMs) {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
