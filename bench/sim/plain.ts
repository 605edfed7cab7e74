// A host whose guests are sent as QEMU does by default: every page that is not zero, as it is.
import { BATCH_PAGES, BATCHES_UNDER_WAY, BYTES, CPU } from "./costs.ts";
import type { HostPages } from "./fleet.ts";
import type { Place } from "./mover.ts";
import { send } from "./network.ts";
import { Turns } from "./turns.ts";

/** Resolves when the target has everything. */
export async function movePlain(place: Place, host: HostPages): Promise<void> {
  const { clock, there, sourceCpu, targetCpu } = place;
  const pages = host.nonZero + host.again;
  const bytes = pages * BYTES.plainPage + host.zeros * BYTES.plainZero;
  // Batches of the simulation are as large as those of the other ways.
  const batches = Math.ceil(pages / BATCH_PAGES);
  const ms = (pages * CPU.plainPage) / 2 / 1000 / batches;
  const underWay = new Turns(BATCHES_UNDER_WAY);
  const arrivals: Promise<void>[] = [];
  for (let batch = 0; batch < batches; batch++) {
    await underWay.take();
    await sourceCpu.work(ms);
    const arrived = new Promise<void>((resolve) => send(clock, there, bytes / batches, resolve));
    arrivals.push(
      arrived.then(async () => {
        await targetCpu.work(ms);
        underWay.give();
      }),
    );
  }
  await Promise.all(arrivals);
}
