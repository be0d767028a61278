// Completes addresses from those this mailbox has written to or heard from: asked for once, when a field that
// takes them is first used, and matched here. Without a script the fields are plain.
(() => {
  const MOST = 6;
  let known = null;
  const load = (url) =>
    (known ??= fetch(url, { credentials: "same-origin" })
      .then((answer) => (answer.ok ? answer.json() : { people: [] }))
      .then(({ people }) => people.map((one) => ({ ...one, words: `${one.name} ${one.address} ${one.address.split("@")[1] ?? ""}`.toLowerCase() })))
      .catch(() => []));

  // What is being typed: behind the last comma that stands in no quotes.
  const split = (value) => {
    let [from, quoted] = [0, false];
    for (let at = 0; at < value.length; at += 1) {
      if (value[at] === '"') quoted = !quoted;
      else if (!quoted && /[,;]/.test(value[at])) from = at + 1;
    }
    return [value.slice(0, from), value.slice(from).trim()];
  };
  const matches = (one, typed) => ` ${one.words}`.includes(` ${typed}`) || one.address.toLowerCase().startsWith(typed);

  const listOf = (input) => {
    const id = `${input.id}-people`;
    let list = document.getElementById(id);
    if (list) return list;
    list = document.createElement("ul");
    list.id = id;
    list.className = "people";
    list.setAttribute("role", "listbox");
    list.hidden = true;
    input.after(list);
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", id], ["aria-expanded", "false"]]) input.setAttribute(name, value);
    list.addEventListener("mousedown", (event) => {
      // The field keeps the focus.
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) choose(input, list, option);
    });
    return list;
  };
  const close = (input, list) => {
    list.hidden = true;
    list.replaceChildren();
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (input, list, option) => {
    for (const other of list.children) other.setAttribute("aria-selected", String(other === option));
    if (option) input.setAttribute("aria-activedescendant", option.id);
  };
  const choose = (input, list, option) => {
    const [before] = split(input.value);
    input.value = `${before}${before ? " " : ""}${option.dataset.text}, `;
    close(input, list);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const suggest = async (input) => {
    const list = listOf(input);
    const [before, wanted] = split(input.value);
    const typed = wanted.toLowerCase();
    if (!typed) return close(input, list);
    const people = await load(input.dataset.people);
    if (split(input.value)[1] !== wanted || document.activeElement !== input) return;
    const found = people.filter((one) => matches(one, typed) && !before.includes(one.address)).slice(0, MOST);
    // Nothing to add to what stands there whole.
    if (!found.length || (found.length === 1 && found[0].address.toLowerCase() === typed)) return close(input, list);
    list.replaceChildren(
      ...found.map((one, number) => {
        const option = document.createElement("li");
        option.id = `${list.id}-${number}`;
        option.setAttribute("role", "option");
        option.dataset.text = one.text;
        const name = document.createElement("strong");
        name.className = "clip";
        name.textContent = one.name || one.address;
        option.append(name);
        if (one.name) {
          const address = document.createElement("span");
          address.className = "clip muted";
          address.textContent = one.address;
          option.append(address);
        }
        return option;
      }),
    );
    mark(input, list, list.firstElementChild);
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  };

  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.("[data-people]")) load(event.target.dataset.people);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-people]")) suggest(event.target);
  });
  document.addEventListener("focusout", (event) => {
    if (event.target.matches?.("[data-people]")) close(event.target, listOf(event.target));
  });
  document.addEventListener(
    "keydown",
    (event) => {
      const input = event.target;
      if (!input.matches?.("[data-people]")) return;
      const list = listOf(input);
      if (list.hidden || event.isComposing) return;
      const options = [...list.children];
      const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        mark(input, list, options[(at + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length]);
      } else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || (event.key === "Tab" && !event.shiftKey)) choose(input, list, options[Math.max(0, at)]);
      else if (event.key === "Escape") close(input, list);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
})();
