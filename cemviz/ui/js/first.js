// What a tab shows at first comes as a file where all stands as the page was built, see first.py: no handler runs for it.
{
  const PLACE = ["tab", "tour", "said", "hide", "ask", "large", "__theme"]; // names in the address that say nothing of a picture
  const opened = new Set();
  const filed = new Set(); // tabs whose first view was their file

  window.cemvizPlain = () => [...new URLSearchParams(location.search).keys()].every((name) => PLACE.includes(name));
  window.cemvizFiled = () => [...filed].join();
  window.cemvizOpens = (tab) => opened.has(tab);

  // Whether neither the address nor the controls ask for another picture than the one that the page was built with.
  const asBuilt = (own, begun, values) => {
    const asked = [...new URLSearchParams(location.search)];
    const same = asked.every(([name, text]) => !name.startsWith(own) && (!(name in begun) || text === String(begun[name])));
    return same && JSON.stringify(values) === JSON.stringify(Object.values(begun));
  };

  // What the event that opens a tab sets: the outputs of its first view, and a number whose change asks the server instead.
  // `own` is how its names in the address begin, `begun` what it looks at as the page was built; `values` are those of now, and
  // that number.  What is undefined stays.
  window.cemvizFirst = async (tab, outputs, own, begun, ...values) => {
    document.dispatchEvent(new CustomEvent("cemviz-pause")); // before the view is there, which may play by itself
    const number = values.pop();
    const ask = [...Array(outputs), number + 1];
    const again = opened.has(tab);
    opened.add(tab);
    if (again || !asBuilt(own, begun, values)) return ask;
    filed.add(tab); // already: who asks meanwhile what is drawn has to hear of it
    try {
      const answer = await fetch(`first/${tab}.json`);
      if (answer.status === 200) return [...(await answer.json()), number];
    } catch (error) {
      console.error("first view:", error);
    }
    filed.delete(tab);
    return ask;
  };
}
