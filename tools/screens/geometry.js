// Returns the geometry findings of the page as sentences; see checks.py. `rules` are those of PageRules.
(rules) => {
  const found = new Set();
  const CONTROLS = "button, a[href], select, textarea, summary, input:not([type=hidden]), label:has(input), [role=button]";
  const PICTURES = "img, video, canvas, .icon, .scene, .wordmark";
  const PUNCTUATION = /[?!:;%»…]/g;
  const LETTERS = 0.7; // height of the letters, in font sizes: what must not overlap
  const LINE = 0.95; // height that must not be cut

  const tidy = (text) => text.replace(/\s+/g, " ").trim().slice(0, 40);
  const called = (element) => {
    const classes = [...element.classList].slice(0, 2).map((name) => `.${name}`).join("");
    const words = tidy(element.textContent || element.getAttribute("aria-label") || "");
    return `${element.localName}${classes}${words ? ` "${words}"` : ""}`;
  };
  const say = (what) => found.add(what);
  const remembered = (asked) => {
    const known = new Map();
    return (element) => {
      if (!known.has(element)) known.set(element, asked(element));
      return known.get(element);
    };
  };
  // For screen readers only.
  const isClipped = remembered((element) => {
    if (!element) return false;
    const style = getComputedStyle(element);
    return style.clipPath === "inset(50%)" || style.clip === "rect(0px, 0px, 0px, 0px)" || isClipped(element.parentElement);
  });
  const isUnseen = remembered((element) => {
    const one = element.closest(".sprite, [inert], script, style, noscript, template, defs, datalist");
    return one !== null || isClipped(element) || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  });
  const control = remembered((element) => {
    const own = element.closest(CONTROLS);
    return own?.matches("input") ? own.closest("label") ?? own : own;
  });
  // The layer over the page that the element lies in; null: the page itself.
  const layer = remembered((element) => {
    if (!element || element === document.body) return null;
    return ["fixed", "sticky"].includes(getComputedStyle(element).position) ? element : layer(element.parentElement);
  });
  // The boxes around the element that hide or scroll what is outside of them, the nearest first.
  const hiders = remembered((element) => {
    if (!element || element === document.body) return [];
    const style = getComputedStyle(element);
    const further = style.position === "fixed" ? [] : hiders(element.parentElement);
    if (style.overflowX === "visible" && style.overflowY === "visible") return further;
    const scrolls = [style.overflowX, style.overflowY].some((how) => how === "auto" || how === "scroll");
    const edge = element.getBoundingClientRect();
    return [{ element, edge, scrolls, x: style.overflowX !== "visible", y: style.overflowY !== "visible" }, ...further];
  });
  const lower = (box, height) => {
    const cut = Math.max(0, (box.bottom - box.top - height) / 2);
    return { left: box.left, right: box.right, top: box.top + cut, bottom: box.bottom - cut };
  };
  const overlap = (one, other) => ({
    wide: Math.min(one.right, other.right) - Math.max(one.left, other.left),
    high: Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top),
  });

  // ---- what there is: lines of text, and controls ----
  const nodes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.data.trim() && !isUnseen(node.parentElement)) nodes.push(node);
  }
  const sizeOf = remembered((element) => {
    const size = parseFloat(getComputedStyle(element).fontSize);
    const scale = element.ownerSVGElement ? element.getScreenCTM() : null;
    return scale ? size * Math.hypot(scale.a, scale.b) : size;
  });
  // The part that a scrolling box shows; the rest is neither cut nor in the way.
  const scrolledTo = (box, element) => {
    let { left, right, top, bottom } = box;
    for (const { edge, scrolls } of hiders(element)) {
      if (!scrolls) continue;
      [left, top] = [Math.max(left, edge.left), Math.max(top, edge.top)];
      [right, bottom] = [Math.min(right, edge.right), Math.min(bottom, edge.bottom)];
    }
    return { left, right, top, bottom, width: right - left, height: bottom - top };
  };
  const lines = [];
  for (const node of nodes) {
    const element = node.parentElement;
    const size = sizeOf(element);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const whole of range.getClientRects()) {
      const box = scrolledTo(whole, element);
      if (box.width > 1 && box.height > 1) lines.push({ node, element, size, box, text: tidy(node.data) });
    }
    if (size < rules.text - 0.01) say(`text of ${size.toFixed(1)} px, below ${rules.text} px: ${called(element)}`);
    for (const word of rules.words) {
      const match = node.data.match(new RegExp(word));
      if (match && !element.closest("pre, code, kbd, samp")) say(`"${match[0]}" is shown: ${called(element)}`);
    }
  }
  const controls = [...document.querySelectorAll(CONTROLS)].filter(
    (element) => !isUnseen(element) && control(element) === element && element.getClientRects().length,
  );

  // ---- the page ----
  const page = document.scrollingElement;
  if (page.scrollWidth > innerWidth) say(`the page is ${page.scrollWidth - innerWidth} px too wide`);
  if (rules.fits && page.scrollHeight > innerHeight) say(`the page is ${page.scrollHeight - innerHeight} px too high`);

  // ---- cut ----
  const cutBy = (box, element) => {
    for (const hider of hiders(element)) {
      const { edge } = hider;
      if (hider.scrolls) {
        const each = hider.element;
        const hides = each.scrollHeight > each.clientHeight + 1 || each.scrollWidth > each.clientWidth + 1;
        return hides && rules.fits ? each : null;
      }
      if (hider.x && (box.left < edge.left - 1 || box.right > edge.right + 1)) return hider.element;
      if (hider.y && (box.top < edge.top - 1 || box.bottom > edge.bottom + 1)) return hider.element;
    }
    return null;
  };
  const isOut = (box) =>
    rules.fits && (box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1);
  for (const line of lines) {
    const seen = lower(line.box, line.size * LINE);
    const edge = cutBy(seen, line.element);
    if (edge) say(`text is cut by ${called(edge)}: "${line.text}"`);
    if (isOut(seen)) say(`text is off the screen: "${line.text}"`);
    const own = control(line.element);
    if (own && own.matches("button, .button, .tile")) {
      const inside = own.getBoundingClientRect();
      if (seen.left < inside.left - 1 || seen.right > inside.right + 1 || seen.top < inside.top - 1 || seen.bottom > inside.bottom + 1) {
        say(`text leaves its control: ${called(own)}`);
      }
    }
  }
  for (const element of controls) {
    if (isOut(element.getBoundingClientRect())) say(`a control is off the screen: ${called(element)}`);
    if (element.matches("input, select") && element.scrollWidth > element.clientWidth + 1) say(`its text is cut: ${called(element)}`);
  }

  // ---- overlap ----
  const apart = (one, other) => layer(one) === layer(other);
  const sorted = lines.map((line) => ({ ...line, seen: lower(line.box, line.size * LETTERS) })).sort((a, b) => a.seen.top - b.seen.top);
  sorted.forEach((line, index) => {
    for (let next = index + 1; next < sorted.length && sorted[next].seen.top < line.seen.bottom; next++) {
      const other = sorted[next];
      const both = overlap(line.seen, other.seen);
      if (both.wide > 1 && both.high > 1 && line.node !== other.node && apart(line.element, other.element)) {
        say(`texts overlap: "${line.text}" and "${other.text}"`);
      }
    }
  });
  const boxes = controls.flatMap((element) => [...element.getClientRects()].map((box) => ({ element, box })));
  boxes.forEach(({ element, box }, index) => {
    for (const other of boxes.slice(index + 1)) {
      const both = overlap(box, other.box);
      const related = element.contains(other.element) || other.element.contains(element);
      if (!related && both.wide > 1 && both.high > 1 && apart(element, other.element)) {
        say(`controls overlap: ${called(element)} and ${called(other.element)}`);
      }
    }
    for (const line of sorted) {
      const both = overlap(box, line.seen);
      if (both.wide > 1 && both.high > 1 && !element.contains(line.element) && apart(element, line.element)) {
        say(`text "${line.text}" overlaps ${called(element)}`);
      }
    }
  });
  for (const picture of document.querySelectorAll(PICTURES)) {
    if (isUnseen(picture)) continue;
    const box = picture.getBoundingClientRect();
    for (const line of sorted) {
      const both = overlap(box, line.seen);
      if (both.wide > 2 && both.high > 2 && !picture.contains(line.element) && apart(picture, line.element)) {
        say(`text "${line.text}" lies over a picture: ${called(picture)}`);
      }
    }
  }

  // ---- size of what is touched ----
  const isInline = (element) =>
    getComputedStyle(element).display === "inline" &&
    (!rules.fits || tidy(element.parentElement.textContent) !== tidy(element.textContent));
  for (const element of controls) {
    const own = element.matches("input") && element.id ? document.querySelector(`label[for="${element.id}"]`) : null;
    const [box, more] = [element, own].map((each) => each?.getBoundingClientRect());
    const wide = more ? Math.max(box.right, more.right) - Math.min(box.left, more.left) : box.width;
    const high = more ? Math.max(box.bottom, more.bottom) - Math.min(box.top, more.top) : box.height;
    const needed = element.matches(".button, .action button") ? Math.max(rules.button, rules.target) : rules.target;
    if (Math.min(wide, high) < needed - 0.5 && !isInline(element)) {
      say(`a target of ${Math.round(wide)} x ${Math.round(high)} px, below ${needed} px: ${called(element)}`);
    }
  }
  for (const [selector, least] of Object.entries(rules.pictures)) {
    for (const picture of document.querySelectorAll(selector)) {
      const box = picture.getBoundingClientRect();
      if (!isUnseen(picture) && Math.min(box.width, box.height) < least - 0.5) {
        say(`a picture of ${Math.round(box.width)} x ${Math.round(box.height)} px, below ${least} px: ${called(picture.parentElement)}`);
      }
    }
  }

  // ---- punctuation at the start of a line ----
  const blockOf = remembered((element) =>
    element && getComputedStyle(element).display.startsWith("inline") ? blockOf(element.parentElement) : element,
  );
  const block = (node) => blockOf(node.parentElement);
  const boxAt = (node, index) => {
    const range = document.createRange();
    range.setStart(node, index);
    range.setEnd(node, index + 1);
    return [...range.getClientRects()].at(-1);
  };
  const lastLetter = (text) => text.length - 1 - (text.match(/\s*$/)?.[0].length ?? 0);
  nodes.forEach((node, at) => {
    if (node.parentElement.closest("pre, code, textarea, svg")) return;
    for (const match of node.data.matchAll(PUNCTUATION)) {
      let [before, index] = [node, lastLetter(node.data.slice(0, match.index))];
      if (index < 0) {
        before = nodes[at - 1];
        if (!before || block(before) !== block(node)) continue;
        index = lastLetter(before.data);
      }
      const [mark, letter] = [boxAt(node, match.index), boxAt(before, index)];
      if (mark && letter && mark.top >= letter.bottom - 2 && mark.left < letter.left) {
        say(`"${match[0]}" begins a line: "${tidy(node.data)}"`);
      }
    }
  });
  return [...found];
}
