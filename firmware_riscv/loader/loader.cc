#include "codec/core/shared_tables.h"
#include "codec/core/variant_layout.h"
#include "codec/core/xxh64.h"
#include "firmware_riscv/loader/core_errors.h"
#include "firmware_riscv/loader/loader_parts.h"
#include "firmware_riscv/loader/modelvault_loader.h"
#include "firmware_riscv/loader/placement.h"
#include "restore/core/proven_chunks.h"
#include "restore/core/variant_stream.h"
#include "vault/core/vault_view.h"

using modelvault::At;
using modelvault::BlobHead;
using modelvault::ByteSpan;
using modelvault::ByteView;
using modelvault::ChunkPlace;
using modelvault::ChunkSource;
using modelvault::ColumnOrder;
using modelvault::CoreStatus;
using modelvault::IndexView;
using modelvault::LayoutForm;
using modelvault::ProvenChunks;
using modelvault::Section;
using modelvault::SectionPlace;
using modelvault::SegmentPlace;
using modelvault::SegmentSource;
using modelvault::SharedTables;
using modelvault::StoredChunks;
using modelvault::StripColumns;
using modelvault::TableCache;
using modelvault::TensorRecord;
using modelvault::ToError;
using modelvault::VariantEntry;
using modelvault::VariantLayout;
using modelvault::VariantStream;
using modelvault::VariantTensor;
using modelvault::VaultHeader;
using modelvault::Xxh64;

static_assert(MV_DEFAULT_TILE_SIZE == modelvault::kDefaultTileSize);
static_assert(MV_MIN_TILE_SIZE == modelvault::kMinTileSize);
static_assert(MV_MAX_NAME_SIZE == modelvault::kMaxVariantNameSize);

namespace {

constexpr size_t kMaxVaultSize = 0x7FFFFFFF;  // Every offset and size inside fits 32 bits.

constexpr size_t AlignUp(size_t size) { return (size + (MV_MEMORY_ALIGNMENT - 1)) & ~size_t{MV_MEMORY_ALIGNMENT - 1}; }

// Hands out the caller's memory, front to back.
struct Arena {
  uint8_t* begin;
  size_t size;
  size_t used;

  // Room for `count` objects of `size_each` bytes at *at; false if there is not enough. The products fit: counts are
  // those of things stored in less than 2^31 bytes, or at most kMaxFreeLayoutTensors.
  constexpr bool Reserve(size_t count, size_t size_each, size_t* at) {
    *at = AlignUp(used);
    const size_t wanted = count * size_each;
    if (*at > size || wanted > size - *at) return false;
    used = *at + wanted;
    return true;
  }

  // The same in memory that there is; null if there is not enough.
  void* Take(size_t count, size_t size_each) {
    size_t at;
    return Reserve(count, size_each, &at) ? begin + at : nullptr;
  }

  // All that lies behind the first `taken` bytes.
  ByteSpan From(size_t taken) const {
    const size_t at = AlignUp(taken) < size ? AlignUp(taken) : size;
    return {begin + at, size - at};
  }
};

constexpr size_t kFeedInterval = 4096;

// A caller's watchdog; without one nothing is fed.
struct Watchdog {
  mv_watchdog its;

  explicit Watchdog(const mv_watchdog* watchdog) : its(watchdog != nullptr ? *watchdog : mv_watchdog{}) {}
  void Feed() const {
    if (its.feed != nullptr) its.feed(its.context);
  }

  // XXH64 of as many bytes as there are.
  uint64_t Hash(ByteView bytes) const {
    Xxh64 hash;
    for (size_t at = 0; at < bytes.size; at += kFeedInterval) {
      Feed();
      hash.Update(bytes.Sub(at, bytes.size - at < kFeedInterval ? bytes.size - at : kFeedInterval));
    }
    Feed();
    return hash.Digest();
  }
  uint32_t Hash32(ByteView bytes) const { return static_cast<uint32_t>(Hash(bytes)); }  // modelvault::Checksum32().
};

// What is where in a vault whose header, MODEL, CHUNKS and INDEX have the checksums they must have.
struct Contents {
  ByteView vault;
  Watchdog watchdog;
  VaultHeader header;
  ByteView chunks;
  ByteView base;
  IndexView index;
  bool has_index;  // Else the vault is opened for its base alone.

  Contents(ByteView bytes, const mv_watchdog* fed, bool with_index)
      : vault(bytes), watchdog(fed), has_index(with_index) {}

  StoredChunks Chunks() const { return {&header, chunks, base}; }

  ByteView SectionBytes(Section s) const {
    const SectionPlace& place = header.section(s);
    return vault.Sub(static_cast<size_t>(place.offset), static_cast<size_t>(place.size));
  }

  // On failure *place tells where.
  CoreStatus Open(mv_place* place) {
    *place = MV_PLACE_HEADER;
    const size_t head = vault.size < modelvault::kHeaderSize ? vault.size : modelvault::kHeaderSize;
    const CoreStatus parsed = ParseHeader(vault.Sub(0, head), vault.size, &header);
    if (parsed != CoreStatus::kOk) return parsed;
    struct Checked {
      Section section;
      mv_place place;
    };
    static constexpr Checked kChecked[] = {
        {Section::kModel, MV_PLACE_MODEL}, {Section::kChunks, MV_PLACE_CHUNKS}, {Section::kIndex, MV_PLACE_INDEX}};
    for (const Checked& checked : kChecked) {
      if (checked.place == MV_PLACE_INDEX && !has_index) continue;
      *place = checked.place;
      if (watchdog.Hash(SectionBytes(checked.section)) != header.section(checked.section).checksum) {
        return CoreStatus::kChecksumMismatch;
      }
    }
    chunks = SectionBytes(Section::kChunks);
    base = SectionBytes(Section::kBase);
    const CoreStatus opened = has_index ? index.Open(header, SectionBytes(Section::kIndex)) : CoreStatus::kOk;
    watchdog.Feed();
    return opened;
  }

  // The bytes and head of a variant's blob. What mv_list() and mv_find() gave lies inside the vault, but the caller's
  // copy may have suffered since.
  CoreStatus OpenBlob(const mv_variant& variant, ByteView* blob, BlobHead* blob_head) const {
    if (variant.opened != nullptr) {
      *blob = {variant.opened, variant.blob_size};
    } else if (variant.blob_offset > vault.size || variant.blob_size > vault.size - variant.blob_offset) {
      return CoreStatus::kBadArgument;
    } else {
      *blob = vault.Sub(variant.blob_offset, variant.blob_size);
    }
    return ParseBlobHead(*blob, variant.blob_size, header, blob_head);
  }
};

void Fill(const VariantEntry& entry, mv_variant* variant) {
  variant->name = reinterpret_cast<const char*>(entry.name.data);
  variant->name_size = entry.name.size;
  variant->digest = entry.xxh64;
  variant->blob_offset = static_cast<uint32_t>(entry.offset);
  variant->blob_size = static_cast<uint32_t>(entry.size);
  variant->blob_checksum = entry.checksum32;
  variant->opened = nullptr;
}

}  // namespace

// What a call that starts a model asks for.
struct Request {
  size_t offset;
  size_t length;  // SIZE_MAX: to the end.
  size_t tile_size;
  bool hashed;
  bool with_base;
  // For proven tiles, so that whoever does not ask for them does not link it: ProveChunks. Else null.
  CoreStatus (*prove_chunks)(mv_loader* loader, uint32_t* seals, ChunkSource* chunks);
  uint32_t* seals;  // Of ProvenChunks, or null.
  ByteSpan memory;  // For what one model takes; null: the loader's own.

  bool proven() const { return prove_chunks != nullptr; }
};

// At the front of the caller's memory; the tensor records follow, then what one model takes: its own layout, if it has
// one, the column order, the tables, the stream and the tile.
struct mv_loader {
  Contents contents;
  Arena arena;         // In use: what mv_open() took.
  Arena model;         // The same memory, or another, with what the model in progress takes.
  size_t parsed_size;  // Of the arena, by Open(); what follows is what KeepMemory() took.
  SharedTables shared;
  ColumnOrder order;
  TableCache tables;

  // The model in progress.
  mv_error error;
  mv_fault fault;
  bool proven;
  bool hashed;
  size_t position;  // Of the next tile.
  const uint8_t* base_tile;
  ByteView blob;
  BlobHead blob_head;
  size_t next_segment;
  SegmentPlace segment;
  Xxh64 hash;
  uint64_t expected;
  size_t size;
  bool at_end;
  alignas(VariantLayout) uint8_t layout[sizeof(VariantLayout)];
  alignas(ProvenChunks) uint8_t proven_chunks[sizeof(ProvenChunks)];
  VariantStream* stream;

  void (*observe)(void* context, mv_step step);
  void* observe_context;

  mv_loader(const Contents& of, const Arena& memory) : contents(of), arena(memory), model(memory) {}
  CoreStatus Open(mv_place* place);
  CoreStatus Start(const mv_variant& variant, const Request& request);
  CoreStatus Prepare(const mv_variant& variant, const Request& request);
  CoreStatus ProveBlob(const mv_variant& variant);
  CoreStatus Fail(CoreStatus status, mv_place place, size_t number = 0);
  ProvenChunks* Chunks() { return reinterpret_cast<ProvenChunks*>(proven_chunks); }
  VariantLayout* Layout() { return reinterpret_cast<VariantLayout*>(layout); }
  void Observe(mv_step step) const {
    if (observe != nullptr) observe(observe_context, step);
  }
};

static_assert(alignof(mv_loader) <= MV_MEMORY_ALIGNMENT && alignof(VariantStream) <= MV_MEMORY_ALIGNMENT &&
              alignof(StripColumns) <= MV_MEMORY_ALIGNMENT && alignof(TensorRecord) <= MV_MEMORY_ALIGNMENT &&
              alignof(VariantTensor) <= MV_MEMORY_ALIGNMENT);

namespace {

// A stream and what its decoders work with; the order is that of alignments.
constexpr size_t StripsSize(size_t columns) { return ColumnOrder::StripCount(columns) * sizeof(StripColumns); }
constexpr size_t StreamSize(size_t columns, unsigned code_bits) {
  return sizeof(VariantStream) + StripsSize(columns) + TableCache::Size(code_bits) + columns;
}

// What Start() takes of memory of which `used` bytes are in use, these included; 0 if there is no such amount.
constexpr size_t ModelMemory(size_t used, size_t columns, unsigned code_bits, size_t own_tensors, size_t tile_size,
                             size_t chunk_size, bool with_base) {
  Arena arena = {nullptr, SIZE_MAX, used};
  size_t at = 0;
  const bool fits = (own_tensors == 0 || arena.Reserve(own_tensors, sizeof(VariantTensor), &at)) &&
                    (chunk_size == 0 || arena.Reserve(1, chunk_size, &at)) &&
                    arena.Reserve(1, StreamSize(columns, code_bits), &at) &&
                    (!with_base || arena.Reserve(1, modelvault::TileBufferSize(tile_size), &at)) &&
                    arena.Reserve(1, modelvault::TileBufferSize(tile_size), &at);
  return fits ? arena.used : 0;
}

// What Open() and Start() take of the caller's memory; 0 if there is no such amount.
constexpr size_t MemoryFor(size_t tensors, size_t columns, unsigned code_bits, size_t own_tensors, size_t tile_size,
                           size_t chunk_size = 0, bool with_base = false) {
  Arena arena = {nullptr, SIZE_MAX, sizeof(mv_loader)};
  size_t at = 0;
  if (!arena.Reserve(tensors, sizeof(TensorRecord), &at)) return 0;
  return ModelMemory(arena.used, columns, code_bits, own_tensors, tile_size, chunk_size, with_base);
}

// A model of 260,000 weights in 76 tensors, the widest of 172 columns, on the board: virt_128k.ld sees that it is
// there.
static_assert(sizeof(void*) > 4 ||
              MemoryFor(76, 172, modelvault::kMaxCodeLength, 0, MV_DEFAULT_TILE_SIZE) <= 20 * 1024);

CoreStatus FetchChunk(void* context, size_t chunk, ByteView* stored) {
  uint32_t checksum32;
  return FindStoredChunk(static_cast<const mv_loader*>(context)->contents.Chunks(), chunk, stored, &checksum32);
}

CoreStatus FetchProvenChunk(void* context, size_t chunk, ByteView* stored) {
  mv_loader* const loader = static_cast<mv_loader*>(context);
  return loader->Fail(loader->Chunks()->Fetch(chunk, stored), MV_PLACE_BASE, chunk);
}

// A stream asks for segments in order, from wherever it was started.
CoreStatus FetchSegment(void* context, size_t segment, ByteView* stored) {
  mv_loader* const loader = static_cast<mv_loader*>(context);
  SegmentPlace* const place = &loader->segment;
  CoreStatus found = CoreStatus::kOk;
  if (segment < loader->next_segment) loader->next_segment = 0;
  while (found == CoreStatus::kOk && loader->next_segment <= segment) {
    found = loader->next_segment == 0 ? FirstSegment(loader->blob_head, loader->blob.size, place)
                                      : NextSegment(loader->blob_head, loader->next_segment, place);
    ++loader->next_segment;
  }
  if (found != CoreStatus::kOk) return loader->Fail(found, MV_PLACE_DELTA, segment);
  *stored = loader->blob.Sub(static_cast<size_t>(place->offset), static_cast<size_t>(place->size));
  // Without a directory the whole blob has been compared.
  if (loader->proven && loader->blob_head.has_directory &&
      loader->contents.watchdog.Hash32(*stored) != place->checksum32) {
    return loader->Fail(CoreStatus::kChecksumMismatch, MV_PLACE_DELTA, segment);
  }
  return CoreStatus::kOk;
}

// Whether a blob's stored bytes have their checksums; if not, *segment is the one at fault, 0 for the head. Inline, as
// most programs have one caller of it.
[[gnu::always_inline]] inline bool BlobIntact(const Contents& contents, const mv_variant& variant, uint32_t* segment) {
  *segment = 0;
  ByteView blob;
  BlobHead head;
  if (contents.OpenBlob(variant, &blob, &head) != CoreStatus::kOk) return false;
  if (blob.size == 0) return true;
  const ByteView covered = head.has_directory ? blob.Sub(0, static_cast<size_t>(head.head_size)) : blob;
  if (contents.watchdog.Hash32(covered) != variant.blob_checksum) return false;
  SegmentPlace place;
  CoreStatus found = head.has_directory ? FirstSegment(head, blob.size, &place) : CoreStatus::kNotFound;
  while (found == CoreStatus::kOk) {
    const ByteView bytes = blob.Sub(static_cast<size_t>(place.offset), static_cast<size_t>(place.size));
    if (contents.watchdog.Hash32(bytes) != place.checksum32) return false;
    found = NextSegment(head, ++*segment, &place);
  }
  return true;
}

// Whether the base's chunks have their checksums; if not, *chunk is the first that has not.
bool BaseIntact(const Contents& contents, uint32_t* chunk) {
  const uint64_t count = contents.header.chunk_count();
  for (*chunk = 0; *chunk < count; ++*chunk) {
    ChunkPlace place;
    if (FindChunk(contents.header, contents.chunks, *chunk, &place) != CoreStatus::kOk) return false;
    const ByteView bytes = contents.base.Sub(static_cast<size_t>(place.offset), static_cast<size_t>(place.size));
    if (contents.watchdog.Hash32(bytes) != place.checksum32) return false;
  }
  return true;
}

}  // namespace

CoreStatus mv_loader::Open(mv_place* place) {
  const CoreStatus opened = contents.Open(place);
  if (opened != CoreStatus::kOk) return opened;
  const VaultHeader& header = contents.header;
  const ByteView section = contents.SectionBytes(Section::kModel);

  *place = MV_PLACE_MODEL;
  size_t count;
  const CoreStatus counted = SharedTables::CountTensors(section, &count);
  if (counted != CoreStatus::kOk) return counted;
  if (count != header.tensor_count) return CoreStatus::kBadModel;
  const size_t tensors = static_cast<size_t>(count);
  TensorRecord* const records = static_cast<TensorRecord*>(arena.Take(tensors, sizeof(TensorRecord)));
  if (records == nullptr) {
    *place = MV_PLACE_MEMORY;
    return CoreStatus::kWorkspaceTooSmall;
  }
  const CoreStatus parsed = shared.Parse(section, records, tensors);
  contents.watchdog.Feed();
  if (parsed != CoreStatus::kOk) return parsed;
  if (shared.data_size() != header.base_data_size) return CoreStatus::kBadModel;

  model = arena;
  parsed_size = arena.used;
  return CoreStatus::kOk;
}

// Remembers where `status` came from, unless it is none.
CoreStatus mv_loader::Fail(CoreStatus status, mv_place place, size_t number) {
  if (status != CoreStatus::kOk) fault = {place, static_cast<uint32_t>(number)};
  return status;
}

// Compares a variant's stored bytes with their checksum: all of them, or, where segments have their own, the head.
CoreStatus mv_loader::ProveBlob(const mv_variant& variant) {
  if (blob.size == 0) return CoreStatus::kOk;
  const ByteView covered = blob_head.has_directory ? blob.Sub(0, blob_head.head_size) : blob;
  if (contents.watchdog.Hash32(covered) == variant.blob_checksum) return CoreStatus::kOk;
  return Fail(CoreStatus::kChecksumMismatch, MV_PLACE_DELTA);
}

// Sets *chunks to a source of chunks that are compared with their checksums.
static CoreStatus ProveChunks(mv_loader* loader, uint32_t* seals, ChunkSource* chunks) {
  const StoredChunks from = loader->contents.Chunks();
  size_t chunk_size;
  const CoreStatus measured = ProvenChunks::BufferSize(from, &chunk_size);
  if (measured != CoreStatus::kOk) return loader->Fail(measured, MV_PLACE_CHUNKS);
  void* const buffer = loader->model.Take(1, chunk_size);
  if (buffer == nullptr) return loader->Fail(CoreStatus::kWorkspaceTooSmall, MV_PLACE_MEMORY);
  const mv_watchdog& watchdog = loader->contents.watchdog.its;
  new (At{loader->proven_chunks})
      ProvenChunks(from, {static_cast<uint8_t*>(buffer), chunk_size}, seals, {watchdog.feed, watchdog.context});
  *chunks = {FetchProvenChunk, loader};
  return CoreStatus::kOk;
}

// What is in `blob` and the layout that it gives.
CoreStatus mv_loader::Prepare(const mv_variant& variant, const Request& request) {
  const CoreStatus opened = contents.OpenBlob(variant, &blob, &blob_head);
  if (opened != CoreStatus::kOk) return Fail(opened, MV_PLACE_DELTA);
  const CoreStatus proved = request.proven() ? ProveBlob(variant) : CoreStatus::kOk;
  if (proved != CoreStatus::kOk) return proved;
  VariantLayout* const tensors = new (At{layout}) VariantLayout(&shared);
  if (blob_head.layout.form == LayoutForm::kBase) return CoreStatus::kOk;
  const size_t count = blob_head.layout.tensor_count;
  VariantTensor* const own = static_cast<VariantTensor*>(model.Take(count, sizeof(VariantTensor)));
  if (own == nullptr) return Fail(CoreStatus::kWorkspaceTooSmall, MV_PLACE_MEMORY);
  return Fail(tensors->Parse(blob_head.layout, own, count), MV_PLACE_DELTA);
}

CoreStatus mv_loader::Start(const mv_variant& variant, const Request& request) {
  fault = {MV_PLACE_UNKNOWN, 0};
  base_tile = nullptr;
  at_end = false;
  size = 0;
  if (request.tile_size < MV_MIN_TILE_SIZE || request.tile_size > kMaxVaultSize) return CoreStatus::kBadArgument;
  model = request.memory.data == nullptr ? arena : Arena{request.memory.data, request.memory.size, 0};
  next_segment = 0;
  hash.Reset();
  expected = variant.digest;
  proven = request.proven();
  hashed = request.hashed;
  const CoreStatus prepared = Prepare(variant, request);
  if (prepared != CoreStatus::kOk) return prepared;
  ChunkSource chunks = {FetchChunk, this};
  const CoreStatus proved = proven ? request.prove_chunks(this, request.seals, &chunks) : CoreStatus::kOk;
  if (proved != CoreStatus::kOk) return proved;
  VariantLayout* const tensors = Layout();
  size = tensors->data_size();
  if (request.offset > size) return CoreStatus::kBadArgument;
  const size_t length = request.length == SIZE_MAX ? size - request.offset : request.length;
  if (length > size - request.offset) return CoreStatus::kBadArgument;
  const size_t tile_bytes = modelvault::TileBufferSize(request.tile_size);
  order.columns = static_cast<size_t>(shared.max_prior_cols());
  uint8_t* const room = static_cast<uint8_t*>(model.Take(1, StreamSize(order.columns, shared.code_bits())));
  uint8_t* const prediction = request.with_base ? static_cast<uint8_t*>(model.Take(1, tile_bytes)) : nullptr;
  uint8_t* const tile = static_cast<uint8_t*>(model.Take(1, tile_bytes));
  if (room == nullptr || tile == nullptr || (request.with_base && prediction == nullptr)) {
    return Fail(CoreStatus::kWorkspaceTooSmall, MV_PLACE_MEMORY);
  }
  order.strips = reinterpret_cast<StripColumns*>(room + sizeof(VariantStream));
  tables.memory = room + sizeof(VariantStream) + StripsSize(order.columns);
  order.order = tables.memory + TableCache::Size(shared.code_bits());
  SegmentSource segments;
  if (blob_head.segment_count > 0) segments = {FetchSegment, this};
  stream = new (At{room}) VariantStream(tensors, contents.header.chunk_size, contents.header.segment_size, chunks,
                                        segments, {&tables, order, {tile, tile_bytes}, prediction});
  if (blob_head.layout.form == LayoutForm::kBase) base_tile = prediction;
  position = request.offset;
  return stream->Start(request.offset, request.offset + length, request.tile_size);
}

// What opening takes, and streaming any model, also where its tiles are proven or the base's are kept.
static mv_error MemoryNeeded(const uint8_t* vault, size_t vault_size, size_t tile_size, bool proven, bool with_base,
                             const mv_watchdog* watchdog, size_t* bytes) {
  *bytes = 0;
  if (vault == nullptr || vault_size > kMaxVaultSize || tile_size < MV_MIN_TILE_SIZE || tile_size > kMaxVaultSize) {
    return MV_BAD_ARGUMENT;
  }
  Contents contents({vault, vault_size}, watchdog, /*with_index=*/true);
  mv_place unused;
  CoreStatus status = contents.Open(&unused);
  size_t columns = 0;
  unsigned code_bits = 0;
  if (status == CoreStatus::kOk)
    status = SharedTables::Measure(contents.SectionBytes(Section::kModel), &columns, &code_bits);
  if (status != CoreStatus::kOk) return ToError(status);

  const IndexView& index = contents.index;
  IndexView::Cursor cursor = index.Begin();
  VariantEntry entry;
  size_t own_tensors = contents.header.max_variant_tensors;
  while ((status = index.Next(&cursor, &entry)) == CoreStatus::kOk) {
    // The blob's first byte; all others are looked at when the variant is restored.
    const size_t offset = static_cast<size_t>(entry.offset);
    const bool each_once = entry.size > 0 && (contents.vault.data[offset] & modelvault::kBlobOwnLayout) != 0;
    if (each_once && own_tensors < contents.header.tensor_count) own_tensors = contents.header.tensor_count;
  }
  if (status != CoreStatus::kNotFound) return ToError(status);

  size_t chunk_size = 0;
  status = proven ? ProvenChunks::BufferSize(contents.Chunks(), &chunk_size) : CoreStatus::kOk;
  if (status != CoreStatus::kOk) return ToError(status);
  *bytes = MemoryFor(contents.header.tensor_count, columns, code_bits, own_tensors, tile_size, chunk_size, with_base);
  return *bytes != 0 ? MV_OK : MV_WORKSPACE_TOO_SMALL;
}

mv_error mv_memory_needed(const uint8_t* vault, size_t vault_size, size_t tile_size, const mv_watchdog* watchdog,
                          size_t* bytes) {
  return MemoryNeeded(vault, vault_size, tile_size, false, false, watchdog, bytes);
}

mv_error mv_memory_needed_proven(const uint8_t* vault, size_t vault_size, size_t tile_size, uint32_t flags,
                                 const mv_watchdog* watchdog, size_t* bytes) {
  return MemoryNeeded(vault, vault_size, tile_size, true, (flags & MV_WITH_BASE) != 0, watchdog, bytes);
}

static mv_error Open(const uint8_t* vault, size_t vault_size, void* memory, size_t memory_size,
                     const mv_watchdog* watchdog, bool with_index, mv_loader** loader, mv_fault* fault) {
  mv_fault unused;
  if (fault == nullptr) fault = &unused;
  *fault = {MV_PLACE_MEMORY, 0};
  *loader = nullptr;
  if (vault == nullptr || vault_size > kMaxVaultSize || memory == nullptr) return MV_BAD_ARGUMENT;
  if (reinterpret_cast<uintptr_t>(memory) % MV_MEMORY_ALIGNMENT != 0) return MV_MISALIGNED;
  // Streams are read by half-words and words, and lie where they do in the vault.
  if (reinterpret_cast<uintptr_t>(vault) % modelvault::kAlignment != 0) return MV_MISALIGNED;
  if (memory_size < sizeof(mv_loader)) return MV_WORKSPACE_TOO_SMALL;
  mv_loader* const opened = new (At{memory}) mv_loader(Contents({vault, vault_size}, watchdog, with_index),
                                                       {static_cast<uint8_t*>(memory), memory_size, sizeof(mv_loader)});
  opened->error = MV_NOT_FINISHED;  // Nothing has been started.
  opened->fault = {MV_PLACE_UNKNOWN, 0};
  opened->base_tile = nullptr;
  opened->position = 0;
  opened->hashed = false;
  opened->at_end = false;
  opened->size = 0;
  opened->observe = nullptr;
  const CoreStatus status = opened->Open(&fault->place);
  if (status != CoreStatus::kOk) return ToError(status);
  *loader = opened;
  return MV_OK;
}

mv_error mv_open(const uint8_t* vault, size_t vault_size, void* memory, size_t memory_size, const mv_watchdog* watchdog,
                 mv_loader** loader, mv_fault* fault) {
  return Open(vault, vault_size, memory, memory_size, watchdog, true, loader, fault);
}

mv_error mv_open_base(const uint8_t* vault, size_t vault_size, void* memory, size_t memory_size,
                      const mv_watchdog* watchdog, mv_loader** loader, mv_fault* fault) {
  return Open(vault, vault_size, memory, memory_size, watchdog, false, loader, fault);
}

uint32_t mv_count(const mv_loader* loader) { return loader->contents.index.count(); }

void mv_base(const mv_loader* loader, mv_variant* base) {
  *base = mv_variant{};
  base->name = "";
  base->digest = loader->contents.header.base_xxh64;
}

mv_error mv_list(const mv_loader* loader, mv_cursor* cursor, mv_variant* variant) {
  if (!loader->contents.has_index) return MV_BAD_INDEX;
  const IndexView& index = loader->contents.index;
  IndexView::Cursor at = cursor->next == 0 ? index.Begin() : IndexView::Cursor{cursor->next, cursor->name_offset};
  VariantEntry entry;
  const CoreStatus status = index.Next(&at, &entry);
  if (status != CoreStatus::kOk) return ToError(status);
  *cursor = {at.next, at.name_offset};
  Fill(entry, variant);
  return MV_OK;
}

mv_error mv_find(const mv_loader* loader, const char* name, size_t name_size, mv_variant* variant) {
  if (!loader->contents.has_index) return MV_BAD_INDEX;
  VariantEntry entry;
  const CoreStatus status = loader->contents.index.Find({reinterpret_cast<const uint8_t*>(name), name_size}, &entry);
  if (status == CoreStatus::kOk) Fill(entry, variant);
  return ToError(status);
}

uint32_t mv_tensor_count(const mv_loader* loader) { return loader->contents.header.tensor_count; }

mv_error mv_tensor(const mv_loader* loader, uint32_t number, mv_tensor_record* record) {
  *record = mv_tensor_record{};
  if (number >= mv_tensor_count(loader)) return MV_BAD_ARGUMENT;
  const TensorRecord& t = loader->shared.tensor(number);
  *record = {static_cast<uint8_t>(t.dtype), static_cast<uint32_t>(t.rows), static_cast<uint32_t>(t.cols),
             static_cast<uint32_t>(t.offset), static_cast<uint32_t>(t.size)};
  return MV_OK;
}

static mv_error Start(mv_loader* loader, const mv_variant* variant, const Request& request) {
  loader->contents.watchdog.Feed();
  loader->Observe(MV_STEP_DECODE);
  loader->error = ToError(loader->Start(*variant, request));
  loader->Observe(MV_STEP_DONE);
  return loader->error;
}

mv_error mv_start(mv_loader* loader, const mv_variant* variant, size_t tile_size) {
  return Start(loader, variant, {0, SIZE_MAX, tile_size, true, false, nullptr, nullptr, {}});
}

mv_error modelvault::StartSealed(mv_loader* loader, const mv_variant* variant, size_t tile_size, uint32_t flags,
                                 uint32_t* seals, ByteSpan memory) {
  return Start(
      loader, variant,
      {0, SIZE_MAX, tile_size, (flags & MV_WITH_DIGEST) != 0, (flags & MV_WITH_BASE) != 0, ProveChunks, seals, memory});
}

mv_error mv_start_proven(mv_loader* loader, const mv_variant* variant, size_t tile_size, uint32_t flags) {
  return modelvault::StartSealed(loader, variant, tile_size, flags, nullptr, {});
}

mv_error mv_start_range(mv_loader* loader, const mv_variant* variant, size_t offset, size_t length, size_t tile_size) {
  if (length > kMaxVaultSize) return MV_BAD_ARGUMENT;
  return Start(loader, variant, {offset, length, tile_size, false, false, ProveChunks, nullptr, {}});
}

mv_error mv_next(mv_loader* loader, const uint8_t** tile, size_t* size) {
  *tile = nullptr;
  *size = 0;
  if (loader->error != MV_OK) return loader->error;
  loader->contents.watchdog.Feed();
  loader->Observe(MV_STEP_DECODE);
  ByteView bytes;
  loader->error = ToError(loader->stream->Next(&bytes));
  if (loader->error == MV_OK) {
    if (bytes.size == 0) {
      loader->at_end = true;
    } else {
      if (loader->hashed) {
        loader->Observe(MV_STEP_HASH);
        loader->hash.Update(bytes);
      }
      loader->position += bytes.size;
      *tile = bytes.data;
      *size = bytes.size;
    }
  }
  loader->Observe(MV_STEP_DONE);
  return loader->error;
}

const uint8_t* mv_base_tile(const mv_loader* loader) { return loader->base_tile; }

mv_error mv_stream(mv_loader* loader, mv_consumer consumer, void* user) {
  for (;;) {
    const size_t offset = loader->position;
    const uint8_t* tile;
    size_t size;
    mv_error error = mv_next(loader, &tile, &size);
    if (error != MV_OK) return error;
    uint32_t verdict;
    if (size == 0) return mv_finish(loader, &verdict);
    error = consumer(user, offset, tile, size);
    if (error != MV_OK) {
      loader->error = error;
      return error;
    }
  }
}

mv_error mv_finish(mv_loader* loader, uint32_t* verdict) {
  *verdict = MV_REJECTED;
  if (loader->error != MV_OK) return loader->error;
  if (!loader->at_end) return MV_NOT_FINISHED;
  if (loader->hashed && loader->hash.Digest() != loader->expected) {
    loader->error = MV_DIGEST_MISMATCH;
    return loader->error;
  }
  *verdict = MV_VERIFIED;
  return MV_OK;
}

mv_fault mv_where(const mv_loader* loader) { return loader->fault; }

mv_error mv_network(const mv_loader* loader, const uint8_t** bytes, size_t* size) {
  *bytes = nullptr;
  *size = 0;
  const Contents& contents = loader->contents;
  if (!contents.header.has_network()) return MV_NOT_FOUND;
  const ByteView section = contents.SectionBytes(Section::kNetwork);
  if (contents.watchdog.Hash(section) != contents.header.section(Section::kNetwork).checksum) {
    return MV_CHECKSUM_MISMATCH;
  }
  *bytes = section.data;
  *size = section.size;
  return MV_OK;
}

uint64_t mv_model_size(const mv_loader* loader) { return loader->size; }

uint64_t mv_digest(const mv_loader* loader) { return loader->hash.Digest(); }

size_t mv_memory_used(const mv_loader* loader) {
  return loader->model.begin == loader->arena.begin ? loader->model.used : loader->arena.used;
}

mv_fault mv_diagnose(const mv_loader* loader, const mv_variant* variant) {
  mv_fault fault = {MV_PLACE_UNKNOWN, 0};
  Contents contents(loader->contents.vault, &loader->contents.watchdog.its, loader->contents.has_index);
  if (contents.Open(&fault.place) != CoreStatus::kOk) return fault;
  fault.place = MV_PLACE_DELTA;
  if (!BlobIntact(contents, *variant, &fault.number)) return fault;
  fault.place = MV_PLACE_BASE;
  if (!BaseIntact(contents, &fault.number)) return fault;
  return {MV_PLACE_UNKNOWN, 0};
}

void mv_observe(mv_loader* loader, void (*observe)(void* context, mv_step step), void* context) {
  loader->observe = observe;
  loader->observe_context = context;
}

// Where segment `number` of a variant is in its blob; 0 if there is no such segment.
static size_t SegmentOffset(const Contents& contents, const mv_variant& variant, uint32_t number) {
  ByteView blob;
  BlobHead head;
  SegmentPlace place;
  if (contents.OpenBlob(variant, &blob, &head) != CoreStatus::kOk) return 0;
  CoreStatus found = FirstSegment(head, blob.size, &place);
  for (uint32_t i = 1; found == CoreStatus::kOk && i <= number; ++i) found = NextSegment(head, i, &place);
  return found == CoreStatus::kOk ? static_cast<size_t>(place.offset) : 0;
}

size_t mv_offset_of(const mv_loader* loader, const mv_variant* variant, mv_fault fault) {
  const Contents& contents = loader->contents;
  const auto section = [&](Section s) { return static_cast<size_t>(contents.header.section(s).offset); };
  ChunkPlace chunk;
  switch (fault.place) {
    case MV_PLACE_MODEL:
      return section(Section::kModel);
    case MV_PLACE_CHUNKS:
      return section(Section::kChunks);
    case MV_PLACE_INDEX:
      return section(Section::kIndex);
    case MV_PLACE_NETWORK:
      return section(Section::kNetwork) + fault.number;
    case MV_PLACE_SIGNATURE:
      return section(Section::kSignature) + fault.number;
    case MV_PLACE_BASE:
      if (FindChunk(contents.header, contents.chunks, fault.number, &chunk) != CoreStatus::kOk) return 0;
      return section(Section::kBase) + static_cast<size_t>(chunk.offset);
    case MV_PLACE_DELTA:
      return variant->blob_offset + (fault.number > 0 ? SegmentOffset(contents, *variant, fault.number) : 0);
    default:
      return 0;
  }
}

modelvault::LoaderParts modelvault::PartsOf(mv_loader* loader) {
  return {&loader->shared,
          loader->contents.Chunks(),
          loader->contents.watchdog.its,
          loader->arena.From(loader->arena.used),
          loader->Layout(),
          loader->stream};
}

CoreStatus modelvault::MeasureProvenPass(const mv_loader* loader, const mv_variant& variant, size_t tile_size,
                                         ProvenPassMemory* memory) {
  const Contents& contents = loader->contents;
  ByteView blob;
  BlobHead head;
  CoreStatus status = contents.OpenBlob(variant, &blob, &head);
  size_t chunk_size = 0;
  if (status == CoreStatus::kOk) status = ProvenChunks::BufferSize(contents.Chunks(), &chunk_size);
  if (status != CoreStatus::kOk) return status;
  memory->has_base_layout = head.layout.form == LayoutForm::kBase;
  const size_t own_tensors = memory->has_base_layout ? 0 : head.layout.tensor_count;
  memory->fixed = ::AlignUp(loader->arena.used);
  memory->model = ::AlignUp(ModelMemory(0, loader->shared.max_prior_cols(), loader->shared.code_bits(), own_tensors,
                                        tile_size, chunk_size, /*with_base=*/true));
  return memory->model != 0 ? CoreStatus::kOk : CoreStatus::kWorkspaceTooSmall;
}

bool modelvault::IsBlobIntact(const mv_loader* loader, const mv_variant& variant, uint32_t* segment) {
  return BlobIntact(loader->contents, variant, segment);
}

void modelvault::EndModel(mv_loader* loader) { loader->error = MV_NOT_FINISHED; }

bool modelvault::HasEnded(const mv_loader* loader) { return loader->error == MV_NOT_FINISHED; }

ByteSpan modelvault::MemoryOf(const mv_loader* loader) { return {loader->arena.begin, loader->arena.size}; }

ByteSpan modelvault::KeepMemory(mv_loader* loader, size_t size) {
  loader->arena.used = loader->parsed_size;
  void* const kept = size > 0 ? loader->arena.Take(1, size) : nullptr;
  loader->model = loader->arena;
  return {static_cast<uint8_t*>(kept), kept != nullptr ? size : 0};
}

void modelvault::LimitMemory(mv_loader* loader, size_t size) { loader->arena.size = size; }
