#ifndef MODELVAULT_TESTS_VAULT_SIGNED_GOLDEN_H_
#define MODELVAULT_TESTS_VAULT_SIGNED_GOLDEN_H_

// What the golden vault of version 1.4 is signed with (docs/format.md §11).

#include <cstdint>
#include <vector>

#include "tests/vault/test_keys.h"
#include "vault/vault_signing.h"

namespace modelvault {

inline constexpr uint64_t kGoldenTime = 1700000000;

inline KeySet GoldenFirstKeySet() { return TestKeySet({TestKey(1)}, 1); }

inline SigningPlan GoldenPlan() {
  const KeySet first = GoldenFirstKeySet();
  KeySet second = TestKeySet({TestKey(2), TestKey(3), TestKey(4)}, 2, 2);
  SignNext(first, {TestKey(1)}, &second);
  SigningPlan plan;
  for (size_t i = 0; i < plan.vault_id.size(); ++i) plan.vault_id[i] = static_cast<uint8_t>(0xA0 + i);
  plan.version = 7;
  plan.not_before = kGoldenTime;
  plan.not_after = 4102444800;
  plan.key_sets = {first, second};
  return plan;
}

inline std::vector<TestKey> GoldenSigners() { return {TestKey(2), TestKey(4)}; }

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_SIGNED_GOLDEN_H_
