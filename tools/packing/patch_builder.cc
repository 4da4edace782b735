#include "tools/packing/patch_builder.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/core/xxh64.h"
#include "firmware_riscv/update/patch_reader.h"
#include "vault/crypto.h"

namespace modelvault {
namespace {

// The bytes of an anchor, and how far apart the old vault's are: any run of kAnchorSize + kAnchorStride - 1 equal bytes
// is found. Blobs and chunks keep their bytes, so runs are long.
constexpr size_t kAnchorSize = 32;
constexpr size_t kAnchorStride = 16;
// A copy that goes on at the last one's distance takes 3 bytes, one from elsewhere up to 8.
constexpr size_t kLeastNearCopy = 5;

ByteView View(absl::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

void AppendVarint(uint32_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void AppendLe32(uint32_t value, std::string* out) {
  uint8_t bytes[4];
  StoreLe32(bytes, value);
  out->append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

// A hash of kAnchorSize bytes that moves on by a byte.
class RollingHash {
 public:
  void Start(const char* bytes) {
    value_ = 0;
    for (size_t i = 0; i < kAnchorSize; ++i) value_ = value_ * kFactor + Byte(bytes[i]);
  }
  void Move(char out, char in) { value_ = (value_ - Byte(out) * HighestPower()) * kFactor + Byte(in); }
  uint64_t value() const { return value_; }

 private:
  static constexpr uint64_t kFactor = 0x9E3779B97F4A7C15;
  static uint64_t Byte(char c) { return static_cast<uint8_t>(c) + 1u; }
  static constexpr uint64_t HighestPower() {
    uint64_t power = 1;
    for (size_t i = 1; i < kAnchorSize; ++i) power *= kFactor;
    return power;
  }

  uint64_t value_ = 0;
};

// A run of new bytes: copied from `from`, or, where that is kData, in the patch.
struct Run {
  static constexpr size_t kData = SIZE_MAX;
  size_t begin;
  size_t size;
  size_t from;
};

// Covers the new vault with runs.
class Matcher {
 public:
  Matcher(absl::string_view old_vault, absl::string_view new_vault) : old_(old_vault), new_(new_vault) {
    RollingHash hash;
    for (size_t at = 0; at + kAnchorSize <= old_.size(); at += kAnchorStride) {
      hash.Start(old_.data() + at);
      anchors_.emplace(hash.value(), at);
    }
  }

  std::vector<Run> Match() {
    RollingHash hash;
    size_t hashed = 0;  // Where `hash` stands, plus one.
    for (size_t at = 0; at < new_.size();) {
      if (const size_t near = Equal(at, at + shift_); near >= kLeastNearCopy) {
        at = Copy(at, at + shift_, near);
        continue;
      }
      size_t from = Run::kData;
      if (at + kAnchorSize <= new_.size()) {
        if (at > 0 && hashed == at) {
          hash.Move(new_[at - 1], new_[at + kAnchorSize - 1]);
        } else {
          hash.Start(new_.data() + at);
        }
        hashed = at + 1;
        if (const auto found = anchors_.find(hash.value()); found != anchors_.end()) from = found->second;
      }
      const size_t size = from == Run::kData ? 0 : Equal(at, from);
      at = size >= kAnchorSize ? Copy(at, from, size) : at + 1;
    }
    Data(new_.size());
    return std::move(runs_);
  }

 private:
  // How many bytes are the same from `at` on in the new vault and from `from` on in the old one.
  size_t Equal(size_t at, size_t from) const {
    if (from >= old_.size()) return 0;  // Also what is before its front, modulo 2^64.
    const size_t most = std::min(new_.size() - at, old_.size() - from);
    const char* const a = new_.data() + at;
    return static_cast<size_t>(std::mismatch(a, a + most, old_.data() + from).first - a);
  }

  // Takes what is not covered yet up to `end` into the patch.
  void Data(size_t end) {
    if (covered_ < end) runs_.push_back({covered_, end - covered_, Run::kData});
    covered_ = end;
  }

  size_t Copy(size_t at, size_t from, size_t size) {
    for (; at > covered_ && from > 0 && new_[at - 1] == old_[from - 1]; --at, --from) ++size;
    Data(at);
    runs_.push_back({at, size, from});
    shift_ = from - at;
    covered_ = at + size;
    return covered_;
  }

  const absl::string_view old_;
  const absl::string_view new_;
  std::unordered_map<uint64_t, size_t> anchors_;
  std::vector<Run> runs_;
  size_t covered_ = 0;
  size_t shift_ = 0;
};

// The same with data in the place of copies from before the block that they go to: what lies there is not the old vault
// any more when they are made.
std::vector<Run> WithoutPast(const std::vector<Run>& runs, uint32_t block_size) {
  std::vector<Run> allowed;
  const auto add = [&](const Run& run) {
    const bool joins = !allowed.empty() && run.from == Run::kData && allowed.back().from == Run::kData;
    if (joins) {
      allowed.back().size += run.size;
    } else if (run.size > 0) {
      allowed.push_back(run);
    }
  };
  for (const Run& run : runs) {
    if (run.from == Run::kData || run.from >= run.begin) {
      add(run);
      continue;
    }
    const size_t back = run.begin - run.from;
    for (size_t at = run.begin; at < run.begin + run.size;) {
      const size_t block = at - at % block_size;
      const size_t end = std::min(run.begin + run.size, block + block_size);
      const size_t copied = std::clamp(block + back, at, end);  // What is copied in this block begins here.
      add({at, copied - at, Run::kData});
      if (copied < end) add({copied, end - copied, copied - back});
      at = end;
    }
  }
  return allowed;
}

// Blocks with their pieces of `runs`.
std::string Encode(const std::vector<Run>& runs, absl::string_view new_vault, uint32_t block_size, BuiltPatch* patch) {
  std::string body;
  uint32_t shift = 0;
  auto run = runs.begin();
  for (size_t begin = 0; begin < new_vault.size(); begin += block_size) {
    const absl::string_view block = new_vault.substr(begin, block_size);
    AppendLe32(static_cast<uint32_t>(Xxh64::Of(View(block))), &body);
    ++patch->blocks;
    for (size_t at = begin; at < begin + block.size();) {
      const size_t size = std::min(run->begin + run->size, begin + block.size()) - at;
      const bool copy = run->from != Run::kData;
      AppendVarint(static_cast<uint32_t>(size << 1 | (copy ? 1 : 0)), &body);
      if (copy) {
        const uint32_t own = static_cast<uint32_t>(run->from - run->begin);
        const int32_t change = static_cast<int32_t>(own - shift);
        AppendVarint(static_cast<uint32_t>(change) << 1 ^ static_cast<uint32_t>(change >> 31), &body);
        shift = own;
        patch->copied_bytes += size;
      } else {
        body.append(new_vault.data() + at, size);
        patch->data_bytes += size;
      }
      at += size;
      if (at == run->begin + run->size) ++run;
    }
  }
  return body;
}

std::string Header(absl::string_view old_vault, absl::string_view new_vault, uint32_t block_size, size_t body_size,
                   const PatchIdentity& identity, PatchKind kind) {
  uint8_t bytes[kPatchHeaderSize] = {};
  std::memcpy(bytes, kPatchMagic, sizeof(kPatchMagic));
  StoreLe32(bytes + 8, block_size);
  StoreLe32(bytes + 12, static_cast<uint32_t>(old_vault.size()));
  StoreLe32(bytes + 16, static_cast<uint32_t>(new_vault.size()));
  StoreLe32(bytes + 20, static_cast<uint32_t>(body_size));
  StoreLe64(bytes + kPatchOldDigestOffset, Xxh64::Of(View(old_vault)));
  StoreLe64(bytes + kPatchNewDigestOffset, Xxh64::Of(View(new_vault)));
  static_assert(sizeof(identity.vault_id) == kPatchVaultIdSize);
  std::memcpy(bytes + kPatchVaultIdOffset, identity.vault_id.data(), kPatchVaultIdSize);
  StoreLe64(bytes + kPatchVersionOffset, identity.version);
  HashState hash;
  HostCrypto().hash_begin(&hash, nullptr);
  HostCrypto().hash_add(&hash, View(new_vault).data, new_vault.size());
  HostCrypto().hash_end(&hash, bytes + kPatchVaultDigestOffset);
  StoreLe32(bytes + kPatchFlagsOffset, kind == PatchKind::kInPlace ? kPatchInPlace : 0);
  StoreLe64(bytes + kPatchChecksumOffset, Xxh64::Of({bytes, kPatchChecksumOffset}));
  return std::string(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

mv_error ReadText(void* context, uint32_t offset, uint8_t* out, uint32_t size) {
  const absl::string_view text = *static_cast<const absl::string_view*>(context);
  std::memcpy(out, text.data() + offset, size);
  return MV_OK;
}

// What a board makes of a patch, with the board's own code.
absl::Status Compare(absl::string_view patch, absl::string_view old_vault, absl::string_view new_vault) {
  const PatchSource source = {ReadText, &patch, static_cast<uint32_t>(patch.size()), true};
  mv_region old = {};
  old.size = static_cast<uint32_t>(old_vault.size());
  old.read = ReadText;
  old.context = &old_vault;
  PatchReader reader(source);
  mv_error error = reader.Open();
  std::string made(new_vault.size(), '\0');
  for (size_t at = 0; error == MV_OK && at < made.size();) {
    const uint32_t size = reader.next_size();
    error = reader.Next(&old, reinterpret_cast<uint8_t*>(made.data()) + at);
    at += size;
  }
  if (error == MV_OK && made == new_vault) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the patch does not make the new vault: ", mv_error_name(error)));
}

}  // namespace

absl::StatusOr<BuiltPatch> BuildPatch(absl::string_view old_vault, absl::string_view new_vault, uint32_t block_size,
                                      const PatchIdentity& identity, PatchKind kind) {
  if (block_size < kMinPatchBlock || block_size > kMaxPatchBlock || (block_size & (block_size - 1)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("blocks of ", block_size, " bytes: expected a power of two from ",
                                                   kMinPatchBlock, " to ", kMaxPatchBlock));
  }
  if (old_vault.empty() || new_vault.empty()) return absl::InvalidArgumentError("a vault without bytes");
  if (std::max(old_vault.size(), new_vault.size()) > kMaxPatchedSize) {
    return absl::ResourceExhaustedError(absl::StrCat("a vault of ", std::max(old_vault.size(), new_vault.size()),
                                                     " bytes: patches are for at most ", kMaxPatchedSize));
  }
  BuiltPatch patch;
  std::vector<Run> runs = Matcher(old_vault, new_vault).Match();
  if (kind == PatchKind::kInPlace) runs = WithoutPast(runs, block_size);
  const std::string body = Encode(runs, new_vault, block_size, &patch);
  patch.bytes = Header(old_vault, new_vault, block_size, body.size(), identity, kind) + body;
  if (const absl::Status status = Compare(patch.bytes, old_vault, new_vault); !status.ok()) return status;
  return patch;
}

}  // namespace modelvault
