// The public interface of pagefold. Re-exports only.
export type * from "./api.ts";
export { openBase } from "./archive/base.ts";
export { isSealed } from "./archive/openseal.ts";
export { openArchive } from "./archive/reader.ts";
export { type ErrorCode, PagefoldError, reasonOf } from "./core/errors.ts";
export type { PageGroup } from "./core/pagegroup.ts";
export { openEngine } from "./engine.ts";
export type * from "./explainapi.ts";
export { compressedPaths } from "./image/containers/compressed.ts";
export type { MemoryFormat } from "./image/convert/convert.ts";
export type { PageSink, PageSource } from "./image/image.ts";
export { type ImageFolder, type ImagePath, imagesAt } from "./image/inputs.ts";
export { imageNames } from "./image/names.ts";
export {
  type CaptureFormat,
  type CaptureOptions,
  type CaptureProgress,
  type CaptureReport,
  captureProcess,
} from "./image/process/capture.ts";
export { encoderSink } from "./migration/encodersink.ts";
export type { GangNumbers, GangSource, GangSourceOptions } from "./migration/gangsource.ts";
export type { GangTargetOptions, GuestReturns } from "./migration/gangtargetapi.ts";
export type { GuestSink } from "./migration/guestdelivery.ts";
export type { GuestListener } from "./migration/guesthost.ts";
export type { GuestSource } from "./migration/guestsource.ts";
export type { GuestView } from "./migration/guestview.ts";
export type { GuestOutcome } from "./migration/outcome.ts";
export { openPageGuest, type PageGuest, type PageGuestOptions } from "./migration/pageguest.ts";
export { type PageGuestTarget, pageGuestSink } from "./migration/pageguestsink.ts";
export { precopy } from "./migration/precopy.ts";
export * from "./migration/precopyapi.ts";
export { openQmp } from "./qemu/qmp.ts";
export { type BackupOptions, CheckpointBackup, type StoredEpoch } from "./replication/backup.ts";
export type * from "./replication/capture.ts";
export { type ReleaseReport, releaseGuest } from "./replication/capturelease.ts";
export type { EpochEncoding } from "./replication/epochencoder.ts";
export { GuestCapture, type GuestCaptureOptions } from "./replication/guestcapture.ts";
export {
  type OutputFilterOptions,
  OutputFilters,
  releaseOutput,
} from "./replication/outputfilters.ts";
export type { OutputHold } from "./replication/outputhold.ts";
export { type CheckpointSource, pageEpochs } from "./replication/pageepochs.ts";
export { type Patch, PatchWriter } from "./replication/patch.ts";
export {
  CheckpointPrimary,
  type EpochReport,
  type PrimaryOptions,
} from "./replication/primary.ts";
export { type Epoch, type ReplicaOptions, ReplicaStore } from "./replication/store.ts";
export type { EpochDraft, EpochEnd } from "./replication/storedraft.ts";
export type { EpochHead } from "./replication/storeepoch.ts";
export type { FullDraft } from "./replication/storefull.ts";
export type { GuestIdentity, RamBlock } from "./replication/storeidentity.ts";
export type { EpochReader } from "./replication/storereader.ts";
export { type ReplicaStatus, replicaStatus } from "./replication/storestatus.ts";
export { reportPage, writeReport } from "./report/html.ts";
export type { ArchiveServer, ServeOptions } from "./serve/serve.ts";
export {
  type BackupServiceOptions,
  type PrimaryServiceOptions,
  type ReplicateOptions,
  type ResumeOptions,
  type ResumeReport,
  replicateBackup,
  replicatePrimary,
  resumeReplica,
} from "./service/replicate.ts";
export type * from "./service/tunnelapi.ts";
export type { TunnelTargetOptions } from "./service/tunneltarget.ts";
export { serveArchive } from "./serving.ts";
export { MemoryIndex } from "./store/memoryindex.ts";
export { MemoryPages, type MemoryPagesOptions } from "./store/memorypages.ts";
export { type RackSecrets, rackKeys } from "./store/rackkeys.ts";
export { type RackStatus, rackStatus } from "./store/rackstatus.ts";
export type { RedisOptions } from "./store/redisconnect.ts";
export { openRedisIndex, type RedisIndexOptions } from "./store/redisindex.ts";
export { openRedisPages } from "./store/redispages.ts";
export { type RedisTls, redisTlsIn } from "./store/redisurl.ts";
export { SealedPages } from "./store/sealedpages.ts";
export type * from "./store/store.ts";
export { openGangSource, serveGangTarget, tunnelSource, tunnelTarget } from "./transfers.ts";
export { parseAddress } from "./transport/address.ts";
export { connect } from "./transport/connect.ts";
export type { Connection, Receiver } from "./transport/connection.ts";
export { type Listener, listen } from "./transport/listen.ts";
export { loopbackPair } from "./transport/loopback.ts";
export { shaped } from "./transport/shaped.ts";
export type { FrameCounts } from "./wire/imagehead.ts";
