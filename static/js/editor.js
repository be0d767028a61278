// Rich text for the compose form: Squire edits, DOMPurify cleans what is pasted, the tool bar is ours.
// The textarea stays what the form sends as text; data-rich names the field that takes the HTML.
(() => {
  const CLEAN = {
    ALLOWED_TAGS: ["a", "b", "strong", "i", "em", "u", "s", "br", "div", "p", "blockquote", "ul", "ol", "li", "h1", "h2", "h3", "pre", "code", "span", "hr"],
    ALLOWED_ATTR: ["href", "title", "dir"],
    ALLOWED_URI_REGEXP: /^(?:https?|mailto|tel):/i,
  };
  const clean = (html) => window.DOMPurify.sanitize(html, { ...CLEAN, RETURN_DOM_FRAGMENT: true });
  const escape = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
  // The text beside the HTML, as a person would have typed it.
  const toText = (node) => {
    const lines = [""];
    const block = (element, before, first = before) => {
      if (lines[lines.length - 1] !== "") lines.push("");
      const inner = toText(element).split("\n");
      lines.pop();
      lines.push(...inner.map((line, at) => (at ? before : first) + line), "");
    };
    let number = 0;
    for (const child of node.childNodes) {
      const last = lines.length - 1;
      if (child.nodeType === Node.TEXT_NODE) lines[last] += child.data.replace(/[\u00a0\u200b]/g, (c) => (c === "\u00a0" ? " " : ""));
      else if (child.nodeName === "BR") lines.push("");
      else if (child.nodeName === "BLOCKQUOTE") block(child, "> ");
      else if (child.nodeName === "LI") block(child, "  ", node.nodeName === "OL" ? `${(number += 1)}. ` : "- ");
      else if (/^(DIV|P|UL|OL|H[1-6]|PRE)$/.test(child.nodeName)) block(child, "");
      else {
        const [head, ...rest] = toText(child).split("\n");
        lines[last] += head;
        lines.push(...rest);
        if (child.nodeName === "A" && child.href && !child.href.includes(child.textContent.trim())) lines[lines.length - 1] += ` <${child.href}>`;
      }
    }
    // The line break that holds an empty or closed line open is not a line of its own.
    if (lines.length > 1 && lines[lines.length - 1] === "") lines.pop();
    return lines.join("\n");
  };
  // And the other way: what is quoted by angles becomes a quotation.
  const toHtml = (lines) => {
    let [html, quoted] = ["", []];
    const close = () => {
      if (quoted.length) html += `<blockquote>${toHtml(quoted)}</blockquote>`;
      quoted = [];
    };
    for (const line of lines) {
      if (line.startsWith(">")) quoted.push(line.replace(/^> ?/, ""));
      else {
        close();
        html += `<div>${escape(line) || "<br>"}</div>`;
      }
    }
    close();
    return html;
  };
  const TOOLS = [
    ["bold", "Bold", "B", (e) => (e.hasFormat("B") ? e.removeBold() : e.bold())],
    ["italic", "Italic", "I", (e) => (e.hasFormat("I") ? e.removeItalic() : e.italic())],
    ["underline", "Underline", "U", (e) => (e.hasFormat("U") ? e.removeUnderline() : e.underline())],
    ["list", "List", "UL", (e) => (e.hasFormat("UL") ? e.removeList() : e.makeUnorderedList())],
    ["list-ordered", "Numbered list", "OL", (e) => (e.hasFormat("OL") ? e.removeList() : e.makeOrderedList())],
    ["text-quote", "Quote", "BLOCKQUOTE", (e) => (e.hasFormat("BLOCKQUOTE") ? e.decreaseQuoteLevel() : e.increaseQuoteLevel())],
    ["link", "Link", "A", addLink],
    ["remove-formatting", "Plain", "", (e) => e.removeAllFormatting()],
  ];

  function addLink(editor) {
    if (editor.hasFormat("A")) return editor.removeLink();
    const address = window.prompt("Link to", "https://");
    if (address && CLEAN.ALLOWED_URI_REGEXP.test(address)) editor.makeLink(address);
  }

  const icon = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon icon--sm");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${document.querySelector("use").getAttribute("href").split("#")[0]}#${name}`);
    svg.append(use);
    return svg;
  };

  const start = (area) => {
    if (!window.Squire || !window.DOMPurify || !area.form || area.hidden) return;
    const box = document.createElement("div");
    box.className = "editor__text";
    box.setAttribute("role", "textbox");
    box.setAttribute("aria-multiline", "true");
    box.setAttribute("aria-label", area.getAttribute("aria-label") || "Message");
    const tools = document.createElement("div");
    tools.className = "editor__tools";
    tools.setAttribute("role", "toolbar");
    tools.setAttribute("aria-label", "Formatting");
    area.before(tools, box);
    area.hidden = true;

    let field = area.form.elements[area.dataset.rich];
    if (!field) {
      field = document.createElement("input");
      field.type = "hidden";
      field.name = area.dataset.rich;
      area.after(field);
    }
    const editor = new window.Squire(box, { sanitizeToDOMFragment: clean });
    // What was stored is taken once; after plain text the text is the truth.
    editor.setHTML(field.value || area.dataset.html || toHtml(area.value.split(/\r?\n/)));
    delete area.dataset.html;
    editor.moveCursorToStart();

    const buttons = TOOLS.map(([name, label, format, run]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button button--quiet button--icon button--sm";
      button.title = label;
      button.setAttribute("aria-label", label);
      button.append(icon(name));
      // The selection must not be lost to the button.
      button.addEventListener("mousedown", (event) => event.preventDefault());
      button.addEventListener("click", () => {
        run(editor);
        editor.focus();
      });
      return [button, format];
    });
    tools.append(...buttons.map(([button]) => button));
    editor.addEventListener("pathChange", () => {
      for (const [button, format] of buttons) if (format) button.setAttribute("aria-pressed", String(editor.hasFormat(format)));
    });

    const write = () => {
      area.value = toText(box);
      field.value = window.DOMPurify.sanitize(editor.getHTML(), CLEAN);
    };
    // Also before the first stroke: the form may be saved for another reason.
    write();
    // Squire tells of what tool buttons change as well; the form hears it as typing, so that drafts are kept.
    editor.addEventListener("input", () => {
      write();
      area.dispatchEvent(new Event("input", { bubbles: true }));
    });
    const form = area.form;
    form.addEventListener("submit", write, true);
    area.addEventListener(
      "editor:stop",
      () => {
        write();
        form.removeEventListener("submit", write, true);
        editor.destroy();
        for (const element of [box, tools, field]) element.remove();
        area.hidden = false;
        area.dispatchEvent(new Event("input", { bubbles: true }));
        area.focus();
      },
      { once: true },
    );
    box.focus();
  };

  document.addEventListener("editor:start", (event) => start(event.target));
})();
