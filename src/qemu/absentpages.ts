// The pages of a batch that are not there, and how one goes through them.

/** Pages of a batch, ascending, and for each its name, a number that means no other page. */
export interface AbsentPages {
  readonly pages: ArrayLike<number>;
  readonly names: ArrayLike<number>;
}

export class AbsentWalk {
  /** The next page that is absent; infinite behind the last. */
  page = Number.POSITIVE_INFINITY;
  private readonly absent: AbsentPages | undefined;
  private at = -1;

  constructor(absent: AbsentPages | undefined) {
    this.absent = absent;
    if (absent) this.goOn();
  }

  get name(): number {
    return (this.absent as AbsentPages).names[this.at];
  }

  goOn(): void {
    const { pages } = this.absent as AbsentPages;
    const last = this.at < 0 ? -1 : this.page;
    this.at++;
    this.page = this.at < pages.length ? pages[this.at] : Number.POSITIVE_INFINITY;
    if (!(this.page > last)) throw new Error(`absent page ${this.page} behind ${last}`);
  }
}
