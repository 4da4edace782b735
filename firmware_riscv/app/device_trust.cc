#include "firmware_riscv/app/device_trust.h"

namespace modelvault {
namespace {

uint64_t Larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

// The list's first unit last: until it is there, there is no list.
mv_error WriteList(ByteView list, const mv_region* sector) {
  mv_error error = mv_region_erase(sector, 0);
  uint32_t at = (static_cast<uint32_t>(list.size) + MV_SELECTION_UNIT - 1) / MV_SELECTION_UNIT * MV_SELECTION_UNIT;
  while (at > 0 && error == MV_OK) {
    at -= MV_SELECTION_UNIT;
    uint8_t unit[MV_SELECTION_UNIT];
    memset(unit, 0xFF, sizeof(unit));
    const size_t left = list.size - at;
    memcpy(unit, list.data + at, left < sizeof(unit) ? left : sizeof(unit));
    error = mv_region_program(sector, at, unit);
  }
  return error;
}

}  // namespace

template <UpdateSteps kSteps>
BasicDeviceTrust<kSteps>::BasicDeviceTrust(const mv_trust* anchor, const mv_region* state, const mv_counter* counter)
    : is_asked_(anchor != nullptr), state_(state, is_asked_ ? counter : nullptr) {
  if (!is_asked_) return;
  trust_ = *anchor;
  trust_.least_version = Larger(anchor->least_version, state_.least_version());
  if (kSteps.ask_for_list) {
    trust_.least_revocation = Larger(anchor->least_revocation, state_.record().least_revocation);
  }
  bool any = false;
  for (const uint8_t byte : state_.record().key_set) any = any || byte != 0;
  if (any) trust_.key_set = state_.record().key_set;
}

template <UpdateSteps kSteps>
mv_error BasicDeviceTrust<kSteps>::Remember(unsigned slot, const mv_proof& proof) {
  if (!is_asked_) return state_.proven() == kNoSlot ? MV_OK : state_.Confirm(0);
  if (proof.variants != MV_VERIFIED) return MV_OK;
  state_.SetProven(slot, proof.version);
  mv_error error = state_.Confirm(kSteps.raise_version ? proof.version : 0);
  if (error == MV_OK && kSteps.keep_key_set) error = state_.AcceptKeySet(proof.key_set);
  if (error == MV_OK && kSteps.raise_number) error = state_.RaiseRevocation(proof.revocation);
  return error;
}

template <UpdateSteps kSteps>
mv_error BasicDeviceTrust<kSteps>::ReplaceRevocations(const mv_proof& proof, const mv_crypto* crypto, ByteView list,
                                                      const mv_region* sector) {
  uint64_t number = 0;
  size_t size = list.size;
  mv_error error = MV_OK;
  if (kSteps.prove_list) {
    const uint64_t known = Larger(proof.revocation, state_.record().least_revocation);
    const uint64_t least = Larger(trust_.least_revocation, known);
    error = mv_prove_revocations(&proof, list.data, list.size, least, crypto, &number, &size);
  }
  if (error == MV_OK) error = WriteList(list.Sub(0, size), sector);
  if (error == MV_OK && kSteps.raise_number) error = state_.RaiseRevocation(number);
  return error;
}

template class BasicDeviceTrust<kAllSteps>;

}  // namespace modelvault
