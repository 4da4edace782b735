#include "tests/campaign/bit_flips.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

// Bytes that somebody else changes.
class ViewedFile : public RandomAccessFile {
 public:
  explicit ViewedFile(const std::string* bytes) : bytes_(*bytes) {}

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return absl::DataLossError(absl::StrCat(path_, ": no ", out.size(), " bytes at offset ", offset));
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return absl::OkStatus();
  }
  uint64_t size() const override { return bytes_.size(); }
  const std::string& path() const override { return path_; }

 private:
  const std::string& bytes_;
  const std::string path_ = "vault";
};

}  // namespace

BitFlips::BitFlips(std::string bytes, const VaultTrust& trust)
    : bytes_(std::move(bytes)), header_(bytes_.substr(0, kHeaderSize)), file_(std::make_unique<ViewedFile>(&bytes_)) {
  options_.trust = trust;
}

absl::StatusOr<std::unique_ptr<BitFlips>> BitFlips::Create(std::string vault, const VaultTrust& trust) {
  std::unique_ptr<BitFlips> flips(new BitFlips(std::move(vault), trust));
  absl::StatusOr<std::unique_ptr<VaultReader>> opened = flips->Open();
  if (!opened.ok()) return opened.status();
  if (absl::Status status = (*opened)->CheckSigned(); !status.ok()) return status;
  flips->vault_ = *std::move(opened);
  flips->objects_.push_back({flips->vault_->signed_section(Section::kBase), "BASE"});
  for (const VaultVariant& variant : flips->vault_->variants()) {
    const absl::StatusOr<SignedObject> blob = flips->vault_->signed_variant(variant.name);
    if (!blob.ok()) return blob.status();
    flips->objects_.push_back({*blob, variant.name});
  }
  std::sort(flips->objects_.begin(), flips->objects_.end(),
            [](const NamedObject& a, const NamedObject& b) { return a.object.offset < b.object.offset; });
  return flips;
}

absl::StatusOr<std::unique_ptr<VaultReader>> BitFlips::Open() const {
  return VaultReader::FromFile(std::make_unique<ViewedFile>(&bytes_), options_);
}

const NamedObject* BitFlips::FindObject(uint64_t offset) const {
  const auto after = std::upper_bound(objects_.begin(), objects_.end(), offset,
                                      [](uint64_t at, const NamedObject& o) { return at < o.object.offset; });
  if (after == objects_.begin()) return nullptr;
  const NamedObject& found = *(after - 1);
  return offset - found.object.offset < found.object.size ? &found : nullptr;
}

void BitFlips::Turn(size_t bit, bool repaired) {
  bytes_[bit / 8] = static_cast<char>(bytes_[bit / 8] ^ (1 << (bit % 8)));
  if (repaired) RepairChecksums(&bytes_);
}

void BitFlips::TurnBack(size_t bit) {
  if (bit / 8 >= kHeaderSize) bytes_[bit / 8] = static_cast<char>(bytes_[bit / 8] ^ (1 << (bit % 8)));
  bytes_.replace(0, kHeaderSize, header_);
}

bool BitFlips::IsRepairedAway(size_t bit) {
  if (bit / 8 >= kHeaderSize) return false;
  Turn(bit, true);
  const bool same = bytes_.compare(0, kHeaderSize, header_) == 0;
  TurnBack(bit);
  return same;
}

absl::Status BitFlips::Verify(size_t bit, bool repaired) {
  Turn(bit, repaired);
  const absl::StatusOr<std::unique_ptr<VaultReader>> opened = Open();
  absl::Status status = opened.status();
  if (status.ok()) status = ReadAll(**opened);
  if (status.ok()) status = (*opened)->CheckSigned();
  TurnBack(bit);
  return status;
}

absl::Status BitFlips::VerifyWhatSees(size_t bit, bool repaired) {
  const NamedObject* const object = FindObject(bit / 8);
  Turn(bit, repaired && object == nullptr);
  absl::Status status;
  if (object != nullptr) {
    const absl::StatusOr<std::unique_ptr<ProvenFile>> proven = ProvenFile::Create(*file_, *vault_->root(), {*object});
    uint8_t byte;
    status = proven.ok() ? (*proven)->ReadAt(bit / 8, {&byte, 1}) : proven.status();
  } else {
    status = Open().status();
    if (status.ok()) status = vault_->CheckPadding();
  }
  TurnBack(bit);
  return status;
}

}  // namespace modelvault
