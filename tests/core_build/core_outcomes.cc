// What the core makes of a vault and of every vault that differs from it by one bit, checksums made right again: one
// line each. Built for 32 and for 64 bits, both must print the same (core_32bit_test.cmake). C library only, so that a
// compiler with nothing but a 32-bit C library suffices.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/core/bytes.h"
#include "codec/core/xxh64.h"
#include "firmware_riscv/loader/modelvault_loader.h"
#include "restore/infer/network_view.h"
#include "vault/core/signature_view.h"
#include "vault/format.h"

namespace {

using modelvault::LoadLe32;
using modelvault::LoadLe64;
using modelvault::StoreLe32;
using modelvault::StoreLe64;
using modelvault::Xxh64;

constexpr size_t kMaxVault = 1 << 20;
// A damaged MODEL may ask for more than any board has; it is told so.
constexpr size_t kMemory = 1 << 18;

alignas(8) uint8_t vault[kMaxVault];
alignas(8) uint8_t original[kMaxVault];
alignas(8) uint8_t memory[kMemory];

uint8_t* At(modelvault::FieldPlace field) { return vault + field.offset; }

// A stored range that lies inside the vault, else an empty one.
struct Range {
  size_t offset = 0;
  size_t size = 0;
};
Range Inside(uint64_t offset, uint64_t bytes, size_t size) {
  if (offset > size || bytes > size - offset) return {};
  return {static_cast<size_t>(offset), static_cast<size_t>(bytes)};
}
uint64_t Checksum(Range range) { return Xxh64::Of({vault + range.offset, range.size}); }

Range SectionRange(modelvault::Section section, size_t size) {
  const uint8_t* const entry = vault + modelvault::SectionEntryOffset(section);
  return Inside(LoadLe64(entry), LoadLe64(entry + modelvault::kSectionSizeField.offset), size);
}

// Of a narrow vault: what no checksum protects any more has to be refused, or restored to the same bytes, by itself.
void RepairChecksums(size_t size) {
  const Range chunks = SectionRange(modelvault::Section::kChunks, size);
  const Range base = SectionRange(modelvault::Section::kBase, size);
  const size_t count = chunks.size / modelvault::kNarrowChunkEntrySize;
  for (size_t c = 0; c < count; ++c) {
    uint8_t* const entry = vault + chunks.offset + c * modelvault::kNarrowChunkEntrySize;
    const uint32_t begin = LoadLe32(entry);
    const uint32_t end =
        c + 1 < count ? LoadLe32(entry + modelvault::kNarrowChunkEntrySize) : static_cast<uint32_t>(base.size);
    if (begin > end || end > base.size) continue;
    StoreLe32(entry + 4, static_cast<uint32_t>(Checksum({base.offset + begin, end - begin})));
  }
  const Range index = SectionRange(modelvault::Section::kIndex, size);
  const size_t variants = LoadLe32(At(modelvault::kVariantCountField));
  for (size_t v = 0; v < variants && v < index.size / modelvault::kNarrowIndexEntrySize; ++v) {
    uint8_t* const entry = vault + index.offset + v * modelvault::kNarrowIndexEntrySize;
    const Range blob = Inside(LoadLe32(entry + modelvault::kNarrowEntryOffsetField.offset),
                              LoadLe32(entry + modelvault::kNarrowEntrySizeField.offset), size);
    StoreLe32(entry + modelvault::kEntryChecksumField.offset, static_cast<uint32_t>(Checksum(blob)));
  }
  for (const modelvault::Section section : modelvault::kSectionsInFile) {
    const Range range = SectionRange(section, size);
    if (range.size == 0) continue;
    StoreLe64(vault + modelvault::SectionEntryOffset(section) + modelvault::kSectionChecksumField.offset,
              Checksum(range));
  }
  StoreLe64(At(modelvault::kHeaderChecksumField), Checksum({0, modelvault::kHeaderChecksumField.offset}));
}

// The outcome of a pass over one model, and the digest of all that was handed out.
void Pass(mv_loader* loader, const mv_variant& variant) {
  const uint8_t* tile;
  size_t size = 1;
  uint32_t verdict = MV_REJECTED;
  mv_error error = mv_start(loader, &variant, MV_MIN_TILE_SIZE);
  while (error == MV_OK && size > 0) error = mv_next(loader, &tile, &size);
  if (error == MV_OK) error = mv_finish(loader, &verdict);
  printf(" %d/%x", static_cast<int>(error), static_cast<unsigned>(verdict));
  if (error == MV_OK) printf("/%llx", static_cast<unsigned long long>(mv_digest(loader)));
}

// What is to be said of the vault's network.
void PrintNetwork(const mv_loader* loader) {
  const uint8_t* bytes;
  size_t size;
  const mv_error error = mv_network(loader, &bytes, &size);
  printf(" network %d", static_cast<int>(error));
  if (error != MV_OK) return;
  static modelvault::TensorRecord records[64];
  modelvault::SharedTables shared;
  const Range model = SectionRange(modelvault::Section::kModel, kMaxVault);
  if (shared.Parse({vault + model.offset, model.size}, records, 64) != modelvault::CoreStatus::kOk) return;
  modelvault::Network network;
  size_t bad_offset;
  const modelvault::CoreStatus parsed =
      ParseNetwork({bytes, size}, modelvault::ShapesOf(shared), &network, &bad_offset);
  printf("/%d at %u", static_cast<int>(parsed), static_cast<unsigned>(bad_offset));
}

// What is to be said of SIGNATURE's structure. Nothing is proven: there is no cryptographic library for 32 bits here.
void PrintSignature(size_t size) {
  modelvault::VaultHeader header;
  if (ParseHeader({vault, size}, size, &header) != modelvault::CoreStatus::kOk || !header.has_signature()) return;
  const auto section = [&](modelvault::Section s) {
    return modelvault::ByteView{vault + header.section(s).offset, header.section(s).size};
  };
  modelvault::SignedRoot root;
  uint32_t bad_offset = 0;
  modelvault::CoreStatus status = ParseSignature(section(modelvault::Section::kSignature), header, &root, &bad_offset);
  printf(" signature %d at %u", static_cast<int>(status), static_cast<unsigned>(bad_offset));
  modelvault::IndexView index;
  if (status != modelvault::CoreStatus::kOk ||
      index.Open(header, section(modelvault::Section::kIndex)) != modelvault::CoreStatus::kOk) {
    return;
  }
  modelvault::SignedBlobs blobs(root, header, index);
  modelvault::VariantEntry entry;
  modelvault::SignedObject object;
  while ((status = blobs.Next(&entry, &object)) == modelvault::CoreStatus::kOk) {
    printf(" %u+%u", static_cast<unsigned>(object.offset), static_cast<unsigned>(object.size));
  }
  printf(" %d", static_cast<int>(status));
}

void PrintOutcome(size_t size) {
  size_t needed = 0;
  const mv_error measured = mv_memory_needed(vault, size, MV_MIN_TILE_SIZE, nullptr, &needed);
  mv_loader* loader;
  mv_fault fault = {MV_PLACE_UNKNOWN, 0};
  mv_error error = mv_open(vault, size, memory, kMemory, nullptr, &loader, &fault);
  // Pointers count in what is needed: only whether it is told is the same for all.
  printf("%d %d at %d/%u:", static_cast<int>(measured), static_cast<int>(error), static_cast<int>(fault.place),
         static_cast<unsigned>(fault.number));
  if (error == MV_OK) {
    mv_variant variant;
    mv_base(loader, &variant);
    Pass(loader, variant);
    mv_cursor cursor = {0, 0};
    while ((error = mv_list(loader, &cursor, &variant)) == MV_OK) {
      printf(" %.*s", static_cast<int>(variant.name_size), variant.name);
      Pass(loader, variant);
    }
    printf(" %d", static_cast<int>(error));
    PrintNetwork(loader);
  }
  PrintSignature(size);
  printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  FILE* const file = argc == 2 ? fopen(argv[1], "rb") : nullptr;
  if (file == nullptr) {
    fprintf(stderr, "usage: core_outcomes VAULT\n");
    return 64;
  }
  const size_t size = fread(original, 1, kMaxVault, file);
  fclose(file);
  memcpy(vault, original, size);
  PrintOutcome(size);
  for (size_t end = 0; end < size; ++end) PrintOutcome(end);
  for (size_t bit = 0; bit < size * 8; ++bit) {
    memcpy(vault, original, size);
    vault[bit / 8] = static_cast<uint8_t>(vault[bit / 8] ^ 1u << bit % 8);
    RepairChecksums(size);
    // kMaxDataSize is where the two differ: 2^28 and 2^60.
    const size_t base_data_bit = bit - modelvault::kBaseDataSizeField.offset * 8;
    if (base_data_bit >= 28 && base_data_bit < 64) continue;
    PrintOutcome(size);
  }
  return 0;
}
