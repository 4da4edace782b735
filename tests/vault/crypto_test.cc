#include "vault/crypto.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/vault/crypto_vectors.h"

namespace modelvault {
namespace {

TEST(HostCryptoTest, GivesWhatIsPublished) {
  for (const CryptoVector& vector : KnownCryptoVectors()) {
    SCOPED_TRACE(vector.name);
    const std::string line = RunOnHost(vector);
    EXPECT_EQ(line[0], vector.accepted ? '1' : '0');
    if (!vector.output.empty()) {
      EXPECT_EQ(line.substr(2), absl::BytesToHexString(vector.output));
    }
  }
}

TEST(HostCryptoTest, AcceptsWhatWasMadeAndRefusesItWithABitFlipped) {
  for (const CryptoVector& vector : RandomCryptoVectors(/*seed=*/16)) {
    SCOPED_TRACE(vector.name);
    EXPECT_EQ(RunOnHost(vector)[0], vector.accepted ? '1' : '0');
  }
}

}  // namespace
}  // namespace modelvault
