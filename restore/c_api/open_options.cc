#include "restore/c_api/open_options.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "restore/c_api/versioned_structs.h"
#include "vault/format.h"

namespace modelvault {
namespace {

constexpr char kWhom[] = "whose signature is to be trusted? options has neither trusted_keys nor key_set";

absl::Status Invalid(absl::string_view member, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("options->", member, ": ", why));
}

absl::string_view BytesOf(const mv_input& input) { return {static_cast<const char*>(input.bytes), input.size}; }

absl::Status CheckInput(const mv_input& input, absl::string_view member) {
  if (input.path != nullptr && (input.bytes != nullptr || input.size != 0)) {
    return Invalid(member, "has both a path and bytes");
  }
  return input.path != nullptr || input.bytes != nullptr ? absl::OkStatus() : Invalid(member, "is empty");
}

// Adds the keys of the caller's array to `keys` with `add`.
absl::Status AddKeys(const mv_input* inputs, size_t count, absl::string_view member,
                     absl::Status (ReaderKeys::*add)(const KeyPlace&), ReaderKeys* keys, FailureContext* context) {
  if (inputs == nullptr && count > 0) return Invalid(member, "is NULL");
  for (size_t i = 0; i < count; ++i) {
    const mv_input& input = inputs[i];
    const std::string name = absl::StrCat(member, "[", i, "]");
    if (absl::Status status = CheckInput(input, name); !status.ok()) return status;
    KeyPlace place;
    if (input.path != nullptr) {
      place.name = input.path;
    } else {
      place = {absl::StrCat("options->", name), BytesOf(input)};
    }
    if (absl::Status status = (keys->*add)(place); !status.ok()) {
      if (input.path != nullptr) context->path = input.path;
      return status;
    }
  }
  return absl::OkStatus();
}

// By the system's clock; at least 1, since VaultTrust takes 0 for a reader without a clock.
int64_t Now() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(since_1970).count());
}

absl::StatusOr<Digest> ParseDigest(absl::string_view text) {
  const bool is_hex =
      std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
  Digest digest;
  if (!is_hex || text.size() != 2 * digest.size()) {
    return Invalid("key_set", absl::StrCat("expected ", 2 * digest.size(), " hexadecimal digits"));
  }
  const std::string bytes = absl::HexStringToBytes(text);
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

}  // namespace

absl::StatusOr<OpenOptions> OpenOptions::From(const mv_open_options* options, FailureContext* context) {
  mv_open_options known = {};
  if (options != nullptr) {
    if (absl::Status status = CopyFromCaller(*options, "options", &known); !status.ok()) return status;
  }
  OpenOptions open(known);
  if (absl::Status status = open.Check(); !status.ok()) return status;
  if (absl::Status status = open.ReadKeys(context); !status.ok()) return status;
  return open;
}

absl::Status OpenOptions::Check() const {
  if (options_.require_signature > 1) return Invalid("require_signature", "expected 0 or 1");
  if (options_.reserved != 0) return Invalid("reserved", "is not 0");
  if (options_.trusted_key_count > kMaxKeys) {
    return Invalid("trusted_key_count",
                   absl::StrCat("expected at most ", kMaxKeys, ", found ", options_.trusted_key_count));
  }
  if (options_.key_set != nullptr && (options_.trusted_key_count > 0 || options_.threshold != 0)) {
    return Invalid("key_set", "stands in place of trusted keys and a threshold");
  }
  if (options_.threshold > options_.trusted_key_count) {
    return Invalid("threshold", absl::StrCat("expected at most the ", options_.trusted_key_count,
                                             " trusted keys, found ", options_.threshold));
  }
  if (options_.time < MV_TIME_UNKNOWN) {
    return Invalid("time", absl::StrCat("expected ", MV_TIME_UNKNOWN, " or more, found ", options_.time));
  }
  if (options_.least_revocations != 0 && options_.revocations == nullptr) {
    return Invalid("least_revocations", "needs revocations");
  }
  if (options_.revocations != nullptr) {
    if (absl::Status status = CheckInput(*options_.revocations, "revocations"); !status.ok()) return status;
  }
  const bool needs_trust = options_.require_signature != 0 || options_.least_version != 0 || options_.time != 0 ||
                           options_.revocations != nullptr;
  return needs_trust && !trusts_somebody() ? absl::InvalidArgumentError(kWhom) : absl::OkStatus();
}

absl::Status OpenOptions::ReadKeys(FailureContext* context) {
  ReaderKeys keys;
  absl::Status status = AddKeys(options_.trusted_keys, options_.trusted_key_count, "trusted_keys",
                                &ReaderKeys::AddTrusted, &keys, context);
  if (!status.ok()) return status;
  status = AddKeys(options_.opening_keys, options_.opening_key_count, "opening_keys", &ReaderKeys::AddOpening, &keys,
                   context);
  if (!status.ok()) return status;
  // What models compute is no business of those who read weights, and it lies apart from all that they need.
  reader_.network = false;
  reader_.keys = std::move(keys.opening);
  if (!trusts_somebody()) return absl::OkStatus();
  VaultTrust trust;
  if (options_.key_set != nullptr) {
    const absl::StatusOr<Digest> key_set = ParseDigest(options_.key_set);
    if (!key_set.ok()) return key_set.status();
    trust.key_set = *key_set;
  }
  trust.threshold = static_cast<uint8_t>(options_.threshold != 0 ? options_.threshold : options_.trusted_key_count);
  trust.keys = std::move(keys.trusted);
  trust.least_version = options_.least_version;
  trust.now = options_.time == 0 ? Now() : options_.time == MV_TIME_UNKNOWN ? 0 : options_.time;
  reader_.trust = std::move(trust);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<ProvenRevocations>> OpenOptions::OpenRevocations(const VaultReader& vault,
                                                                              FailureContext* context) const {
  if (options_.revocations == nullptr) return std::nullopt;
  const mv_input& input = *options_.revocations;
  absl::StatusOr<ProvenRevocations> list =
      input.path != nullptr
          ? ProvenRevocations::Open(FileSystem::Default(), input.path, vault, options_.least_revocations)
          : ProvenRevocations::FromBytes("options->revocations", std::string(BytesOf(input)), vault,
                                         options_.least_revocations);
  if (!list.ok()) {
    if (input.path != nullptr) context->path = input.path;
    return list.status();
  }
  return *std::move(list);
}

}  // namespace modelvault
