// Every vault that differs from a signed one by one bit, and what a reader says of it who trusts the signers.
#ifndef MODELVAULT_TESTS_CAMPAIGN_BIT_FLIPS_H_
#define MODELVAULT_TESTS_CAMPAIGN_BIT_FLIPS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "vault/proven_file.h"
#include "vault/vault_reader.h"
#include "vault/vault_trust.h"

namespace modelvault {

// Not thread-safe.
class BitFlips {
 public:
  // `vault` is the file's bytes. Its error unless the vault, as it is, is taken by `trust`.
  static absl::StatusOr<std::unique_ptr<BitFlips>> Create(std::string vault, const VaultTrust& trust);

  size_t bit_count() const { return bytes_.size() * 8; }

  // What the whole verification says with that bit turned: the reader opens, and reads every byte. With `repaired` the
  // checksums of header and sections are those of the turned bit, as whoever turned it on purpose would see to.
  absl::Status Verify(size_t bit, bool repaired);

  // The same of that part of it alone that sees the bit, which takes microseconds where the whole takes milliseconds:
  // the tile for a base chunk or a blob, the opening for all that is read then, what must be zero for the rest. What
  // is refused here Verify refuses. A tile's proof looks at no checksum: of tiles no `repaired` is asked for.
  absl::Status VerifyWhatSees(size_t bit, bool repaired);

  // Whether the bit is one of a checksum that is made right again, so that the vault is what it was.
  bool IsRepairedAway(size_t bit);

  // Whether the bit is in a base chunk or a blob.
  bool IsInTile(size_t bit) const { return FindObject(bit / 8) != nullptr; }

 private:
  BitFlips(std::string bytes, const VaultTrust& trust);

  const NamedObject* FindObject(uint64_t offset) const;
  // Opens the file as it is now.
  absl::StatusOr<std::unique_ptr<VaultReader>> Open() const;
  void Turn(size_t bit, bool repaired);
  void TurnBack(size_t bit);

  std::string bytes_;
  const std::string header_;  // As it was.
  VaultReaderOptions options_;
  std::unique_ptr<RandomAccessFile> file_;  // bytes_.
  std::unique_ptr<VaultReader> vault_;      // Of the vault as it was; reads bytes_ as they are.
  std::vector<NamedObject> objects_;        // Base and blobs, by offset.
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CAMPAIGN_BIT_FLIPS_H_
