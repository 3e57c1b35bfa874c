// A button beside the menu of pictures: a picture of one's own, chosen, dropped or pasted. The server cuts and scales it.
import { node } from "./draw.js";
import { pictures } from "./take.js";

export function mount(element, trigger) {
  const root = element.querySelector("#cem-upload");
  const open = node("button", { type: "button", text: "Upload", title: "A picture of your own: a file, or paste one" });
  const refused = node("p", { role: "status" });
  const take = (data) => {
    refused.textContent = "";
    trigger("select", { data });
  };
  root.replaceChildren(open, pictures(root, open, "a picture of your own", take, (line) => (refused.textContent = line)), refused);
}
