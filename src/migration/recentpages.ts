// The pages that were used last, by their digest: names often come again within moments. Keeps what
// it is given without copying.

export class RecentPages {
  private readonly most: number;
  /** The one used last is the last. */
  private readonly pages = new Map<string, Uint8Array>();

  constructor(most: number) {
    this.most = most;
  }

  add(key: string, page: Uint8Array): void {
    this.pages.delete(key);
    this.pages.set(key, page);
    if (this.pages.size <= this.most) return;
    for (const oldest of this.pages.keys()) {
      this.pages.delete(oldest);
      return;
    }
  }

  get(key: string): Uint8Array | undefined {
    const page = this.pages.get(key);
    if (page) this.add(key, page);
    return page;
  }
}
