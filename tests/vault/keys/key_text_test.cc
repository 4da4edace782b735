#include "vault/keys/key_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

// The example key of RFC 8410 §10.3, and its public key of §10.1.
constexpr char kRfcSecret[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
constexpr char kRfcSeed[] = "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
constexpr char kRfcPublic[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n";
constexpr char kRfcPublicBytes[] = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

// "kind bytes" of a text that is a key.
std::string Parsed(absl::string_view text) {
  const absl::StatusOr<KeyText> key = ParseKey(text);
  if (!key.ok()) return std::string(key.status().message());
  return absl::StrCat(static_cast<int>(key->kind), " ", absl::BytesToHexString(key->bytes.text()));
}

std::string Replaced(absl::string_view from, absl::string_view to) {
  return absl::StrReplaceAll(kRfcSecret, {{from, to}});
}

TEST(KeyTextTest, ReadsTheKeysOfTheStandard) {
  EXPECT_EQ(Parsed(kRfcSecret), absl::StrCat(static_cast<int>(KeyKind::kSigningSecret), " ", kRfcSeed));
  EXPECT_EQ(Parsed(kRfcPublic), absl::StrCat(static_cast<int>(KeyKind::kSigningPublic), " ", kRfcPublicBytes));
}

TEST(KeyTextTest, EveryKindComesBack) {
  SecretBytes bytes(kKeySize);
  for (size_t i = 0; i < bytes.size(); ++i) bytes.data()[i] = static_cast<uint8_t>(7 * i + 1);
  for (const KeyKind kind : {KeyKind::kSigningSecret, KeyKind::kSigningPublic, KeyKind::kDeviceSecret,
                             KeyKind::kDevicePublic, KeyKind::kContentSecret}) {
    const SecretBytes text = FormatKey(kind, bytes.span());
    EXPECT_EQ(Parsed(text.text()), absl::StrCat(static_cast<int>(kind), " ", absl::BytesToHexString(bytes.text())));
    EXPECT_EQ(IsSecret(kind), !absl::StrContains(DescriptionOf(kind), "public"));
    EXPECT_LT(text.size(), kMaxKeyText);
  }
}

TEST(KeyTextTest, LineEndsAndWhiteSpaceAroundDoNotMatter) {
  const std::string expected = Parsed(kRfcSecret);
  EXPECT_EQ(Parsed(Replaced("\n", "\r\n")), expected);
  EXPECT_EQ(Parsed(absl::StrCat("\n \n", kRfcSecret, "\n\n")), expected);
  EXPECT_EQ(Parsed(Replaced("8fdp", "8\nfdp")), expected);
}

TEST(KeyTextTest, AnythingElseIsRefusedByWhatItIs) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no key: expected it to begin with '-----BEGIN "},
      {"-----BEGIN PRIVATE KEY", "its first line has no end"},
      {Replaced("-----END", "-----ENDE"), "-----END PRIVATE KEY-----"},
      {Replaced("-----END PRIVATE", "-----END PUBLIC"), "ends with '-----END PRIVATE KEY-----'"},
      {absl::StrCat(kRfcSecret, kRfcPublic), "expected one key"},
      {Replaced("PRIVATE", "RSA PRIVATE"), "found a 'RSA PRIVATE KEY'"},
      {Replaced("PRIVATE", "OPENSSH PRIVATE"), "found a 'OPENSSH PRIVATE KEY'"},
      {Replaced("PRIVATE", "ENCRYPTED PRIVATE"), "encrypted with a passphrase"},
      // A secret key's bytes as a public key.
      {Replaced("PRIVATE", "PUBLIC"), "of another kind"},
      {Replaced("PRIVATE", "MODELVAULT CONTENT"), "of another kind"},
      // Not Base64, more bytes than a key has, and fewer.
      {Replaced("8fdp", "8f*p"), "no Base64"},
      {Replaced("8fdp", "8f p"), "no Base64"},
      {Replaced("hC\n", "hCAAAA\n"), "no Base64 of at most 48 bytes"},
      {Replaced("dVhC", ""), "of another kind"},
      // The object identifier of Ed448.
      {Replaced("K2Vw", "K2Vx"), "of another kind"},
      {Replaced("8fdp", absl::string_view("8f\0dp", 5)), "no Base64"},
      {Replaced("8fdp", "8f\xff\xff"), "no Base64"},
  };
  for (const auto& [text, message] : cases) {
    ASSERT_NE(text, kRfcSecret) << message;
    EXPECT_THAT(ParseKey(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message))) << text;
  }
}

TEST(KeyTextTest, MovingASecretLeavesNothingBehind) {
  SecretBytes bytes(4);
  bytes.data()[0] = 9;
  const uint8_t* const at = bytes.data();
  SecretBytes moved = std::move(bytes);
  EXPECT_EQ(moved.data(), at);
  EXPECT_EQ(bytes.size(), 0u);  // NOLINT(bugprone-use-after-move)
  moved = SecretBytes(2);
  EXPECT_EQ(moved.size(), 2u);
  EXPECT_EQ(moved.data()[0], 0);
}

}  // namespace
}  // namespace modelvault
