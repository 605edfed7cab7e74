// What was decoded lately, up to a weight. The one that was not asked for longest gives way.

export class RecentlyUsed<Key, Value> {
  private readonly held = new Map<Key, { value: Value; weight: number }>();
  private readonly maxWeight: number;
  private weight = 0;

  constructor(maxWeight: number) {
    this.maxWeight = maxWeight;
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
    this.weight -= this.held.get(key)?.weight ?? 0;
    this.held.delete(key);
  }
}
