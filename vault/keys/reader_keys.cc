#include "vault/keys/reader_keys.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "vault/error_place.h"
#include "vault/keys/key_file.h"

namespace modelvault {
namespace {

absl::StatusOr<KeyText> ParseText(const KeyPlace& place) {
  absl::StatusOr<KeyText> key = ParseKey(*place.text);
  if (!key.ok()) return InFile(place.name, key.status());
  return key;
}

absl::Status WrongKind(const KeyPlace& place, absl::string_view expected, KeyKind found) {
  return absl::InvalidArgumentError(
      absl::StrCat(place.name, ": expected ", expected, ", found ", DescriptionOf(found)));
}

absl::StatusOr<PublicKey> TrustedKey(const KeyPlace& place) {
  constexpr KeyKind kKind = KeyKind::kSigningPublic;
  if (!place.text.has_value()) return ReadPublicKey(place.name, kKind);
  const absl::StatusOr<KeyText> key = ParseText(place);
  if (!key.ok()) return key.status();
  if (key->kind != kKind) return WrongKind(place, DescriptionOf(kKind), key->kind);
  PublicKey bytes;
  std::copy_n(key->bytes.data(), bytes.size(), bytes.begin());
  return bytes;
}

absl::StatusOr<KeyText> OpeningKey(const KeyPlace& place) {
  constexpr char kExpected[] = "a tenant's content key or a device group's secret key (X25519)";
  if (place.text.has_value()) {
    absl::StatusOr<KeyText> key = ParseText(place);
    if (key.ok() && !OpensSealed(key->kind)) return WrongKind(place, kExpected, key->kind);
    return key;
  }
  const absl::StatusOr<KeyKind> kind = KindOfKey(place.name);
  if (!kind.ok()) return kind.status();
  if (!OpensSealed(*kind)) return WrongKind(place, kExpected, *kind);
  absl::StatusOr<SecretBytes> bytes = ReadSecretKey(place.name, *kind);
  if (!bytes.ok()) return bytes.status();
  return KeyText{*kind, *std::move(bytes)};
}

}  // namespace

bool OpensSealed(KeyKind kind) { return kind == KeyKind::kContentSecret || kind == KeyKind::kDeviceSecret; }

absl::Status ReaderKeys::AddTrusted(const KeyPlace& place) {
  const absl::StatusOr<PublicKey> key = TrustedKey(place);
  if (!key.ok()) return key.status();
  if (std::find(trusted.begin(), trusted.end(), *key) != trusted.end()) {
    return absl::InvalidArgumentError(absl::StrCat(place.name, ": the key ", KeyId(*key), " is given twice"));
  }
  trusted.push_back(*key);
  return absl::OkStatus();
}

absl::Status ReaderKeys::AddOpening(const KeyPlace& place) {
  const absl::StatusOr<KeyText> key = OpeningKey(place);
  if (!key.ok()) return key.status();
  (key->kind == KeyKind::kContentSecret ? opening.content : opening.devices).emplace_back(key->bytes.data());
  return absl::OkStatus();
}

}  // namespace modelvault
