#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_LOADER_LOADER_FIXTURE_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_LOADER_LOADER_FIXTURE_H_

// Vaults in memory, and loaders in just the memory that they ask for.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "firmware_riscv/loader/modelvault_loader.h"
#include "tests/restore/coded_models.h"
#include "vault/format.h"

namespace modelvault {

inline constexpr uint32_t kChunkSize = 512;
inline constexpr uint32_t kSegmentSize = 4096;

// A vault of every kind of variant in many chunks and segments.
inline const CodedModels& Models() {
  static const CodedModels* const models = new CodedModels(Encode(MakeFreeModels(4), kChunkSize, kSegmentSize));
  return *models;
}

// And one whose variants are one segment each, as a board's are.
inline const CodedModels& WholeModels() {
  static const CodedModels* const models = new CodedModels(Encode(MakePlainModels(4), 4096, 1 << 20));
  return *models;
}

// Of each model by name, the base's being "".
inline std::map<std::string, std::string> Contents(const CodedModels& models) {
  std::map<std::string, std::string> contents = {{"", std::string(models.base.begin(), models.base.end())}};
  for (const CodedVariant& v : models.variants) contents[v.name] = std::string(v.data.begin(), v.data.end());
  return contents;
}

inline const uint8_t* Data(const std::string& bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

// Memory of a size, aligned as it must be, with guards behind it.
class Memory {
 public:
  explicit Memory(size_t size) : size_(size), words_(size / 8 + 2, kGuard) {}
  ~Memory() {
    for (size_t i = size_; i < 8 * words_.size(); ++i) {
      EXPECT_EQ(data()[i], static_cast<uint8_t>(kGuard >> (i % 8 * 8))) << "memory was overrun";
    }
  }

  uint8_t* data() { return reinterpret_cast<uint8_t*>(words_.data()); }
  size_t size() const { return size_; }

 private:
  static constexpr uint64_t kGuard = 0x0123456789ABCDEF;
  size_t size_;
  std::vector<uint64_t> words_;
};

struct Restored {
  mv_error error = MV_NOT_FINISHED;
  uint32_t verdict = 0;
  std::string bytes;
  uint64_t digest = 0;
};

inline Restored Restore(mv_loader* loader, const mv_variant& variant, size_t tile_size) {
  Restored restored;
  restored.error = mv_start(loader, &variant, tile_size);
  while (restored.error == MV_OK) {
    const uint8_t* tile;
    size_t size;
    restored.error = mv_next(loader, &tile, &size);
    if (size == 0) break;
    restored.bytes.append(reinterpret_cast<const char*>(tile), size);
  }
  const mv_error error = mv_finish(loader, &restored.verdict);
  if (restored.error == MV_OK) restored.error = error;
  restored.digest = mv_digest(loader);
  return restored;
}

inline mv_error Find(const mv_loader* loader, const std::string& name, mv_variant* variant) {
  if (!name.empty()) return mv_find(loader, name.data(), name.size(), variant);
  mv_base(loader, variant);
  return MV_OK;
}

// A vault opened in just the memory it asks for.
class OpenedVault {
 public:
  explicit OpenedVault(std::string vault, size_t tile_size = MV_DEFAULT_TILE_SIZE) : vault_(std::move(vault)) {
    size_t needed = 0;
    EXPECT_EQ(mv_memory_needed(Data(vault_), vault_.size(), tile_size, nullptr, &needed), MV_OK);
    memory_ = std::make_unique<Memory>(needed);
    EXPECT_EQ(mv_open(Data(vault_), vault_.size(), memory_->data(), memory_->size(), nullptr, &loader_, nullptr),
              MV_OK);
  }

  mv_loader* loader() { return loader_; }
  size_t memory_size() const { return memory_->size(); }

 private:
  std::string vault_;
  std::unique_ptr<Memory> memory_;
  mv_loader* loader_ = nullptr;
};

// What a flipped bit at `at` hits, by the header's own table.
inline mv_place PlaceOf(const std::string& vault, size_t at) {
  if (at < kHeaderSize) return MV_PLACE_HEADER;
  const mv_place kPlaces[] = {MV_PLACE_MODEL, MV_PLACE_CHUNKS, MV_PLACE_BASE, MV_PLACE_INDEX};
  for (size_t s = 0; s < 4; ++s) {
    const uint8_t* const entry = Data(vault) + kSectionsField.offset + s * kSectionEntrySize;
    const uint64_t offset = LoadLe64(entry), size = LoadLe64(entry + 8);
    if (at >= offset && at - offset < size) return kPlaces[s];
  }
  return MV_PLACE_UNKNOWN;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_LOADER_LOADER_FIXTURE_H_
