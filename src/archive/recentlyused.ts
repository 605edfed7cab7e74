// What was decoded lately, up to a weight. The one that was not asked for longest gives way.

export class RecentlyUsed<Key, Value> {
  private readonly held = new Map<Key, { value: Value; weight: number }>();
  private readonly maxWeight: number;
  private readonly onDrop: ((value: Value) => void) | undefined;
  private weight = 0;

  /** `onDrop` is told of what is no longer held. */
  constructor(maxWeight: number, onDrop?: (value: Value) => void) {
    this.maxWeight = maxWeight;
    this.onDrop = onDrop;
  }

  get(key: Key): Value | undefined {
    const entry = this.held.get(key);
    if (!entry) return undefined;
    this.held.delete(key);
    this.held.set(key, entry);
    return entry.value;
  }

  /** Keeps `value`, however heavy it is, and lets go of others until the weights fit. */
  set(key: Key, value: Value, weight: number): void {
    this.drop(key);
    for (const oldest of this.held.keys()) {
      if (this.weight + weight <= this.maxWeight) break;
      this.drop(oldest);
    }
    this.held.set(key, { value, weight });
    this.weight += weight;
  }

  /** Whether it is held; asking does not count as use. */
  has(key: Key): boolean {
    return this.held.has(key);
  }

  drop(key: Key): void {
    const entry = this.held.get(key);
    if (!entry) return;
    this.weight -= entry.weight;
    this.held.delete(key);
    this.onDrop?.(entry.value);
  }
}
