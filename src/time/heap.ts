/** A binary heap: returns the smallest item first. */
export class Heap<T> {
  private items: T[] = [];

  /** @param compare below 0 if `a` comes before `b`. The order of equal items is undefined. */
  constructor(private readonly compare: (a: T, b: T) => number) {}

  get size(): number {
    return this.items.length;
  }

  /** The smallest item. It stays in the heap. */
  first(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    this.items.push(item);
    this.rise(this.items.length - 1);
  }

  /** Removes and returns the smallest item. */
  pop(): T | undefined {
    const first = this.items[0];
    const last = this.items.pop();
    if (last !== undefined && this.items.length > 0) {
      this.items[0] = last;
      this.sink(0);
    }
    return first;
  }

  /** Removes all items but those that are wanted. */
  keep(wanted: (item: T) => boolean): void {
    this.items = this.items.filter(wanted);
    for (let index = (this.items.length >> 1) - 1; index >= 0; index -= 1) this.sink(index);
  }

  private rise(index: number): void {
    for (let child = index; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!this.swapIfLess(child, parent)) return;
      child = parent;
    }
  }

  private sink(index: number): void {
    for (let parent = index; ;) {
      const left = 2 * parent + 1;
      if (left >= this.items.length) return;
      const child = left + 1 < this.items.length && this.isLess(left + 1, left) ? left + 1 : left;
      if (!this.swapIfLess(child, parent)) return;
      parent = child;
    }
  }

  private isLess(a: number, b: number): boolean {
    return this.compare(this.items[a] as T, this.items[b] as T) < 0;
  }

  private swapIfLess(a: number, b: number): boolean {
    if (!this.isLess(a, b)) return false;
    [this.items[a], this.items[b]] = [this.items[b] as T, this.items[a] as T];
    return true;
  }
}
