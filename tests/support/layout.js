// What the browser laid out; used by touchscreens.py.
() => {
    const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
    const seen = e => e.checkVisibility() && !e.closest('.unseen, .sprite, [inert], .trio__thread');
    const words = [...document.querySelectorAll('body *')].filter(e => seen(e) && !e.closest('svg') &&
        [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
    const name = e => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 30)}`;
    const range = document.createRange();
    // Of lines of one paragraph the font's own height overlaps: what is drawn is lower.
    const text = e => {
        range.selectNodeContents(e);
        const [left, top, right, bottom] = box(range), less = parseFloat(getComputedStyle(e).fontSize) / 5;
        return [left, top + less, right, bottom - less];
    };
    const cut = words.filter(e => {
        const [left, top, right, bottom] = text(e);
        if (left < -1 || right > innerWidth + 1 || top + scrollY < -1 || bottom + scrollY > document.body.parentNode.scrollHeight + 1) return true;
        for (let on = e; on !== document.documentElement; on = on.parentElement) {
            const [l, t, r, b] = box(on);
            if (getComputedStyle(on).overflow === 'hidden' && (left < l - 1 || right > r + 1 || top < t - 2 || bottom > b + 2)) return true;
        }
        return false;
    }).map(name);
    const things = [...words, ...document.querySelectorAll('main img, main .tile__picture, main .scene, main .wordmark')].filter(seen);
    const overlaps = [];
    for (const [at, one] of things.entries()) for (const other of things.slice(at + 1)) {
        if (one.contains(other) || other.contains(one)) continue;
        const [a, b] = [words.includes(one) ? text(one) : box(one), words.includes(other) ? text(other) : box(other)];
        if (Math.min(a[2], b[2]) - Math.max(a[0], b[0]) > 2 && Math.min(a[3], b[3]) - Math.max(a[1], b[1]) > 4) overlaps.push([name(one), name(other)]);
    }
    const controls = [...document.querySelectorAll('button, a[href], .tile, .chooser')].filter(seen);
    return {
        wide: document.scrollingElement.scrollWidth - innerWidth,
        high: document.scrollingElement.scrollHeight - innerHeight,
        small: controls.filter(e => Math.min(e.offsetWidth, e.offsetHeight) < 63.5).map(name),
        button: Math.min(Infinity, ...[...document.querySelectorAll('main button')].filter(seen).map(e => e.offsetHeight)),
        tile: Math.min(Infinity, ...[...document.querySelectorAll('.tile__picture')].map(e => { const r = e.getBoundingClientRect(); return Math.min(r.width, r.height); })),
        highest: Math.min(Infinity, ...controls.map(e => e.getBoundingClientRect().top)) / innerHeight,
        cut, overlaps,
    };
}
