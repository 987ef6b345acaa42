// What can be found out about a page from inside it. Each function returns what
// is wrong, in words.
({
  seen(el) {
    if (!el.checkVisibility({opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true})) return false;
    if (el.closest("[inert]")) return false;
    const open = document.querySelector("dialog:modal");
    if (open && !open.contains(el)) return false;
    const r = el.getBoundingClientRect();
    const hidden = r.width <= 1 || r.height <= 1 || getComputedStyle(el).clipPath === "inset(50%)";
    return !hidden;
  },

  name(el) {
    const what = el.id ? "#" + el.id : el.className && typeof el.className === "string" ? "." + el.className.trim().replace(/\s+/g, ".") : "";
    return el.tagName.toLowerCase() + what + " " + JSON.stringify((el.innerText || el.value || el.getAttribute("aria-label") || "").trim().slice(0, 40));
  },

  // rgba of any colour that CSS knows.
  rgba(colour) {
    this.canvas ??= Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d", {willReadFrequently: true});
    this.known ??= new Map();
    if (!this.known.has(colour)) {
      this.canvas.clearRect(0, 0, 1, 1);
      this.canvas.fillStyle = colour;
      this.canvas.fillRect(0, 0, 1, 1);
      const d = this.canvas.getImageData(0, 0, 1, 1).data;
      this.known.set(colour, [d[0], d[1], d[2], d[3] / 255]);
    }
    return this.known.get(colour);
  },

  over(top, below) {
    const a = top[3];
    return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat([1]);
  },

  // background is what is painted behind an element's text.
  background(el) {
    const layers = [];
    for (let e = el; e; e = e.parentElement) {
      const s = getComputedStyle(e);
      if (s.backgroundImage !== "none" && e.tagName !== "SELECT") layers.push(null);
      const c = this.rgba(s.backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
      if (e.matches("dialog:modal")) break;
    }
    let colour = this.rgba(getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#ffffff");
    for (const l of layers.reverse()) {
      if (l === null) return null;
      colour = this.over(l, colour);
    }
    return colour;
  },

  luminance(c) {
    const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  },

  ratio(a, b) {
    const [x, y] = [this.luminance(a), this.luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  },

  // contrast looks at every text that a person can read, and at the text and the
  // placeholder of each field.
  contrast(least) {
    const wrong = new Set(), looked = {texts: 0, lowest: 99};
    const check = (el, colour, what) => {
      const behind = this.background(el);
      if (!behind) { wrong.add(what + " stands on a picture"); return; }
      let alpha = 1;
      for (let e = el; e; e = e.parentElement) alpha *= Number(getComputedStyle(e).opacity);
      const c = this.rgba(colour);
      const got = this.ratio(this.over([c[0], c[1], c[2], c[3] * alpha], behind), behind);
      looked.texts++;
      looked.lowest = Math.min(looked.lowest, got);
      if (got < least) wrong.add(what + " has a contrast of " + got.toFixed(2) + " (" + colour + " on " + behind.slice(0, 3).map(Math.round) + ")");
    };
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const el = walk.currentNode.parentElement;
      if (!walk.currentNode.data.trim() || !el || ["SCRIPT", "STYLE", "TEMPLATE", "OPTION"].includes(el.tagName) || !this.seen(el)) continue;
      const s = getComputedStyle(el);
      check(el, el instanceof SVGElement ? s.fill : s.color, this.name(el));
    }
    for (const el of document.querySelectorAll("input:not([type=checkbox], [type=radio], [type=hidden]), select, textarea")) {
      if (!this.seen(el)) continue;
      check(el, getComputedStyle(el).color, "the text of " + this.name(el));
      if (el.placeholder) check(el, getComputedStyle(el, "::placeholder").color, "the placeholder of " + this.name(el));
    }
    return {wrong: [...wrong], texts: looked.texts, lowest: looked.lowest};
  },

  // layout finds what does not fit into the width of the window.
  layout() {
    const wrong = [], width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) wrong.push("the page is " + document.documentElement.scrollWidth + " wide in a window of " + width);
    for (const el of document.body.querySelectorAll("*")) {
      if (!this.seen(el)) continue;
      const r = el.getBoundingClientRect();
      if (r.right <= width + 0.5 && r.left >= -0.5) continue;
      let e = el.parentElement, scrolls = false;
      for (; e && e !== document.body; e = e.parentElement) scrolls ||= ["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(e).overflowX);
      if (!scrolls) wrong.push(this.name(el) + " reaches from " + Math.round(r.left) + " to " + Math.round(r.right));
    }
    for (const el of document.querySelectorAll("button, .button, .c-state:not(:has(.s-other)), .c-since")) {
      if (this.seen(el) && el.scrollWidth > el.clientWidth + 1) wrong.push("the text of " + this.name(el) + " does not fit into it");
    }
    return wrong.slice(0, 20);
  },

  controls() {
    return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]")]
      .filter((el) => el.tabIndex >= 0 && !el.disabled && this.seen(el));
  },

  // targets finds controls that are too small to be hit with a finger. A link in
  // a sentence, and a control whose label is large enough, are as they are.
  targets(least) {
    const wrong = [];
    for (const el of this.controls()) {
      let r = el.getBoundingClientRect(), {width, height} = r;
      for (const l of el.labels || []) {
        const q = l.getBoundingClientRect();
        width = Math.max(width, q.width);
        height = Math.max(height, q.height);
      }
      const cell = el.type === "checkbox" && el.closest("td, th");
      if (cell && !el.labels.length) continue;
      if (el.tagName === "A" && getComputedStyle(el).display === "inline" && el.parentElement.innerText.trim() !== el.innerText.trim()) continue;
      if (width < least - 0.5 || height < least - 0.5) wrong.push(this.name(el) + " is " + width.toFixed(0) + " x " + height.toFixed(0));
    }
    return wrong;
  },

  // focus tells what is wrong with how the element that has the keyboard looks.
  focus() {
    const el = document.activeElement, wrong = [];
    if (!el || el === document.body) return [];
    const r = el.getBoundingClientRect();
    if (r.bottom <= 0 || r.top >= innerHeight || r.right <= 0 || r.left >= innerWidth) wrong.push(this.name(el) + " has the keyboard, and is not in the window");
    else {
      const x = Math.min(Math.max((r.left + r.right) / 2, 1), innerWidth - 1), y = Math.min(Math.max((r.top + r.bottom) / 2, 1), innerHeight - 1);
      const top = document.elementFromPoint(x, y);
      if (top && top !== el && !el.contains(top) && !top.contains(el) && ![...(el.labels || [])].some((l) => l.contains(top))) wrong.push(this.name(el) + " has the keyboard, and is covered by " + this.name(top));
    }
    if (["date", "time"].includes(el.type)) return wrong; // its parts show it, out of reach
    const marked = [el, ...(el.labels || [])].some((e) => {
      const s = getComputedStyle(e);
      return (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1) || s.boxShadow !== "none";
    });
    if (!marked) wrong.push(this.name(el) + " has the keyboard, and nothing shows it");
    return wrong;
  },

  structure() {
    const wrong = [];
    if (!document.documentElement.lang) wrong.push("the page does not say its language");
    if (!document.title.trim()) wrong.push("the page has no title");
    if (document.querySelectorAll("main").length !== 1) wrong.push("there is not one main part");
    const heads = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter((h) => this.seen(h));
    if (heads.filter((h) => h.tagName === "H1").length !== 1 && !document.querySelector("dialog:modal")) wrong.push("there is not one h1");
    heads.reduce((before, h) => {
      const n = Number(h.tagName[1]);
      if (before && n > before + 1) wrong.push("the heading " + this.name(h) + " skips a level");
      return n;
    }, 0);
    const ids = new Set();
    for (const el of document.querySelectorAll("[id]")) {
      if (ids.has(el.id)) wrong.push("two elements are called " + el.id);
      ids.add(el.id);
    }
    for (const el of document.querySelectorAll("[tabindex]")) if (el.tabIndex > 0) wrong.push(this.name(el) + " changes the order of the Tab key");
    for (const a of ["aria-labelledby", "aria-describedby", "aria-controls", "aria-errormessage"]) {
      for (const el of document.querySelectorAll("[" + a + "]")) {
        for (const id of el.getAttribute(a).trim().split(/\s+/)) if (id && !document.getElementById(id)) wrong.push(this.name(el) + " has " + a + " " + id + ", which is not there");
      }
    }
    for (const el of document.querySelectorAll("table")) if (this.seen(el) && !el.querySelector("th")) wrong.push("a table has no headings");
    return wrong;
  },
})
