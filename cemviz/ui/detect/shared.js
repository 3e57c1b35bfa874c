// What both views of the tab share: the classifier that answers, and the thresholds that were dragged; "change" tells of either.

class Shared extends EventTarget {
  #front = null;
  #dragged = new Map();

  get front() {
    return this.#front;
  }

  set front(name) {
    if (name === this.#front) return;
    this.#front = name;
    this.dispatchEvent(new Event("change"));
  }

  /** The dragged threshold of a way to decide behind the classifier, else `usual`. */
  threshold(way, usual) {
    return this.#dragged.get(`${this.#front} ${way}`) ?? usual;
  }

  drag(way, T) {
    this.#dragged.set(`${this.#front} ${way}`, T);
    this.dispatchEvent(new Event("change"));
  }
}

export const shared = new Shared();
