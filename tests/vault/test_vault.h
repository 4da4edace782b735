#ifndef MODELVAULT_TESTS_VAULT_TEST_VAULT_H_
#define MODELVAULT_TESTS_VAULT_TEST_VAULT_H_

// Small vaults with random contents, and forgers' tools for them. Places in the file are written here as numbers, from
// docs/format.md, and hashes come from the library, so that a wrong constant cannot hide.

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "codec/split_mix_64.h"
#include "tests/status_matchers.h"
#include "tests/vault/memory_file.h"
#include "vault/vault_editor.h"
#include "vault/vault_reader.h"
#include "vault/vault_writer.h"

namespace modelvault {

class TestRandom : public SplitMix64 {
 public:
  using SplitMix64::SplitMix64;

  std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(Next());
    return bytes;
  }
  ModelDigests Digests() {
    ModelDigests digests;
    digests.xxh64 = Next();
    for (uint8_t& byte : digests.xxh3) byte = static_cast<uint8_t>(Next());
    return digests;
  }
};

inline std::string ToString(const std::vector<uint8_t>& bytes) { return std::string(bytes.begin(), bytes.end()); }
inline std::string ToString(ByteView bytes) {
  return bytes.size == 0 ? "" : std::string(reinterpret_cast<const char*>(bytes.data), bytes.size);
}

struct TestVariant {
  std::string name;
  StoredLayout layout;
  std::vector<std::string> segments;
  ModelDigests digests;
  std::string header;

  bool operator==(const TestVariant&) const = default;
};

// All that goes into a vault and has to come out.
struct TestContents {
  VaultParams params;
  std::string model;
  std::vector<std::string> chunks;
  ModelDigests base_digests;
  std::string base_header;
  std::string network;  // Empty: none.
  std::vector<TestVariant> variants;
};

inline void PrintTo(const TestVariant& v, std::ostream* os) {
  *os << v.name << " (" << v.segments.size() << " segments)";
}

// The records of a layout of `tensor_count` tensors; the first is opaque.
inline std::string TestLayout(uint32_t tensor_count) {
  std::string layout;
  for (uint32_t i = 0; i < tensor_count; ++i) {
    layout += static_cast<char>(tensor_count - 1 - i);
    layout += i == 0 ? std::string("\0\xAC\x02", 3) : std::string("\3", 1);
  }
  return layout;
}

// A free layout of `tensor_count` tensors, by turns without a base and on the base's first.
inline StoredLayout TestFreeLayout(size_t tensor_count) {
  StoredLayout layout = {LayoutForm::kFree, tensor_count, ""};
  for (size_t i = 0; i < tensor_count; ++i) layout.bytes += i % 2 == 0 ? std::string("\0\3\5", 3) : std::string("\1\3");
  return layout;
}

inline TestVariant MakeTestVariant(std::string name, size_t segment_count, bool own_layout, uint64_t seed) {
  TestRandom random(seed);
  TestVariant variant;
  variant.name = std::move(name);
  if (own_layout) variant.layout = {LayoutForm::kEachOnce, 3, TestLayout(3)};
  for (size_t i = 0; i < segment_count; ++i) variant.segments.push_back(random.Bytes(1 + random.Below(60)));
  variant.digests = random.Digests();
  variant.header = absl::StrCat("{\"tensors\":[\"embed\",\"norm\"],\"department\":\"", variant.name, "\"}   ");
  return variant;
}

inline TestContents MakeTestContents(uint64_t seed, size_t variant_count, uint64_t base_data_size = 1000) {
  TestRandom random(seed);
  TestContents contents;
  contents.params = {.chunk_size = 256, .segment_size = 4096, .base_data_size = base_data_size, .tensor_count = 3};
  contents.model = random.Bytes(37);
  for (uint64_t at = 0; at < base_data_size; at += 256) contents.chunks.push_back(random.Bytes(1 + random.Below(40)));
  contents.base_digests = random.Digests();
  contents.base_header = "{\"tensors\":[\"embed\",\"norm\"],\"role\":\"base\"}   ";
  for (size_t i = 0; i < variant_count; ++i) {
    // Every shape of blob comes up: one segment, a directory, no segments, with and without a layout.
    contents.variants.push_back(MakeTestVariant(absl::StrCat("dept-", i), (i + 1) % 4, i % 2 == 1, seed * 1000 + i));
  }
  return contents;
}

inline absl::Status AddVariant(VaultWriter& writer, const TestVariant& variant) {
  if (absl::Status s = writer.BeginVariant(variant.name, variant.layout, variant.segments.size()); !s.ok()) return s;
  for (const std::string& segment : variant.segments) {
    if (absl::Status s = writer.AppendSegment(segment); !s.ok()) return s;
  }
  return writer.FinishVariant(variant.digests, variant.header);
}

// Everything up to the first variant.
inline absl::StatusOr<std::unique_ptr<VaultWriter>> StartVault(FileSystem& files, const std::string& path,
                                                               const TestContents& contents,
                                                               const VaultWriterOptions& options = {}) {
  auto writer = VaultWriter::Create(files, path, contents.params, contents.model, options);
  if (!writer.ok()) return writer.status();
  for (const std::string& chunk : contents.chunks) {
    if (absl::Status s = (*writer)->AppendBaseChunk(chunk); !s.ok()) return s;
  }
  if (absl::Status s = (*writer)->FinishBase(contents.base_digests, contents.base_header); !s.ok()) return s;
  if (contents.network.empty()) return writer;
  if (absl::Status s = (*writer)->AddNetwork(contents.network); !s.ok()) return s;
  return writer;
}

inline absl::Status WriteVault(FileSystem& files, const std::string& path, const TestContents& contents,
                               const VaultWriterOptions& options = {}) {
  auto writer = StartVault(files, path, contents, options);
  if (!writer.ok()) return writer.status();
  for (const TestVariant& variant : contents.variants) {
    if (absl::Status s = AddVariant(**writer, variant); !s.ok()) return s;
  }
  if (absl::Status s = (*writer)->Finish(); !s.ok()) return s;
  return (*writer)->Commit();
}

// A whole edit: the changes, then the additions.
inline absl::Status ChangeVault(FileSystem& files, const std::string& path, const VaultChanges& changes,
                                const std::vector<TestVariant>& additions = {},
                                const VaultWriterOptions& options = {}) {
  auto writer = EditVault(files, path, changes, options);
  if (!writer.ok()) return writer.status();
  for (const TestVariant& variant : additions) {
    if (absl::Status s = AddVariant(**writer, variant); !s.ok()) return s;
  }
  if (absl::Status s = (*writer)->Finish(); !s.ok()) return s;
  return (*writer)->Commit();
}

// Reads one variant back.
inline absl::StatusOr<TestVariant> ReadVariant(const VaultReader& vault, const std::string& name) {
  TestVariant variant;
  variant.name = name;
  const auto entry = vault.Find(name);
  if (!entry.ok()) return entry.status();
  variant.digests = (*entry)->digests;
  const auto blob = vault.OpenBlob(**entry);
  if (!blob.ok()) return blob.status();
  const LayoutView layout = blob->layout();
  variant.layout = {layout.form, layout.tensor_count, ToString(layout.bytes)};
  for (uint64_t s = 0; s < blob->segment_count(); ++s) {
    std::vector<uint8_t> segment;
    if (absl::Status status = vault.ReadSegment(*blob, s, &segment); !status.ok()) return status;
    EXPECT_EQ(segment.size(), blob->segment_stored_size(s));
    variant.segments.push_back(ToString(segment));
  }
  auto header = vault.variant_header(name);
  if (!header.ok()) return header.status();
  variant.header = *std::move(header);
  return variant;
}

// Reads everything a vault has, so that any damage must show. What it reads is added to `*contents` if that is not
// null.
inline absl::Status ReadAll(const VaultReader& vault, TestContents* contents = nullptr) {
  TestContents unused;
  if (contents == nullptr) contents = &unused;
  *contents = {};
  contents->params = vault.params();
  contents->model = ToString(vault.model_section());
  contents->base_digests = vault.base_digests();
  contents->base_header = vault.base_header();
  contents->network = ToString(vault.network_section());
  for (uint64_t chunk = 0; chunk < vault.header().chunk_count(); ++chunk) {
    std::vector<uint8_t> stored;
    if (absl::Status s = vault.ReadBaseChunk(chunk, &stored); !s.ok()) return s;
    EXPECT_EQ(stored.size(), vault.base_chunk_stored_size(chunk));
    contents->chunks.push_back(ToString(stored));
  }
  for (const VaultVariant& entry : vault.variants()) {
    auto variant = ReadVariant(vault, entry.name);
    if (!variant.ok()) return variant.status();
    contents->variants.push_back(*std::move(variant));
  }
  if (absl::Status s = vault.CheckBaseSection(); !s.ok()) return s;
  return vault.CheckPadding();
}

// Opens a vault in memory and reads everything.
inline absl::Status ReadAll(const std::string& bytes, TestContents* contents = nullptr) {
  const auto vault =
      VaultReader::FromFile(std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "v.mvlt"));
  if (!vault.ok()) return vault.status();
  return ReadAll(**vault, contents);
}

// Whether a vault holds `expected`, its variants in any order.
inline void ExpectContents(const std::string& bytes, const TestContents& expected) {
  TestContents found;
  ASSERT_THAT(ReadAll(bytes, &found), IsOk());
  EXPECT_EQ(found.params, expected.params);
  EXPECT_EQ(found.model, expected.model);
  EXPECT_EQ(found.base_digests, expected.base_digests);
  EXPECT_EQ(found.base_header, expected.base_header);
  EXPECT_EQ(found.network, expected.network);
  EXPECT_EQ(found.chunks, expected.chunks);
  EXPECT_THAT(found.variants, testing::UnorderedElementsAreArray(expected.variants));
}

// Little-endian integers inside bytes.
template <typename T>
T Load(const std::string& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}
template <typename T>
void Store(std::string* bytes, size_t offset, T value) {
  std::memcpy(bytes->data() + offset, &value, sizeof(value));
}

// Where section `i` (0 MODEL, 1 CHUNKS, 2 BASE, 3 INDEX, 4 MANIFEST, 5 SIGNATURE, 6 NETWORK) is, and entry `i` of a
// narrow INDEX.
inline size_t SectionField(size_t i) { return i == 6 ? 220 : 72 + 24 * i; }
inline size_t SectionOffset(const std::string& vault, size_t i) { return Load<uint64_t>(vault, SectionField(i)); }
inline size_t SectionSize(const std::string& vault, size_t i) { return Load<uint64_t>(vault, SectionField(i) + 8); }
inline size_t IndexEntry(const std::string& vault, size_t i) { return SectionOffset(vault, 3) + 40 * i; }

// Makes the checksums of header and sections right again after a forgery. Base chunks and blobs keep theirs.
inline void RepairChecksums(std::string* vault) {
  for (const size_t i : {0, 1, 2, 3, 4, 5, 6}) {
    if (i == 5 && (Load<uint8_t>(*vault, 12) & 32) == 0) continue;
    if (i == 6 && (Load<uint8_t>(*vault, 12) & 8) == 0) continue;
    const uint64_t offset = Load<uint64_t>(*vault, SectionField(i));
    const uint64_t size = Load<uint64_t>(*vault, SectionField(i) + 8);
    if (offset > vault->size() || size > vault->size() - offset) continue;
    Store<uint64_t>(vault, SectionField(i) + 16, XXH64(vault->data() + offset, size, 0));
  }
  Store<uint64_t>(vault, 248, XXH64(vault->data(), 248, 0));
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_TEST_VAULT_H_
