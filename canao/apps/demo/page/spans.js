// Places in texts. The server counts code points, strings of JavaScript count UTF-16 units.

/** The text as the server reads it: halves of surrogate pairs without the other are replaced. */
export function wellFormed(text) {
  return text.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g, pair => pair.length === 2 ? pair : "\uFFFD");
}

/** Places in UTF-16 units for places in code points. */
export function inUnits(text, places) {
  const sorted = [...places].sort((a, b) => a - b);
  const found = new Map();
  let units = 0, points = 0, next = 0;
  while (next < sorted.length) {
    if (points === sorted[next]) {
      found.set(sorted[next], units);
      next += 1;
      continue;
    }
    if (units >= text.length) throw new RangeError("a span ends behind its text");
    units += text.codePointAt(units) > 0xFFFF ? 2 : 1;
    points += 1;
  }
  return places.map(place => found.get(place));
}

/** Puts a text into an element, one part of it marked; all of it as text. Gives the mark, or null. */
export function showMarked(element, text, span, kind = "") {
  if (span === null) {
    element.replaceChildren(text);
    return null;
  }
  const [start, end] = inUnits(text, [span.start, span.end]);
  const mark = document.createElement("mark");
  mark.className = kind;
  mark.textContent = text.slice(start, end);
  element.replaceChildren(text.slice(0, start), mark, text.slice(end));
  return mark;
}

/** Scrolls an element, and nothing around it, until something inside is in the middle. */
export function scrollTo(element, inside) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const top = inside.offsetTop - (element.clientHeight - inside.offsetHeight) / 2;
  element.scrollTo({ top, behavior: calm ? "auto" : "smooth" });
}
