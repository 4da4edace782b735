#include "firmware_riscv/app/device_trust.h"

namespace modelvault {
namespace {

// What reads as a region of no sectors.
constexpr mv_region kNoState = {};

uint64_t Larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

}  // namespace

DeviceTrust::DeviceTrust(const mv_trust* anchor, const mv_region* state, const mv_counter* counter)
    : is_asked_(anchor != nullptr), state_(is_asked_ ? state : &kNoState, is_asked_ ? counter : nullptr) {
  if (!is_asked_) return;
  trust_ = *anchor;
  trust_.least_version = Larger(anchor->least_version, state_.least_version());
  trust_.least_revocation = Larger(anchor->least_revocation, state_.record().least_revocation);
  bool any = false;
  for (const uint8_t byte : state_.record().key_set) any = any || byte != 0;
  if (any) trust_.key_set = state_.record().key_set;
}

mv_error DeviceTrust::Remember(const mv_proof& proof) {
  if (!is_asked_ || proof.variants != MV_VERIFIED) return MV_OK;
  state_.SetProven(state_.record().active, proof.version);
  mv_error error = state_.Confirm(proof.version);
  if (error == MV_OK) error = state_.AcceptKeySet(proof.key_set);
  if (error == MV_OK) error = state_.RaiseRevocation(proof.revocation);
  return error;
}

}  // namespace modelvault
