#include "vault/keys/key_text.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

constexpr size_t kMaxPrefix = 16;

// A kind's armour, and what stands before its 32 bytes.
struct KeyFormat {
  KeyKind kind;
  const char* label;
  size_t prefix_size;
  uint8_t prefix[kMaxPrefix];
  const char* description;
};

constexpr char kPrivate[] = "PRIVATE KEY";
constexpr char kPublic[] = "PUBLIC KEY";
constexpr char kContent[] = "MODELVAULT CONTENT KEY";

// DER has one encoding for each key, so that comparing the bytes before it is parsing it. From RFC 8410: sequences with
// the object identifiers 1.3.101.112 (Ed25519) and 1.3.101.110 (X25519).
constexpr KeyFormat kFormats[] = {
    {KeyKind::kSigningSecret,
     kPrivate,
     16,
     {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20},
     "a secret signing key (Ed25519)"},
    {KeyKind::kSigningPublic,
     kPublic,
     12,
     {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00},
     "a public signing key (Ed25519)"},
    {KeyKind::kDeviceSecret,
     kPrivate,
     16,
     {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20},
     "a device group's secret key (X25519)"},
    {KeyKind::kDevicePublic,
     kPublic,
     12,
     {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00},
     "a device group's public key (X25519)"},
    {KeyKind::kContentSecret, kContent, 0, {}, "a tenant's content key"},
};

constexpr size_t kMaxDer = kMaxPrefix + kKeySize;
constexpr char kBegin[] = "-----BEGIN ";
constexpr char kEnd[] = "-----END ";
constexpr char kDashes[] = "-----";

const KeyFormat& FormatOf(KeyKind kind) { return kFormats[static_cast<size_t>(kind)]; }

absl::Status Bad(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::Status UnknownLabel(absl::string_view label) {
  if (absl::StrContains(label, "ENCRYPTED")) {
    return Bad("the key is encrypted with a passphrase, which is not supported: 'openssl pkey' decrypts it");
  }
  return Bad(
      absl::StrCat("expected a '", kPrivate, "', a '", kPublic, "' or a '", kContent, "', found a '", label, "'"));
}

// Takes the armour off `text`.
absl::Status FindBody(absl::string_view text, absl::string_view* label, absl::string_view* body) {
  text = absl::StripAsciiWhitespace(text);
  if (!absl::StartsWith(text, kBegin)) return Bad(absl::StrCat("no key: expected it to begin with '", kBegin, "'"));
  text.remove_prefix(std::strlen(kBegin));
  const size_t label_end = text.find(kDashes);
  if (label_end == absl::string_view::npos) return Bad("no key: its first line has no end");
  *label = text.substr(0, label_end);
  text.remove_prefix(label_end + std::strlen(kDashes));
  if (*label != kPrivate && *label != kPublic && *label != kContent) return UnknownLabel(*label);
  const size_t body_end = text.find(kEnd);
  if (body_end == absl::string_view::npos) return Bad(absl::StrCat("the key has no '", kEnd, *label, kDashes, "'"));
  *body = text.substr(0, body_end);
  if (text.substr(body_end) != absl::StrCat(kEnd, *label, kDashes)) {
    return Bad(absl::StrCat("expected one key that ends with '", kEnd, *label, kDashes, "'"));
  }
  return absl::OkStatus();
}

// The library passes over NULs like over line ends, and takes bytes of 128 and more for digits.
bool IsBase64OrLineEnd(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("+/=\r\n").find(c) != absl::string_view::npos;
}

}  // namespace

bool IsSecret(KeyKind kind) { return FormatOf(kind).label != kPublic; }

const char* DescriptionOf(KeyKind kind) { return FormatOf(kind).description; }

absl::StatusOr<KeyText> ParseKey(absl::string_view text) {
  absl::string_view label, body;
  if (absl::Status status = FindBody(text, &label, &body); !status.ok()) return status;
  SecretBytes der(kMaxDer);
  size_t size = 0;
  const char* end = nullptr;
  if (!std::all_of(body.begin(), body.end(), IsBase64OrLineEnd) ||
      sodium_base642bin(der.data(), der.size(), body.data(), body.size(), "\r\n", &size, &end,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != body.data() + body.size()) {
    return Bad(absl::StrCat("the ", label, " is no Base64 of at most ", kMaxDer,
                            " bytes, as an Ed25519 or X25519 key has (of an RSA or ECDSA key?)"));
  }
  for (const KeyFormat& format : kFormats) {
    if (label != format.label || size != format.prefix_size + kKeySize) continue;
    if (format.prefix_size != 0 && std::memcmp(der.data(), format.prefix, format.prefix_size) != 0) continue;
    KeyText key{format.kind, SecretBytes(kKeySize)};
    std::memcpy(key.bytes.data(), der.data() + format.prefix_size, kKeySize);
    return key;
  }
  return Bad(absl::StrCat("the ", label, " is of another kind than Ed25519 and X25519, or damaged"));
}

SecretBytes FormatKey(KeyKind kind, absl::Span<const uint8_t> key) {
  const KeyFormat& format = FormatOf(kind);
  SecretBytes der(format.prefix_size + kKeySize);
  std::memcpy(der.data(), format.prefix, format.prefix_size);
  std::memcpy(der.data() + format.prefix_size, key.data(), kKeySize);
  SecretBytes base64(sodium_base64_ENCODED_LEN(kMaxDer, sodium_base64_VARIANT_ORIGINAL));
  sodium_bin2base64(reinterpret_cast<char*>(base64.data()), base64.size(), der.data(), der.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  const absl::string_view encoded(reinterpret_cast<const char*>(base64.data()));
  const std::string before = absl::StrCat(kBegin, format.label, kDashes, "\n");
  const std::string after = absl::StrCat("\n", kEnd, format.label, kDashes, "\n");
  SecretBytes text(before.size() + encoded.size() + after.size());
  uint8_t* at = text.data();
  for (const absl::string_view part : {absl::string_view(before), encoded, absl::string_view(after)}) {
    std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  return text;
}

}  // namespace modelvault
