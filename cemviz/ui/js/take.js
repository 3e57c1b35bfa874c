// A picture of a visitor's own on its way to the server, which decodes it: a chosen, pasted or dropped file as text.

export const MOST_BYTES = 5 * 2 ** 20;

/** Bytes -> base64, however many. */
export function base64(data) {
  let text = "";
  for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
  return btoa(text);
}

/**
 * Hand on each picture that a visitor gives.
 * @param root takes what is dropped; what is pasted counts while it is on screen and nobody is writing.
 * @param open button that opens the choice of a file.
 * @param take given the file's name and its bytes in base64.
 * @param refuse given a line that says what is wrong.
 * @returns the element that opens the choice, to be put beside the button.
 */
export function pictures(root, open, label, take, refuse) {
  const file = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", hidden: true, ariaLabel: label });
  async function read(chosen) {
    if (!chosen) return;
    if (chosen.size > MOST_BYTES) refuse(`${chosen.name || "The picture"} has more than 5 MB; give a smaller one.`);
    else take(base64(new Uint8Array(await chosen.arrayBuffer())), chosen.name);
  }
  open.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    read(file.files[0]);
    file.value = "";
  });
  document.addEventListener("paste", (event) => {
    const image = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (image && root.isConnected && root.offsetParent) read(image);
  });
  root.addEventListener("dragover", (event) => event.preventDefault());
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    read(event.dataTransfer.files[0]);
  });
  return file;
}
