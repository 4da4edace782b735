// Gives back the base and every variant of the vault in flash with the core, and prints for each its XXH64 and the
// instructions that decoding and hashing took; hashing is counted apart. One line each:
//
//   base bytes=N hash=HEX decode=N hashing=N
//   variant bytes=N hash=HEX decode=N hashing=N name=NAME
//   memory stack=N static=N
//   done
//
// The first failure ends it: "error STEP STATUS" and exit code 1. A hash that is not the stored one is a failure.
#include "codec/core/model.h"
#include "codec/core/variant_layout.h"
#include "codec/core/xxh64.h"
#include "firmware_riscv/board.h"
#include "restore/core/variant_stream.h"
#include "vault/core/vault_view.h"

namespace modelvault {
namespace {

constexpr size_t kMaxTensors = 128;
constexpr size_t kMaxPriorColumns = 4096;

// All the memory decoding takes, beside the stack.
struct Workspace {
  TensorRecord records[kMaxTensors];
  VariantTensor own_layout[kMaxTensors];
  TableCache tables;
  uint8_t column_order[kMaxPriorColumns];
  uint16_t column_ends[kMaxPriorColumns / kStripSize * kClassCount];  // ColumnOrder::EndsCount(kMaxPriorColumns)
  uint8_t tile[TileBufferSize(kDefaultTileSize)];
};
// Without member initialisers anywhere inside it this is zeroed memory, not a constructor.
Workspace workspace;

[[noreturn]] void Fail(const char* step, CoreStatus status) {
  Print("error ");
  Print(step);
  Print(" ");
  Print(CoreStatusName(status));
  Print("\n");
  Exit(1);
}

void Check(const char* step, CoreStatus status) {
  if (status != CoreStatus::kOk) Fail(step, status);
}

struct Vault {
  ByteView bytes;
  VaultHeader header;
  ByteView chunks;
  ByteView base;

  ByteView SectionBytes(Section s) const {
    const SectionPlace& place = header.section(s);
    return bytes.Sub(static_cast<size_t>(place.offset), static_cast<size_t>(place.size));
  }
};

CoreStatus FetchChunk(void* context, uint64_t chunk, ByteView* stored) {
  const Vault* vault = static_cast<const Vault*>(context);
  ChunkPlace place;
  const CoreStatus found = FindChunk(vault->header, vault->chunks, chunk, &place);
  if (found == CoreStatus::kOk) {
    *stored = vault->base.Sub(static_cast<size_t>(place.offset), static_cast<size_t>(place.size));
  }
  return found;
}

struct Segments {
  ByteView blob;
  BlobHead head;
  uint64_t next;
  SegmentPlace place;
};

// Streams ask for segments in order.
CoreStatus FetchSegment(void* context, uint64_t segment, ByteView* stored) {
  Segments* segments = static_cast<Segments*>(context);
  if (segment != segments->next) return CoreStatus::kBadArgument;
  const CoreStatus found = segment == 0 ? FirstSegment(segments->head, segments->blob.size, &segments->place)
                                        : NextSegment(segments->head, segment, &segments->place);
  if (found != CoreStatus::kOk) return found;
  ++segments->next;
  *stored = segments->blob.Sub(static_cast<size_t>(segments->place.offset), static_cast<size_t>(segments->place.size));
  return CoreStatus::kOk;
}

// Streams everything, counts and prints; returns the hash.
uint64_t Measure(const char* what, Vault* vault, const VariantLayout& layout, SegmentSource segments) {
  const StreamWorkspace memory = {&workspace.tables,
                                  {workspace.column_order, workspace.column_ends, kMaxPriorColumns},
                                  {workspace.tile, sizeof(workspace.tile)}};
  const uint64_t begin = InstructionsRetired();
  uint64_t hashing = 0;
  VariantStream stream(&layout, vault->header.chunk_size, vault->header.segment_size, {FetchChunk, vault}, segments,
                       memory);
  Check("start", stream.Start(0, layout.data_size(), kDefaultTileSize));
  Xxh64 hash;
  for (;;) {
    ByteView tile;
    Check("tile", stream.Next(&tile));
    if (tile.size == 0) break;
    const uint64_t before = InstructionsRetired();
    hash.Update(tile);
    hashing += InstructionsRetired() - before;
  }
  const uint64_t decode = InstructionsRetired() - begin - hashing;
  Print(what);
  Print(" bytes=");
  PrintNumber(layout.data_size());
  Print(" hash=");
  PrintHex(hash.Digest());
  Print(" decode=");
  PrintNumber(decode);
  Print(" hashing=");
  PrintNumber(hashing);
  return hash.Digest();
}

void CheckHash(uint64_t hash, uint64_t stored) {
  if (hash != stored) Fail("hash", CoreStatus::kDigestMismatch);
}

void MeasureVariant(Vault* vault, const Model& model, const VariantEntry& entry) {
  Segments segments{};
  segments.blob = vault->bytes.Sub(static_cast<size_t>(entry.offset), static_cast<size_t>(entry.size));
  Check("blob", ParseBlobHead(segments.blob, entry.size, vault->header.tensor_count, &segments.head));
  VariantLayout layout(&model);
  if (segments.head.own_layout) {
    Check("layout", layout.Parse(segments.head.layout, workspace.own_layout, kMaxTensors));
  }
  SegmentSource source;
  if (segments.head.segment_count > 0) source = {FetchSegment, &segments};
  const uint64_t hash = Measure("variant", vault, layout, source);
  Print(" name=");
  for (size_t i = 0; i < entry.name.size; ++i) PrintCharacter(static_cast<char>(entry.name.data[i]));
  Print("\n");
  CheckHash(hash, entry.xxh64);
}

void Run() {
  Vault vault;
  vault.bytes = VaultFlash();
  Check("header", ParseHeader(vault.bytes.Sub(0, kHeaderSize), vault.bytes.size, &vault.header));
  vault.chunks = vault.SectionBytes(Section::kChunks);
  vault.base = vault.SectionBytes(Section::kBase);
  Model model;
  Check("model", model.Parse(vault.SectionBytes(Section::kModel), workspace.records, kMaxTensors));
  if (model.max_prior_cols() > kMaxPriorColumns) Fail("model", CoreStatus::kWorkspaceTooSmall);

  const uint64_t base_hash = Measure("base", &vault, VariantLayout(&model), SegmentSource());
  Print("\n");
  CheckHash(base_hash, vault.header.base_xxh64);

  IndexView index;
  Check("index", index.Open(vault.header, vault.SectionBytes(Section::kIndex)));
  IndexView::Cursor cursor = index.Begin();
  for (uint32_t i = 0; i < index.count(); ++i) {
    VariantEntry entry;
    Check("index", index.Next(&cursor, &entry));
    MeasureVariant(&vault, model, entry);
  }
  Print("memory stack=");
  PrintNumber(StackBytesUsed());
  Print(" static=");
  PrintNumber(sizeof(workspace));
  Print("\ndone\n");
}

}  // namespace
}  // namespace modelvault

int main() {
  modelvault::Run();
  return 0;
}
