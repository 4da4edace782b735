// Any bytes as the text of a key. What is accepted comes back from the text that is made of it, and says the same with
// all white space gone.
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "vault/keys/key_text.h"

namespace modelvault {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

std::string WithoutLineEnds(absl::string_view text) {
  return absl::StrReplaceAll(absl::StripAsciiWhitespace(text), {{"\r", ""}, {"\n", ""}});
}

}  // namespace
}  // namespace modelvault

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelvault;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  absl::StatusOr<KeyText> key = ParseKey(text);
  if (!key.ok()) {
    Require(absl::IsInvalidArgument(key.status()));
    return 0;
  }
  Require(key->bytes.size() == kKeySize);
  const SecretBytes formatted = FormatKey(key->kind, key->bytes.span());
  Require(WithoutLineEnds(formatted.text()) == WithoutLineEnds(text));
  const absl::StatusOr<KeyText> again = ParseKey(formatted.text());
  Require(again.ok() && again->kind == key->kind && again->bytes.text() == key->bytes.text());
  return 0;
}
