#include "vault/proven_file.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "vault/core/vault_proof.h"
#include "vault/crypto.h"
#include "vault/error_place.h"
#include "vault/hex_text.h"
#include "vault/section_encoder.h"
#include "vault/signature_section.h"

namespace modelvault {
namespace {

constexpr uint64_t kMaxKeptBytes = 8u << 20;

// What is wrong with tile `tile`, whose bytes these are.
absl::Status NotAuthentic(const std::string& path, const SignedRoot& root, const NamedObject& object, size_t tile,
                          absl::Span<const uint8_t> bytes) {
  const bool whole = object.object.tiles.size == 0;
  const uint64_t offset = object.object.offset + (uint64_t{tile} << root.tile_log2);
  const uint8_t* const expected = whole ? object.object.digest.data : object.object.tiles.data + tile * kDigestSize;
  const Digest found = DigestOf({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return AtFileOffset(
      absl::PermissionDeniedError(absl::StrCat(
          path, ": ", object.name, whole ? "" : absl::StrCat(", tile ", tile), " at offset 0x", absl::Hex(offset),
          " is not what was signed: expected digest ", HexText({expected, kDigestSize}), ", found ", HexText(found))),
      offset);
}

absl::Status ProveNamedTile(const std::string& path, const SignedRoot& root, const NamedObject& object, size_t tile,
                            absl::Span<const uint8_t> bytes) {
  const CoreStatus status = ProveTile(root, object.object, tile, ToByteView(bytes), HostCrypto());
  return status == CoreStatus::kOk ? absl::OkStatus() : NotAuthentic(path, root, object, tile, bytes);
}

absl::Status ProveNamedTileList(const std::string& path, const NamedObject& object) {
  if (ProveTileList(object.object, HostCrypto()) == CoreStatus::kOk) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(path, ": SIGNATURE: the digests of the ",
                                                  object.object.tiles.size / kDigestSize, " tiles of ", object.name,
                                                  " are not those that were signed"));
}

size_t TilesOf(const SignedObject& object) { return std::max<size_t>(1, object.tiles.size / kDigestSize); }

}  // namespace

absl::Status ProveNamedObject(const std::string& path, const SignedRoot& root, const NamedObject& object,
                              absl::Span<const uint8_t> bytes) {
  if (absl::Status status = ProveNamedTileList(path, object); !status.ok()) return status;
  for (size_t tile = 0; tile < TilesOf(object.object); ++tile) {
    const absl::Span<const uint8_t> part = bytes.subspan(tile << root.tile_log2, root.tile_size());
    if (absl::Status status = ProveNamedTile(path, root, object, tile, part); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ProvenFile>> ProvenFile::Create(const RandomAccessFile& file, const SignedRoot& root,
                                                               std::vector<NamedObject> objects) {
  for (const NamedObject& object : objects) {
    if (absl::Status status = ProveNamedTileList(file.path(), object); !status.ok()) return status;
    if (object.object.size > 0) continue;
    if (absl::Status status = ProveNamedTile(file.path(), root, object, 0, {}); !status.ok()) return status;
  }
  objects.erase(std::remove_if(objects.begin(), objects.end(), [](const NamedObject& o) { return o.object.size == 0; }),
                objects.end());
  std::sort(objects.begin(), objects.end(),
            [](const NamedObject& a, const NamedObject& b) { return a.object.offset < b.object.offset; });
  return std::unique_ptr<ProvenFile>(new ProvenFile(file, root, std::move(objects)));
}

// The last that does not begin after `offset`, or null.
const NamedObject* ProvenFile::FindObject(uint64_t offset) const {
  const auto after = std::upper_bound(objects_.begin(), objects_.end(), offset,
                                      [](uint64_t at, const NamedObject& o) { return at < o.object.offset; });
  return after == objects_.begin() ? nullptr : &*(after - 1);
}

void ProvenFile::WillRead(absl::Span<const FileRange> ranges) const {
  std::vector<FileRange> whole(ranges.begin(), ranges.end());
  for (FileRange& range : whole) {
    const NamedObject* const object = FindObject(range.begin);
    if (object == nullptr || range.begin >= range.end) continue;
    const uint64_t begin = object->object.offset;
    const uint64_t tiles_end = (((range.end - begin - 1) >> root_.tile_log2) + 1) << root_.tile_log2;
    range.begin = begin + (((range.begin - begin) >> root_.tile_log2) << root_.tile_log2);
    range.end = std::max(range.end, begin + std::min<uint64_t>(tiles_end, object->object.size));
  }
  file_.WillRead(whole);
}

absl::Status ProvenFile::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (out.empty()) return absl::OkStatus();
  const NamedObject* const object = FindObject(offset);
  const uint64_t in_object = object == nullptr ? 0 : offset - object->object.offset;
  if (object == nullptr || in_object > object->object.size || out.size() > object->object.size - in_object) {
    return AtFileOffset(absl::PermissionDeniedError(absl::StrCat(path(), ": ", out.size(), " bytes at offset 0x",
                                                                 absl::Hex(offset), " are not of one signed object")),
                        offset);
  }
  uint64_t at = in_object;
  while (!out.empty()) {
    const size_t number = static_cast<size_t>(at >> root_.tile_log2);
    const absl::StatusOr<Tile> tile = ProvenTile(*object, number);
    if (!tile.ok()) return tile.status();
    const size_t in_tile = static_cast<size_t>(at & (root_.tile_size() - 1));
    const size_t count = std::min(out.size(), (*tile)->size() - in_tile);
    std::memcpy(out.data(), (*tile)->data() + in_tile, count);
    out.remove_prefix(count);
    at += count;
  }
  return absl::OkStatus();
}

absl::StatusOr<ProvenFile::Tile> ProvenFile::ProvenTile(const NamedObject& object, size_t tile) const {
  const uint64_t begin = uint64_t{tile} << root_.tile_log2;
  const uint64_t offset = object.object.offset + begin;
  if (Tile kept = FindKept(offset); kept != nullptr) return kept;
  auto bytes = std::make_shared<std::vector<uint8_t>>(
      static_cast<size_t>(std::min<uint64_t>(object.object.size - begin, root_.tile_size())));
  if (absl::Status status = file_.ReadAt(offset, absl::MakeSpan(*bytes)); !status.ok()) return status;
  if (absl::Status status = ProveNamedTile(path(), root_, object, tile, *bytes); !status.ok()) return status;
  Keep(offset, bytes);
  return Tile(bytes);
}

ProvenFile::Tile ProvenFile::FindKept(uint64_t offset) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const auto& kept) { return kept.first == offset; });
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return found->second;
}

void ProvenFile::Keep(uint64_t offset, const Tile& tile) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  kept_.emplace_front(offset, tile);
  kept_bytes_ += tile->size();
  // The one just read stays, however large.
  while (kept_bytes_ > kMaxKeptBytes && kept_.size() > 1) {
    kept_bytes_ -= kept_.back().second->size();
    kept_.pop_back();
  }
}

absl::Status ProvenFile::CheckAll() const {
  for (const NamedObject& object : objects_) {
    for (size_t tile = 0; tile < TilesOf(object.object); ++tile) {
      if (const auto proven = ProvenTile(object, tile); !proven.ok()) return proven.status();
    }
  }
  return absl::OkStatus();
}

}  // namespace modelvault
