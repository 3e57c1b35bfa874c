// A slider of gradio's tells of its release by the pointer, and of a number when its field is left. One that is moved by keys, or
// whose number is entered, tells of it when it rests.
{
  const REST = 300; // ms
  let byPointer = false;
  let timer = 0;

  document.addEventListener("pointerdown", () => (byPointer = true), true);
  document.addEventListener("keydown", () => (byPointer = false), true);
  document.addEventListener(
    "change",
    (event) => {
      const input = event.target;
      const slider = /^(range|number)$/.test(input.type) && input.closest(".block")?.querySelector("input[type=range]");
      if (byPointer || !slider) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (document.activeElement === input) input.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
      }, REST);
    },
    true,
  );
}
