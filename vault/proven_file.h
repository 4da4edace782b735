// A vault's file of which nothing is handed out that was not signed.
#ifndef MODELVAULT_VAULT_PROVEN_FILE_H_
#define MODELVAULT_VAULT_PROVEN_FILE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vault/core/signature_view.h"
#include "vault/file_system.h"

namespace modelvault {

// An object and what messages call it.
struct NamedObject {
  SignedObject object;
  std::string name;
};

// kPermissionDenied unless the bytes are those of the object that was signed. `path` and the object's place are for the
// message.
absl::Status ProveNamedObject(const std::string& path, const SignedRoot& root, const NamedObject& object,
                              absl::Span<const uint8_t> bytes);

// Reads objects tile by tile, and compares each tile before any of its bytes leave. The tiles used last stay in memory,
// so that what is read in order is hashed once; nothing is ever believed that has been read again. Thread-safe.
class ProvenFile : public RandomAccessFile {
 public:
  // Proves the tile lists of the objects; kPermissionDenied if one is not what was signed. `root` itself is proven
  // already. `file` and what the root views must outlive the result.
  static absl::StatusOr<std::unique_ptr<ProvenFile>> Create(const RandomAccessFile& file, const SignedRoot& root,
                                                            std::vector<NamedObject> objects);

  // As RandomAccessFile::ReadAt; kPermissionDenied for bytes that differ from what was signed, and for a range that is
  // not inside one object.
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override;
  // Of the tiles that have the ranges.
  void WillRead(absl::Span<const FileRange> ranges) const override;
  uint64_t size() const override { return file_.size(); }
  const std::string& path() const override { return file_.path(); }

  // Reads all objects.
  absl::Status CheckAll() const;

 private:
  using Tile = std::shared_ptr<const std::vector<uint8_t>>;

  ProvenFile(const RandomAccessFile& file, const SignedRoot& root, std::vector<NamedObject> objects)
      : file_(file), root_(root), objects_(std::move(objects)) {}

  absl::StatusOr<Tile> ProvenTile(const NamedObject& object, size_t tile) const;
  const NamedObject* FindObject(uint64_t offset) const;
  Tile FindKept(uint64_t offset) const;
  void Keep(uint64_t offset, const Tile& tile) const;

  const RandomAccessFile& file_;
  const SignedRoot root_;
  const std::vector<NamedObject> objects_;  // Those that have bytes, by offset.

  mutable std::mutex mutex_;                           // Guards what follows.
  mutable std::list<std::pair<uint64_t, Tile>> kept_;  // By offset in the file, the one used last first.
  mutable uint64_t kept_bytes_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_PROVEN_FILE_H_
